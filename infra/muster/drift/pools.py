"""Whether a pool's nodes are as many as it wants, open, and labelled and tainted as it says."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from muster.drift import compare
from muster.drift.finding import ABSENT, Difference, Finding, Thing
from muster.plan import Plan, PoolPlan
from muster.plan.aws.parts import GroupPlan

Node = Mapping[str, Any]
GROUP_LABEL = "eks.amazonaws.com/nodegroup"
"""Name of a node's group: https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html"""


def findings(plan: Plan, nodes: Sequence[Node]) -> Iterator[Finding]:
    """Differences of all pools; nodes that the stack itself makes are compared with their manifests elsewhere."""
    groups = {group.pool: group for group in plan.aws.groups} if plan.aws else {}
    for pool in plan.pools:
        mine = [node for node in nodes if _belongs(node, pool)]
        group = groups.get(pool.name)
        if group is not None:
            yield from _number(pool, mine)
            for node in mine:
                yield from _marks(pool, group, node)
        for node in mine:
            if (node.get("spec") or {}).get("unschedulable"):
                yield Finding(_thing(pool, node), Difference(("spec", "unschedulable"), ABSENT, True))


def _belongs(node: Node, pool: PoolPlan) -> bool:
    """By the pool's labels, or by the group that made it where somebody took those away."""
    labels = node["metadata"].get("labels") or {}
    group, _, tail = str(labels.get(GROUP_LABEL, "")).rpartition("-")
    return pool.node_selector.items() <= labels.items() or bool(tail and group == pool.name[:37])


def _number(pool: PoolPlan, nodes: Sequence[Node]) -> Iterator[Finding]:
    if len(nodes) != pool.nodes:
        thing = Thing("Pool", pool.name, "pool", of=pool.name)
        yield Finding(thing, Difference(("nodes",), pool.nodes, len(nodes)))


def _marks(pool: PoolPlan, group: GroupPlan, node: Node) -> Iterator[Finding]:
    wanted = {
        "metadata": {"labels": dict(group.labels)},
        "spec": {
            "taints": [
                {"key": taint.key, "effect": taint.effect, **({"value": taint.value} if taint.value else {})}
                for taint in group.taints
            ]
        },
    }
    live = {**node, "spec": {"taints": [], **(node.get("spec") or {})}}
    for difference in compare.differences("Node", wanted, live):
        yield Finding(_thing(pool, node), difference)


def _thing(pool: PoolPlan, node: Node) -> Thing:
    return Thing("Node", node["metadata"]["name"], "pool", of=pool.name, resource="node")
