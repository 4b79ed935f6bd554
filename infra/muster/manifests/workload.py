"""The files of a workload."""

from typing import Any

from muster.manifests.labels import MANAGED
from muster.plan.parts import FilesPlan


def build(files: FilesPlan) -> dict[str, Any]:
    """The ConfigMap, immutable because its name changes with its content."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": files.name,
            "namespace": files.namespace,
            "labels": {**MANAGED, "muster.dev/workload": files.workload},
        },
        "immutable": True,
        "data": dict(files.data),
    }
