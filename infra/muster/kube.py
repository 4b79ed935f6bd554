"""The Kubernetes API as plain JSON: the only module that opens a connection to a cluster.

Not by the Kubernetes client for Python: to import it takes longer than to read a stack of 200 jobs.
"""

import json
import ssl
import tempfile
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import urlencode, urlsplit

import urllib3

from muster import kubeconfig
from muster.kubeconfig import Access, Login
from muster.report.reader import Object, Unreachable

NOT_FOUND, REFUSED = 404, 400
"""Status from which on an answer is no result, and the one of what is not there."""
CONNECT_S, READ_S = 5.0, 30.0
LOG_S = 5.0
"""A kubelet that is gone leaves the API server waiting longer than any reader should."""
CONNECTIONS = 16
JSON = "application/json"


class Kube:
    """A `Reader` on one cluster; may be used by several threads at once."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._login: Login | None = None
        self._pool: urllib3.PoolManager | None = None

    @classmethod
    def from_file(cls, file: Path, context: str | None = None) -> Self:
        """By kubeconfig file and context. Raises Unreachable."""
        if not file.is_file():
            raise Unreachable(f"there is no kubeconfig {file}; start the cluster (make up), or set KUBECONFIG")
        try:
            return cls(kubeconfig.parse(file.read_text(), context, file.parent))
        except kubeconfig.Unusable as error:
            raise Unreachable(f"kubeconfig {file}: {error}") from None

    @classmethod
    def from_text(cls, text: str) -> Self:
        """By a kubeconfig as JSON text. Raises Unreachable."""
        try:
            return cls(kubeconfig.parse(text, None, Path()))
        except kubeconfig.Unusable as error:
            raise Unreachable(f"the cluster's kubeconfig: {error}") from None

    def get(self, path: str, **params: str) -> Object | None:
        """See `Reader.get`. Raises Unreachable."""
        return self._json("GET", path, params=params)

    def table(self, path: str, **params: str) -> Object | None:
        """See `Reader.table`. Raises Unreachable."""
        return self._json("GET", path, params=params, accept=f"{JSON};as=Table;v=v1;g=meta.k8s.io")

    def log(self, namespace: str, pod: str, lines: int) -> list[str]:
        """See `Reader.log`. A log that can't be had is no log, whoever of API server, kubelet and network refused."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        try:
            answer = self._ask("GET", path, params={"container": "node", "tailLines": str(lines)}, read_s=LOG_S)
        except Unreachable:
            return []
        return answer.data.decode(errors="replace").splitlines() if answer.status < REFUSED else []

    def create_pod(self, namespace: str, pod: Mapping[str, Any]) -> str:
        """See `muster.report.checkpoints.Cluster`."""
        made = self._json("POST", f"/api/v1/namespaces/{namespace}/pods", body=pod)
        if made is None:
            raise Unreachable(f"{self._access.server}: there is no namespace {namespace}")
        return str(made["metadata"]["name"])

    def delete_pod(self, namespace: str, name: str) -> None:
        """See `muster.report.checkpoints.Cluster`."""
        self._json("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}")

    def is_foreign(self, namespace: str) -> bool:
        """Whether a namespace is there that was not made by a stack of this project. Raises Unreachable."""
        found = self.get(f"/api/v1/namespaces/{namespace}")
        return found is not None and found["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") != "muster"

    def may(self, verb: str, group: str, resource: str) -> bool:
        """Whether this user may do that in every namespace; the question is stored nowhere. Raises Unreachable.

        https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
        """
        wanted = {"verb": verb, "group": group, "resource": resource}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }
        answer = self._json("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
        return bool((answer or {}).get("status", {}).get("allowed"))

    def forget_release(self, namespace: str, name: str) -> None:
        """Delete Helm's records of a release, not its objects. Raises Unreachable.

        Helm keeps one Secret a revision: https://helm.sh/docs/topics/advanced/#storage-backends
        """
        selector = {"labelSelector": f"owner=helm,name={name}"}
        self._json("DELETE", f"/api/v1/namespaces/{namespace}/secrets", params=selector)

    def _json(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        accept: str = JSON,
    ) -> Object | None:
        """The object that a request answers with, None for what is not there. Raises Unreachable."""
        answer = self._ask(method, path, params=params or {}, body=body, accept=accept)
        if answer.status == NOT_FOUND:
            return None
        if answer.status >= REFUSED:
            raise Unreachable(f"{self._access.server}: {answer.status} {_message(answer)}")
        try:
            return cast(Object, json.loads(answer.data))
        except ValueError:
            raise Unreachable(f"{self._access.server}: its answer is no JSON; is it a Kubernetes API?") from None

    def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        accept: str = "*/*",
        read_s: float = READ_S,
    ) -> urllib3.BaseHTTPResponse:
        pool, login = self._connected()
        headers = {"Accept": accept, "User-Agent": "muster"}
        if login.authorization:
            headers["Authorization"] = login.authorization
        if body is not None:
            headers["Content-Type"] = JSON
        url = f"{self._access.server}{path}" + (f"?{urlencode(params)}" if params else "")
        try:
            return pool.request(
                method,
                url,
                headers=headers,
                body=None if body is None else json.dumps(body).encode(),
                timeout=urllib3.Timeout(connect=CONNECT_S, read=read_s),
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"{self._access.server}: {_reason(error)}") from None

    def _connected(self) -> tuple[urllib3.PoolManager, Login]:
        """Connections with credentials that still hold. Raises Unreachable."""
        with self._lock:
            if self._pool is None or self._login is None or kubeconfig.stale(self._login):
                try:
                    self._login = self._access.login()
                    self._pool = _pool(self._access, self._login)
                except kubeconfig.Unusable as error:
                    raise Unreachable(f"{self._access.server}: the kubeconfig's user: {error}") from None
                except (ssl.SSLError, OSError) as error:
                    raise Unreachable(f"{self._access.server}: the kubeconfig's certificates: {error}") from None
            return self._pool, self._login


def _pool(access: Access, login: Login) -> urllib3.PoolManager:
    """Connections to the API server. Raises ssl.SSLError for certificates that are none."""
    trust = ssl.create_default_context(cadata=access.authority or None)
    if access.insecure:
        trust.check_hostname = False
        trust.verify_mode = ssl.CERT_NONE
    if login.certificate:
        # OpenSSL reads a certificate and its key from a file alone; this one is the user's own, and gone at once.
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(login.certificate)
            file.flush()
            trust.load_cert_chain(file.name)
    named = {"server_hostname": access.server_name, "assert_hostname": access.server_name} if access.server_name else {}
    given: dict[str, Any] = {"ssl_context": trust, "maxsize": CONNECTIONS, **named}
    proxy = access.proxy or _proxy(access.server)
    return urllib3.ProxyManager(proxy, **given) if proxy else urllib3.PoolManager(**given)


def _proxy(server: str) -> str | None:
    """The environment's proxy for a server, as kubectl takes it."""
    parts = urlsplit(server)
    if parts.hostname is None or urllib.request.proxy_bypass(parts.hostname):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def _message(answer: urllib3.BaseHTTPResponse) -> str:
    """What the API server says of a refusal; its bare reason where it says nothing."""
    try:
        said = json.loads(answer.data).get("message")
    except (ValueError, AttributeError):
        said = None
    return str(said or answer.reason or "")


def _reason(error: Exception) -> str:
    """The cause within urllib3's account of its retries."""
    return str(getattr(error, "reason", None) or error)
