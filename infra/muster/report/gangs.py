"""Gangs and queues as Volcano keeps them.

https://github.com/volcano-sh/apis/blob/v1.14.0/pkg/apis/scheduling/v1beta1/types.go
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from muster import quantities
from muster.plan.parts import GPU

PODGROUPS = "/apis/scheduling.volcano.sh/v1beta1/podgroups"
QUEUES = "/apis/scheduling.volcano.sh/v1beta1/queues"
ORIGIN = re.compile(r"Origin reason is [^:]+: (.+)", re.DOTALL)
"""Behind what Volcano says of the gang, why one of its pods fits nowhere.

https://github.com/volcano-sh/volcano/blob/v1.14.1/pkg/scheduler/api/job_info.go
"""
WAITING = ("", "Pending", "Inqueue")
"""Phases of a PodGroup whose pods are not placed. A new one has none."""


@dataclass(frozen=True)
class Gang:
    """One PodGroup: the pods that are placed together, and what they ask for together."""

    namespace: str
    name: str
    queue: str
    phase: str
    members: int
    gpus: int
    why: str = ""
    """Why it is not placed, in the scheduler's words."""

    @property
    def gpus_per_pod(self) -> int:
        """GPUs of one of its pods: they are equal."""
        return self.gpus // max(1, self.members)


@dataclass(frozen=True)
class QueueView:
    """A queue: `state` as Volcano reports it, `absent` when there is none; how many gangs run and wait in it.

    `gpus` are those that its running gangs hold together.
    """

    name: str
    state: str
    running: int = 0
    pending: int = 0
    gpus: int = 0

    def document(self) -> dict[str, int]:
        """Plain data for `--json`."""
        return {"running": self.running, "pending": self.pending, "gpus": self.gpus}


def gang(podgroup: Mapping[str, Any]) -> Gang:
    """A gang from its PodGroup."""
    meta, spec, status = podgroup["metadata"], podgroup.get("spec", {}), podgroup.get("status", {})
    least = spec.get("minResources") or {}
    why = [
        str(c.get("message", ""))
        for c in status.get("conditions") or ()
        if c["type"] == "Unschedulable" and c["status"] == "True"
    ]
    return Gang(
        namespace=meta["namespace"],
        name=meta["name"],
        queue=spec.get("queue", ""),
        phase=status.get("phase", ""),
        members=int(spec.get("minMember") or 1),
        gpus=int(quantities.amount(str(least.get(GPU, least.get(f"requests.{GPU}", "0"))))),
        why=_cause(why[-1]) if why else "",
    )


def _cause(message: str) -> str:
    origin = ORIGIN.search(message)
    return origin.group(1) if origin else message


def queue(name: str, queues: Sequence[Mapping[str, Any]], gangs: Sequence[Gang]) -> QueueView:
    """A queue by name, from all queues and gangs of the cluster."""
    found = next((item for item in queues if item["metadata"]["name"] == name), None)
    mine = [item for item in gangs if item.queue == name]
    running = [item for item in mine if item.phase == "Running"]
    return QueueView(
        name=name,
        state=str(found.get("status", {}).get("state", "Unknown")) if found else "absent",
        running=len(running),
        pending=sum(1 for item in mine if item.phase in WAITING),
        gpus=sum(item.gpus for item in running),
    )
