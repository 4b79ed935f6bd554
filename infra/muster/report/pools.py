"""Node pools as the cluster has them: nodes, GPUs and fabric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from muster import quantities
from muster.plan import PoolPlan
from muster.plan.parts import EFA, GPU

Node = Mapping[str, Any]


@dataclass(frozen=True)
class PoolView:
    """Nodes of one pool.

    `gpus` are allocatable on ready nodes, `gpus_held` those of them that gangs hold. `efa` are the EFA interfaces that
    each node should have. `no_gpus` and `no_efa` name ready nodes that have less than their instance type.
    """

    name: str
    wanted: int
    ready: int
    gpus: int
    gpus_held: int = 0
    efa: int = 0
    no_gpus: tuple[str, ...] = ()
    no_efa: tuple[str, ...] = ()

    @property
    def gpus_free(self) -> int:
        """Allocatable GPUs on ready nodes that no gang holds."""
        return max(0, self.gpus - self.gpus_held)

    @property
    def fabric(self) -> str:
        """The fabric in a few words; empty where the pool has none."""
        if not self.efa:
            return ""
        return f"{len(self.no_efa)} of {self.ready} nodes lack EFA" if self.no_efa else f"{self.efa} EFA a node"

    def document(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "nodes": self.wanted,
            "ready": self.ready,
            "gpus": self.gpus,
            "gpusHeld": self.gpus_held,
            "gpusFree": self.gpus_free,
            "efaPerNode": self.efa,
            "nodesLackingGpus": list(self.no_gpus),
            "nodesLackingEfa": list(self.no_efa),
        }


def judge(pool: PoolPlan, nodes: Sequence[Node], held: Mapping[str, int]) -> PoolView:
    """A pool from all nodes of the cluster; `held` are the GPUs that gangs hold, by node."""
    mine = members(pool, nodes)
    able = [node for node in mine if ready(node)]
    return PoolView(
        name=pool.name,
        wanted=pool.nodes,
        ready=len(able),
        gpus=sum(allocatable(node, GPU) for node in able),
        gpus_held=sum(held.get(node["metadata"]["name"], 0) for node in able),
        efa=pool.efa,
        no_gpus=lacking(able, GPU, pool.type.gpus if pool.type else 0),
        no_efa=lacking(able, EFA, pool.efa),
    )


def members(pool: PoolPlan, nodes: Sequence[Node]) -> list[Node]:
    """Nodes that carry the pool's labels."""
    wanted = pool.node_selector.items()
    return [node for node in nodes if wanted <= (node["metadata"].get("labels") or {}).items()]


def ready(node: Node) -> bool:
    """Whether a node is Ready."""
    conditions = node.get("status", {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def allocatable(node: Node, resource: str) -> int:
    """How many whole devices of a kind a node offers."""
    return int(quantities.amount(str(node.get("status", {}).get("allocatable", {}).get(resource, "0"))))


def lacking(nodes: Sequence[Node], resource: str, wanted: int) -> tuple[str, ...]:
    """Names of the nodes that offer fewer devices of a kind than `wanted`."""
    return tuple(str(node["metadata"]["name"]) for node in nodes if allocatable(node, resource) < wanted)
