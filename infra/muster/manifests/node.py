"""Simulated nodes.

https://kwok.sigs.k8s.io/docs/user/kwok-manage-nodes-and-pods/
"""

import json
from typing import Any

from muster.manifests.labels import ALLOCATABLE, MANAGED, POOL
from muster.plan.parts import NodePlan


def build(node: NodePlan) -> dict[str, Any]:
    """The Node; its resources stand in an annotation, because a status can't be declared."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": node.name,
            "labels": {
                **MANAGED,
                POOL: node.pool,
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": node.name,
                "kubernetes.io/os": "linux",
                "node.kubernetes.io/instance-type": node.instance_type,
            },
            "annotations": {
                "kwok.x-k8s.io/node": "fake",
                ALLOCATABLE: json.dumps(dict(node.allocatable), sort_keys=True),
            },
        },
        "spec": {
            "taints": [
                {"key": taint.key, "effect": taint.effect, **({"value": taint.value} if taint.value else {})}
                for taint in node.taints
            ]
        },
    }
