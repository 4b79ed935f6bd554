"""A double of a cluster: plain objects, answered as the API server would answer lists, tables and logs."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from muster.report.job import INDEX, JOBSET_LABEL

Document = dict[str, Any]
COLUMNS = {
    "pods": ("Name", "Ready", "Status", "Restarts", "Age", "IP", "Node"),
    "jobsets": ("Name", "TerminalState", "Restarts", "Completed", "Suspended", "Age"),
    "secrets": ("Name", "Type", "Data", "Age"),
}


class Cluster:
    """A `Reader` on objects by API path; `asked` holds every request."""

    def __init__(
        self, objects: Mapping[str, Sequence[Document]], logs: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.objects, self._logs = {path: list(found) for path, found in objects.items()}, logs or {}
        self.asked: list[str] = []

    def get(self, path: str, **params: str) -> Document | None:
        self.asked.append(f"get {path}")
        listing = re.sub(r"/namespaces/[^/]+/(\w+)$", r"/\1", path)
        if listing in self.objects:
            return {"items": [one for one in self.objects[listing] if selected(one, params) and within(one, path)]}
        folder, _, name = path.rpartition("/")
        kind = re.sub(r"/namespaces/[^/]+/", "/", folder)
        found = (one for one in self.objects.get(kind, ()) if one["metadata"]["name"] == name and within(one, path))
        return next(found, None)

    def table(self, path: str, **params: str) -> Document | None:
        self.asked.append(f"table {path}")
        listing = re.sub(r"/namespaces/[^/]+/(\w+)$", r"/\1", path)
        if listing not in self.objects:
            return None
        columns = COLUMNS.get(path.rpartition("/")[2], ("Name",))
        return {
            "columnDefinitions": [{"name": name} for name in columns],
            "rows": [
                {"cells": cells(one, columns), "object": {"metadata": one["metadata"]}}
                for one in self.objects[listing]
                if selected(one, params) and within(one, path)
            ],
        }

    def log(self, namespace: str, pod: str, lines: int) -> list[str]:
        self.asked.append(f"log {namespace}/{pod}")
        return list(self._logs.get(pod, ()))[-lines:]


def selected(one: Document, params: Mapping[str, str]) -> bool:
    key, _, value = params.get("labelSelector", "").partition("=")
    labels = one["metadata"].get("labels", {})
    return not key or (key in labels and value in ("", labels[key]))


def within(one: Document, path: str) -> bool:
    namespace = re.search(r"/namespaces/([^/]+)/\w", path)
    return namespace is None or one["metadata"].get("namespace") == namespace.group(1)


def cells(one: Document, columns: Sequence[str]) -> list[Any]:
    """Cells of pods and JobSets as the printers of the API server make them, as far as tests need them."""
    status, spec = one.get("status", {}), one.get("spec", {})
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", ()))
    states = [container.get("state", {}) for container in status.get("containerStatuses", ())]
    why = [word["reason"] for state in states for word in (state.get("waiting"), state.get("terminated")) if word]
    values = {
        "Name": one["metadata"]["name"],
        "Ready": f"{int(ready)}/1",
        "Status": why[-1] if why else status.get("phase", "Pending"),
        "Restarts": str(status["restarts"]) if "restarts" in status else None,
        "Node": spec.get("nodeName") or "<none>",
    }
    return [values.get(column) for column in columns]


def node(name: str, pool: str, allocatable: Mapping[str, str], *, ready: bool = True) -> Document:
    return {
        "metadata": {"name": name, "labels": {"muster.dev/pool": pool}},
        "status": {"allocatable": dict(allocatable), "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def trainjob(name: str, nodes: int, condition: str = "", *, namespace: str = "training") -> Document:
    at = {"lastTransitionTime": "2026-11-24T10:30:00Z", "reason": "R", "message": "M"}
    return {
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": "2026-11-24T10:00:00Z"},
        "spec": {"trainer": {"numNodes": nodes}},
        "status": {"conditions": [{"type": condition, "status": "True", **at}] if condition else []},
    }


def jobset(name: str, restarts: int = 0, *, namespace: str = "training") -> Document:
    return {"metadata": {"name": name, "namespace": namespace}, "status": {"restarts": restarts}}


def pod(
    job: str, index: int, node: str = "", phase: str = "Running", *, namespace: str = "training", **state: Any
) -> Document:
    ready = phase == "Running" and not state
    return {
        "metadata": {
            "name": f"{job}-node-0-{index}",
            "namespace": namespace,
            "labels": {JOBSET_LABEL: job},
            "annotations": {INDEX: str(index)},
        },
        "spec": {"nodeName": node},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"name": "node", "state": state}] if state else [],
        },
    }


def podgroup(
    name: str, queue: str, phase: str, members: int, gpus: int, *, why: str = "", namespace: str = "training"
) -> Document:
    conditions = [{"type": "Unschedulable", "status": "True", "message": why}] if why else []
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"queue": queue, "minMember": members, "minResources": {"nvidia.com/gpu": str(gpus)}},
        "status": {"phase": phase, "conditions": conditions},
    }
