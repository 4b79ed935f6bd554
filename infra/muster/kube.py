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
        try:
            body = self._api.call_api(
                path,
                "GET",
                query_params=list(params.items()),
                header_params={"Accept": "application/json"},
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
                _request_timeout=(CONNECT_S, READ_S),
            )
        except ApiException:
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

    def forget_release(self, namespace: str, name: str) -> None:
        """Delete Helm's records of a release, not its objects. Raises Unreachable.

        Helm keeps one Secret a revision: https://helm.sh/docs/topics/advanced/#storage-backends
        """
        try:
            self._core.delete_collection_namespaced_secret(namespace, label_selector=f"owner=helm,name={name}")
        except ApiException as error:
            raise Unreachable(f"{self._api.configuration.host}: {error.status} {error.reason}") from None
