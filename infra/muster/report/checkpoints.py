"""Checkpoints of a job, as a pod that mounts them sees them."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from muster.report.reader import Reader, Unreachable

POLL_S = 0.3
WAIT_S = 110.0


@dataclass(frozen=True)
class CheckpointView:
    """A folder of checkpoints.

    `time` is in seconds since 1970; `step` and `world_size` are None where there is no manifest, `world_size` is 0
    where any number of ranks can load it.
    """

    name: str
    step: int | None
    bytes: int
    time: float
    world_size: int | None
    problem: str = ""
    """Why it can't be loaded; empty when it can."""


class Cluster(Reader, Protocol):
    """A cluster in which pods can be made."""

    def create_pod(self, namespace: str, pod: Mapping[str, Any]) -> str:
        """Create a pod; its name. Raises Unreachable."""

    def delete_pod(self, namespace: str, name: str) -> None:
        """Delete a pod that may be gone. Raises Unreachable."""


def read(cluster: Cluster, pod: Mapping[str, Any], sleep: Callable[[float], None] = time.sleep) -> list[CheckpointView]:
    """Run the pod, read what it prints, and delete it; the latest checkpoint first. Raises Unreachable."""
    namespace = pod["metadata"]["namespace"]
    name = cluster.create_pod(namespace, pod)
    try:
        _wait(cluster, namespace, name, sleep)
        return parse(cluster.log(namespace, name, 1))
    finally:
        cluster.delete_pod(namespace, name)


def parse(log: list[str]) -> list[CheckpointView]:
    """What the pod printed, the latest first. Raises Unreachable when that is not a list."""
    try:
        found = [CheckpointView(**item) for item in json.loads(log[-1])]
    except (IndexError, ValueError, TypeError):
        raise Unreachable("the pod that lists checkpoints printed no list") from None
    return sorted(found, key=lambda item: (-1 if item.step is None else item.step, item.time), reverse=True)


def _wait(cluster: Cluster, namespace: str, name: str, sleep: Callable[[float], None]) -> None:
    start = time.monotonic()
    status: Mapping[str, Any] = {}
    while time.monotonic() - start < WAIT_S:
        status = (cluster.get(f"/api/v1/namespaces/{namespace}/pods/{name}") or {}).get("status", {})
        if status.get("phase") == "Succeeded":
            return
        if status.get("phase") == "Failed":
            raise Unreachable(f"pod {name}, which lists checkpoints, failed: {status.get('message') or 'see its log'}")
        sleep(POLL_S)
    conditions = [one.get("message", "") for one in status.get("conditions", ()) if one.get("status") == "False"]
    raise Unreachable(f"pod {name}, which lists checkpoints, did not run: {' '.join(filter(None, conditions))}")
