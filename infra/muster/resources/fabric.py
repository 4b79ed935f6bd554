"""Waiting within `pulumi up` until GPU nodes are what the catalogue says, before any job starts on them.

A node without its EFA interfaces trains all the same, over TCP and many times slower, and no error says so. The GPU
Operator calls itself ready with no GPU node at all, so its own word is not enough.
https://github.com/NVIDIA/gpu-operator/blob/main/controllers/conditions/conditions.go
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pulumi

from muster import quantities
from muster.plan.aws.parts import GroupPlan
from muster.plan.parts import EFA, GPU, POOL_LABEL
from muster.report.reader import Reader, Unreachable, items

POLL_S = 0.5
LIMIT_S = 900.0
"""Seconds for drivers' companions to start on new nodes; pulling their images takes most of it."""
CLUSTER_POLICIES = "/apis/nvidia.com/v1/clusterpolicies"


class NotAsPlanned(pulumi.RunError):
    """Nodes stayed without their GPUs or fabric; Pulumi prints the text without a traceback."""


async def settle(
    groups: Sequence[GroupPlan], reader: Reader, tell: Callable[[str], None], limit_s: float = LIMIT_S
) -> None:
    """Poll until every GPU node has what its type has. Raises NotAsPlanned after `limit_s` seconds."""
    start, told = time.monotonic(), ""
    while True:
        elapsed = time.monotonic() - start
        try:
            lacking = await asyncio.to_thread(lacks, groups, reader)
        except Unreachable as error:
            lacking = [f"cluster unreachable: {error}"]
        if not lacking:
            return
        if elapsed > limit_s:
            raise NotAsPlanned("GPU nodes are not as planned, no job was started:\n  " + "\n  ".join(lacking))
        if lacking[0] != told:
            told = lacking[0]
            tell(f"{told} ({elapsed:.0f} s)")
        await asyncio.sleep(POLL_S)


def lacks(groups: Sequence[GroupPlan], reader: Reader) -> list[str]:
    """What is missing on the nodes of GPU pools, a line each; pools of size 0 lack nothing. Raises Unreachable."""
    wanted = [group for group in groups if group.nodes and group.type.gpus]
    found = [line for group in wanted for line in _nodes(group, reader)]
    return found + (_operator(reader) if wanted else [])


def _nodes(group: GroupPlan, reader: Reader) -> list[str]:
    listed = items(reader.get("/api/v1/nodes", labelSelector=f"{POOL_LABEL}={group.pool}"))
    ready = [node for node in listed if _condition(node, "Ready") == "True"]
    lines = [f"pool {group.pool}: {len(ready)} of {group.nodes} nodes are ready"] if len(ready) < group.nodes else []
    remedies = {
        GPU: "is the GPU Operator's device plugin on it?",
        EFA: "does the EFA plugin tolerate its taints, and has its launch template every interface?",
    }
    for name, count in ((GPU, group.type.gpus), (EFA, group.efa)):
        for node in ready:
            have = int(quantities.amount(node["status"].get("allocatable", {}).get(name, "0")))
            if have != count:
                where = f"pool {group.pool}: node {node['metadata']['name']}"
                lines.append(f"{where} has {have} of {count} {name}; {remedies[name]}")
    return lines


def _operator(reader: Reader) -> list[str]:
    policies = items(reader.get(CLUSTER_POLICIES))
    for policy in policies:
        reason = next((c.get("reason") for c in _conditions(policy) if c["type"] == "Ready"), None)
        if reason == "Reconciled":
            return []
        state = policy.get("status", {}).get("state", "not started")
        return [f"GPU Operator: {state}{f', {reason}' if reason else ''}"]
    return ["GPU Operator: no ClusterPolicy"]


def _condition(document: Mapping[str, Any], kind: str) -> str:
    return next((str(c["status"]) for c in _conditions(document) if c["type"] == kind), "Unknown")


def _conditions(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = document.get("status", {}).get("conditions") or ()
    return found
