"""A double of a cluster's API: lists of objects, by the path at which the API serves them."""

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from muster.report.reader import Unreachable

SERVED: Mapping[str, tuple[str, bool]] = {
    "ConfigMap": ("configmaps", True),
    "ClusterTrainingRuntime": ("clustertrainingruntimes", False),
    "Deployment": ("deployments", True),
    "Namespace": ("namespaces", False),
    "Node": ("nodes", False),
    "PersistentVolume": ("persistentvolumes", False),
    "PersistentVolumeClaim": ("persistentvolumeclaims", True),
    "Queue": ("queues", False),
    "Secret": ("secrets", True),
    "Service": ("services", True),
    "StorageClass": ("storageclasses", False),
    "TrainJob": ("trainjobs", True),
}
"""Plural and scope by kind."""


class ClusterDouble:
    """Answers from objects alone; `denied` are parts of paths that it refuses, as one without a grant sees it."""

    def __init__(self, objects: Iterable[dict[str, Any]], denied: tuple[str, ...] = ()) -> None:
        self.objects = list(objects)
        self._denied = denied

    def get(self, path: str, **params: str) -> dict[str, Any] | None:
        if any(part in path for part in self._denied):
            raise Unreachable(f"{path}: 403 Forbidden")
        root, _, rest = path.strip("/").partition("/")
        version, _, rest = rest.partition("/") if root == "api" else _group(rest)
        mine = [one for one in self.objects if one["apiVersion"] == version]
        if not rest:
            kinds = sorted({one["kind"] for one in mine})
            rows = [{"kind": kind, "name": SERVED[kind][0], "namespaced": SERVED[kind][1]} for kind in kinds]
            return {"resources": [*rows, {"kind": "Scale", "name": "deployments/scale", "namespaced": True}]}
        words = rest.split("/")
        namespace = words[1] if words[0] == "namespaces" and len(words) > 2 else None
        found = [
            one
            for one in mine
            if SERVED.get(one["kind"], ("pods", True))[0] == words[-1]
            and namespace in (None, one["metadata"].get("namespace"))
            and _selected(one["metadata"].get("labels") or {}, params.get("labelSelector", ""))
        ]
        return {"items": found}

    def log(self, namespace: str, pod: str, lines: int) -> list[str]:
        raise AssertionError(f"nobody reads logs, neither of {namespace}/{pod} nor {lines} of them")


def _group(rest: str) -> tuple[str, str, str]:
    group, _, rest = rest.partition("/")
    version, _, rest = rest.partition("/")
    return f"{group}/{version}", "", rest


def _selected(labels: Mapping[str, str], selector: str) -> bool:
    for term in filter(None, selector.split(",")):
        key, equal, value = term.partition("=")
        if key not in labels or (equal and labels[key] != value):
            return False
    return True


def release_record(
    name: str,
    namespace: str,
    objects: Iterable[Mapping[str, Any]],
    values: Mapping[str, Any] | None = None,
    *,
    version: int = 1,
    status: str = "deployed",
) -> dict[str, Any]:
    """A Secret as Helm keeps a revision."""
    manifest = "".join(f"---\n# Source: {name}/x.yaml\n{yaml.safe_dump(dict(one))}" for one in objects)
    document = {"name": name, "version": version, "config": values, "manifest": manifest, "hooks": [{"manifest": "x"}]}
    packed = base64.b64encode(gzip.compress(json.dumps(document).encode()))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"sh.helm.release.v1.{name}.v{version}",
            "namespace": namespace,
            "labels": {"owner": "helm", "name": name, "version": str(version), "status": status},
        },
        "data": {"release": base64.b64encode(packed).decode()},
    }
