"""Who is on the nodes of each pool now: gangs that run there, and gangs that wait for it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from muster.plan.parts import POOL_LABEL
from muster.report.reader import Reader, items

JOBSET = "jobset.sigs.k8s.io/jobset-name"
"""Label of a gang's pods: https://jobset.sigs.k8s.io/docs/reference/constants/"""


@dataclass(frozen=True)
class Gang:
    """A job with pods; it runs as soon as one of them does, and is queued before."""

    name: str
    """Namespace and name, as in training/pretrain."""
    pool: str
    running: bool


@dataclass(frozen=True)
class Occupancy:
    """Gangs of a cluster, by name. `unseen` says why nobody looked, empty where somebody did."""

    gangs: Mapping[str, Gang] = field(default_factory=dict)
    unseen: str = ""

    def on(self, pool: str) -> tuple[Gang, ...]:
        """Gangs of a pool."""
        return tuple(gang for gang in self.gangs.values() if gang.pool == pool)


def read(cluster: Reader) -> Occupancy:
    """Look at the pods of all gangs. Raises muster.report.reader.Unreachable."""
    nodes = {
        node["metadata"]["name"]: (node["metadata"].get("labels") or {}).get(POOL_LABEL, "")
        for node in items(cluster.get("/api/v1/nodes"))
    }
    return Occupancy(_gangs(items(cluster.get("/api/v1/pods", labelSelector=JOBSET)), nodes))


def _gangs(pods: Sequence[Mapping[str, Any]], nodes: Mapping[str, str]) -> dict[str, Gang]:
    """Gangs of pods; `nodes` are pools by node name. Pods that have ended hold nothing."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for pod in pods:
        if pod["status"].get("phase") in ("Pending", "Running"):
            meta = pod["metadata"]
            found[f"{meta['namespace']}/{meta['labels'][JOBSET]}"].append(pod)
    return {name: _gang(name, held, nodes) for name, held in sorted(found.items())}


def _gang(name: str, pods: Sequence[Mapping[str, Any]], nodes: Mapping[str, str]) -> Gang:
    pools = [_pool(pod, nodes) for pod in pods]
    running = any(pod["status"]["phase"] == "Running" for pod in pods)
    return Gang(name, next((pool for pool in pools if pool), ""), running)


def _pool(pod: Mapping[str, Any], nodes: Mapping[str, str]) -> str:
    """The pool of the node that a pod is on, else the one that it asks for."""
    asked = (pod["spec"].get("nodeSelector") or {}).get(POOL_LABEL, "")
    return nodes.get(pod["spec"].get("nodeName") or "", "") or str(asked)
