"""One screen for a whole stack: releases, pools, queues and jobs, read from the cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from muster.plan import Plan
from muster.report import job
from muster.report.reader import Reader, items


@dataclass(frozen=True)
class PoolView:
    """Nodes of one pool."""

    name: str
    wanted: int
    ready: int
    gpus: int
    """Allocatable GPUs on ready nodes."""


@dataclass(frozen=True)
class StackView:
    """What a stack's cluster holds now."""

    stack: str
    releases: Mapping[str, str]
    """Name to Helm status, `absent` when there is no record."""
    pools: Sequence[PoolView]
    queues: Mapping[str, str]
    """Name to state as Volcano reports it, `absent` when there is none."""
    jobs: Sequence[job.JobView]

    def document(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "stack": self.stack,
            "releases": dict(self.releases),
            "pools": {pool.name: {"nodes": pool.wanted, "ready": pool.ready, "gpus": pool.gpus} for pool in self.pools},
            "queues": dict(self.queues),
            "jobs": {
                view.name: {
                    "namespace": view.namespace,
                    "state": view.state,
                    "reason": view.reason,
                    "restarts": view.restarts,
                    "podsReady": view.pods_ready,
                    "pods": view.pods_wanted,
                    "firstLoss": view.losses[0][1] if view.losses else None,
                    "lastLoss": view.last_loss,
                    "lastStep": view.last_step,
                }
                for view in self.jobs
            },
        }


def read(cluster: Reader, plan: Plan) -> StackView:
    """Look at everything that `plan` put on the cluster. Raises muster.report.reader.Unreachable."""
    records = items(cluster.get("/api/v1/secrets", labelSelector="owner=helm"))
    nodes = items(cluster.get("/api/v1/nodes"))
    queues = items(cluster.get("/apis/scheduling.volcano.sh/v1beta1/queues")) if plan.queues else ()
    return StackView(
        stack=plan.stack,
        releases={release.name: _release_status(records, release.name, release.namespace) for release in plan.releases},
        pools=[_pool(pool.name, pool.nodes, pool.node_selector, nodes) for pool in plan.pools],
        queues={queue.name: _queue_state(queues, queue.name) for queue in plan.queues},
        jobs=[job.read(cluster, item.namespace, item.name) for item in plan.jobs],
    )


def _release_status(records: Sequence[Mapping[str, Any]], name: str, namespace: str) -> str:
    mine = [
        record["metadata"]["labels"]
        for record in records
        if record["metadata"]["labels"].get("name") == name and record["metadata"]["namespace"] == namespace
    ]
    newest = max(mine, key=lambda labels: int(labels.get("version", 0)), default=None)
    return str(newest["status"]) if newest else "absent"


def _pool(name: str, wanted: int, selector: Mapping[str, str], nodes: Sequence[Mapping[str, Any]]) -> PoolView:
    mine = [node for node in nodes if selector.items() <= (node["metadata"].get("labels") or {}).items()]
    ready = [
        node
        for node in mine
        if any(c["type"] == "Ready" and c["status"] == "True" for c in node.get("status", {}).get("conditions") or ())
    ]
    gpus = sum(int(node["status"].get("allocatable", {}).get("nvidia.com/gpu", 0)) for node in ready)
    return PoolView(name, wanted, len(ready), gpus)


def _queue_state(queues: Sequence[Mapping[str, Any]], name: str) -> str:
    found = next((queue for queue in queues if queue["metadata"]["name"] == name), None)
    return str(found.get("status", {}).get("state", "Unknown")) if found else "absent"
