"""Node groups on which jobs run are not updated by accident."""

from collections.abc import Callable, Mapping
from typing import Any

from muster.plan.aws.parts import GroupPlan
from muster.plan.parts import POOL_LABEL
from muster.report.reader import Reader, Unreachable, items

JOBSET = "jobset.sigs.k8s.io/jobset-name"
DISRUPTIVE = ("version", "releaseVersion", "launchTemplate")
"""Inputs of a node group whose change replaces its nodes one after another."""


def refuse(group: GroupPlan, old: Mapping[str, Any], new: Mapping[str, Any], connect: Callable[[], Reader]) -> None:
    """Raise RuntimeError for an update that takes nodes away from running jobs.

    EKS drains such a node for 15 minutes and then fails the update, or kills the job's pods.
    https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html
    """
    if group.interrupt or not _takes_nodes(old, new):
        return
    try:
        jobs = running(group.pool, connect())
    except Unreachable:
        # Without an API server no job is seen to run, and the update may be what brings it back.
        return
    if jobs:
        raise RuntimeError(
            f"pool {group.pool}: with this change nodes go on which jobs run ({', '.join(jobs)}); wait for them, or "
            f"set pools.{group.pool}.interruptJobs: true to have them interrupted"
        )


def running(pool: str, reader: Reader) -> list[str]:
    """Jobs with pods on nodes of the pool, as namespace/name. Raises Unreachable."""
    nodes = {
        node["metadata"]["name"] for node in items(reader.get("/api/v1/nodes", labelSelector=f"{POOL_LABEL}={pool}"))
    }
    pods = items(reader.get("/api/v1/pods", labelSelector=JOBSET, fieldSelector="status.phase=Running"))
    return sorted(
        {
            f"{pod['metadata']['namespace']}/{pod['metadata']['labels'][JOBSET]}"
            for pod in pods
            if pod["spec"].get("nodeName") in nodes
        }
    )


def _takes_nodes(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    shrinks = _size(new) < _size(old)
    return shrinks or any(old.get(key) != new.get(key) for key in DISRUPTIVE)


def _size(inputs: Mapping[str, Any]) -> int:
    return int((inputs.get("scalingConfig") or {}).get("desiredSize") or 0)
