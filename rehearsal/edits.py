"""Changes that environments live through, as edits of a stack file: what each does is shown by a preview."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from muster.plan import Plan
from muster.plan.aws.parts import GroupPlan

from rehearsal.ground import SPARE
from rehearsal.place import Place


@dataclass(frozen=True)
class Edit:
    """One change: its name, and what it sets by dotted path."""

    name: str
    make: Callable[[Plan], dict[str, Any]]

    def apply(self, place: Place) -> None:
        """Write it to the stack file of a rehearsal."""
        for path, value in self.make(place.plan()).items():
            place.edit(path, value)


def gpu_pool(plan: Plan) -> GroupPlan:
    """The GPU pool whose changes are tried: the last of the stack file."""
    groups = plan.aws.groups if plan.aws else ()
    return [group for group in groups if group.type.gpus][-1]


def pool_like(group: GroupPlan, nodes: int) -> dict[str, Any]:
    """A pool like another, on demand."""
    return {
        "instanceType": group.type.name,
        "nodes": nodes,
        "zone": group.zones[0],
        "capacity": {"mode": "on-demand", "allowUnreserved": True},
        "ami": {"release": group.release},
    }


def job(plan: Plan) -> dict[str, Any]:
    """A job of one node on that pool."""
    runtime = next(item for item in plan.runtimes if item.pool.name == gpu_pool(plan).pool)
    return {"workload": "zero3-train", "runtime": runtime.name, "nodes": 1}


def _other_size(plan: Plan) -> str:
    """Another type that the zone has, with EFA as well."""
    group = gpu_pool(plan)
    return "g6e.48xlarge" if group.type.name != "g6e.48xlarge" else "g6e.24xlarge"


EDITS = (
    Edit("grow a pool", lambda plan: {f"pools.{gpu_pool(plan).pool}.nodes": gpu_pool(plan).nodes + 1}),
    Edit("scale a pool to zero", lambda plan: {f"pools.{gpu_pool(plan).pool}.nodes": 0}),
    Edit("add a pool", lambda plan: {"pools.more": pool_like(gpu_pool(plan), 1)}),
    Edit(
        "add a runtime",
        lambda plan: {"runtimes.more": {"template": "deepspeed", "pool": gpu_pool(plan).pool}},
    ),
    Edit("add a job", lambda plan: {"jobs.more": job(plan)}),
    Edit("add a queue", lambda _: {"queues.more": {"weight": 1}}),
    Edit("new node image", lambda plan: {f"pools.{gpu_pool(plan).pool}.ami.release": _next_release(plan)}),
    Edit(
        "capacity mode",
        lambda plan: (
            {f"pools.{gpu_pool(plan).pool}.capacity": {"mode": "on-demand", "allowUnreserved": True}}
            if gpu_pool(plan).capacity.mode != "on-demand"
            else {f"pools.{gpu_pool(plan).pool}.capacity": {"mode": "reservation", "reservation": SPARE}}
        ),
    ),
    Edit(
        "instance type",
        lambda plan: {
            f"pools.{gpu_pool(plan).pool}.instanceType": _other_size(plan),
            # A reservation is of the old type: AWS's answer would refuse the preview.
            f"pools.{gpu_pool(plan).pool}.capacity": {"mode": "on-demand", "allowUnreserved": True},
        },
    ),
    Edit(
        "taint",
        lambda plan: {f"pools.{gpu_pool(plan).pool}.taints": [{"key": "team", "value": "a", "effect": "NoSchedule"}]},
    ),
    Edit("root volume", lambda plan: {f"pools.{gpu_pool(plan).pool}.diskGiB": 500}),
    Edit("who may reach the API server", lambda _: {"cluster.access.publicCidrs": ["203.0.113.0/24"]}),
    Edit("retention of logs", lambda _: {"cluster.logRetentionDays": 90}),
    Edit("budget alarm", lambda _: {"budget.monthlyUsd": 999_999}),
    Edit("bigger file system", lambda _: {"storage.checkpoints.sizeGiB": 9600}),
)
"""Every kind of change, in the order in which they are tried; each from the same state."""


def _next_release(plan: Plan) -> str:
    version = gpu_pool(plan).version
    return f"{version}.5-20261120"
