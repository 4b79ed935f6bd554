"""The Kubernetes API as plain JSON: the only module that opens a connection to a cluster."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, cast

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from muster.report.reader import Object, Unreachable

NOT_FOUND = 404
CONNECT_S, READ_S = 5.0, 30.0
LOG_S = 5.0
"""A kubelet that is gone leaves the API server waiting longer than any reader should."""


class Kube:
    """A `Reader` on one cluster, through a client of its API."""

    def __init__(self, api: Any) -> None:
        self._api: Any = api
        self._core: Any = client.CoreV1Api(api)

    @classmethod
    def from_file(cls, kubeconfig: Path, context: str | None = None) -> Self:
        """By kubeconfig file and context. Raises Unreachable."""
        if not kubeconfig.is_file():
            raise Unreachable(f"there is no kubeconfig {kubeconfig}; start the cluster (make up), or set KUBECONFIG")
        try:
            return cls(config.new_client_from_config(config_file=str(kubeconfig), context=context))
        except config.ConfigException as error:
            raise Unreachable(f"kubeconfig {kubeconfig}: {error}") from None

    @classmethod
    def from_text(cls, kubeconfig: str) -> Self:
        """By a kubeconfig as JSON text. Raises Unreachable."""
        try:
            return cls(config.new_client_from_config_dict(json.loads(kubeconfig)))
        except config.ConfigException as error:
            raise Unreachable(f"the cluster's kubeconfig: {error}") from None

    def get(self, path: str, **params: str) -> Object | None:
        """See `Reader.get`. Raises Unreachable."""
        return self._ask(path, "application/json", params)

    def table(self, path: str, **params: str) -> Object | None:
        """See `Reader.table`. Raises Unreachable."""
        return self._ask(path, "application/json;as=Table;v=v1;g=meta.k8s.io", params)

    def _ask(self, path: str, accept: str, params: Mapping[str, str]) -> Object | None:
        try:
            body = self._api.call_api(
                path,
                "GET",
                query_params=list(params.items()),
                header_params={"Accept": accept},
                auth_settings=["BearerToken"],
                response_type="object",
                _return_http_data_only=True,
                _request_timeout=(CONNECT_S, READ_S),
            )
        except ApiException as error:
            if error.status == NOT_FOUND:
                return None
            raise Unreachable(f"{self._api.configuration.host}: {error.status} {error.reason}") from None
        except Exception as error:  # urllib3 raises its own kinds for refused, unknown host and time-out
            raise Unreachable(f"{self._api.configuration.host}: {error}") from None
        return cast(Object, body)

    def log(self, namespace: str, pod: str, lines: int) -> list[str]:
        """See `Reader.log`."""
        try:
            # The client parses a log that happens to be JSON, and gives back something else.
            # https://github.com/kubernetes-client/python/issues/2196
            answer = self._core.read_namespaced_pod_log(
                pod,
                namespace,
                container="node",
                tail_lines=lines,
                _preload_content=False,
                _request_timeout=(CONNECT_S, LOG_S),
            )
        except (
            Exception
        ):  # a log that can't be had is no log, whoever of the API server, kubelet and network refused it
            return []
        return str(answer.data.decode(errors="replace")).splitlines()

    def create_pod(self, namespace: str, pod: Mapping[str, Any]) -> str:
        """See `muster.report.checkpoints.Cluster`."""
        try:
            made = self._core.create_namespaced_pod(namespace, dict(pod), _request_timeout=(CONNECT_S, READ_S))
        except ApiException as error:
            raise Unreachable(f"{self._api.configuration.host}: {error.status} {error.reason}") from None
        return str(made.metadata.name)

    def delete_pod(self, namespace: str, name: str) -> None:
        """See `muster.report.checkpoints.Cluster`."""
        try:
            self._core.delete_namespaced_pod(name, namespace, _request_timeout=(CONNECT_S, READ_S))
        except ApiException as error:
            if error.status != NOT_FOUND:
                raise Unreachable(f"{self._api.configuration.host}: {error.status} {error.reason}") from None

    def is_foreign(self, namespace: str) -> bool:
        """Whether a namespace is there that was not made by a stack of this project. Raises Unreachable."""
        found = self.get(f"/api/v1/namespaces/{namespace}")
        return found is not None and found["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") != "muster"

    def may(self, verb: str, group: str, resource: str) -> bool:
        """Whether this user may do that in every namespace; the question is stored nowhere. Raises Unreachable.

        https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
        """
        wanted = {"verb": verb, "group": group, "resource": resource}
        review = {"kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": wanted}}
        try:
            answer = client.AuthorizationV1Api(self._api).create_self_subject_access_review(
                {"apiVersion": "authorization.k8s.io/v1", **review}, _request_timeout=(CONNECT_S, READ_S)
            )
        except ApiException as error:
            raise Unreachable(f"{self._api.configuration.host}: {error.status} {error.reason}") from None
        except Exception as error:  # as in get
            raise Unreachable(f"{self._api.configuration.host}: {error}") from None
        return bool(answer.status.allowed)

    def forget_release(self, namespace: str, name: str) -> None:
        """Delete Helm's records of a release, not its objects. Raises Unreachable.

        Helm keeps one Secret a revision: https://helm.sh/docs/topics/advanced/#storage-backends
        """
        try:
            self._core.delete_collection_namespaced_secret(namespace, label_selector=f"owner=helm,name={name}")
        except ApiException as error:
            raise Unreachable(f"{self._api.configuration.host}: {error.status} {error.reason}") from None
