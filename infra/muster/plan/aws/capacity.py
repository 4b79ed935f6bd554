"""Capacity modes: where a pool's machines come from, and what each mode rules out."""

from datetime import datetime, timedelta

from muster import moments
from muster.catalog import InstanceType
from muster.catalog.services import Services
from muster.plan.aws.parts import CapacityPlan, QuotaPlan
from muster.plan.notes import Notes
from muster.settings import CapacityBlock, OnDemand, Pool, Reserved, Spot

SCALE_DOWN_BEFORE_END = timedelta(minutes=40)
"""EKS empties a node group of a capacity block so long before the block ends.

https://docs.aws.amazon.com/eks/latest/userguide/capacity-blocks-mng.html
"""
BLOCK_ENDS = (11, 30)
"""Hour and minute, UTC: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/capacity-blocks-purchase.html"""
BLOCK_NODES = 64
"""Machines of one block, ibid."""


def make(key: str, pool: Pool, kind: InstanceType, notes: Notes, *, protect: bool, now: datetime) -> CapacityPlan:
    """The capacity of a pool; what its mode rules out is noted."""
    capacity = pool.capacity or OnDemand(mode="on-demand")
    if capacity.mode in ("spot", "capacity-block") and capacity.mode not in kind.usage:
        notes.problem(
            f"{key}.capacity.mode", capacity.mode, f"one of {', '.join(kind.usage)}: {kind.name} has no other"
        )
    match capacity:
        case OnDemand():
            return _on_demand(key, capacity, pool, kind, notes)
        case Reserved():
            return CapacityPlan("reservation", capacity.reservation)
        case CapacityBlock():
            return _block(key, capacity, pool, now, notes)
        case Spot():
            if protect:
                notes.problem(
                    f"{key}.capacity.mode", "spot", "on-demand, reservation or capacity-block: cluster.protect is on"
                )
            return CapacityPlan("spot")


def quota(kind: InstanceType, capacity: CapacityPlan, nodes: int, services: Services) -> QuotaPlan | None:
    """The quota that machines of a type count towards; None where none is known."""
    if capacity.mode == "spot":
        group = next((group for group in services.spot_quotas if kind.family.startswith(group)), None)
        if group is None and kind.gpus:
            return None
        return QuotaPlan(services.spot_quotas[group or "standard"], nodes * kind.vcpu, counted=True)
    group = kind.family[0] if kind.gpus and kind.family[0] in services.quotas else "standard"
    return QuotaPlan(services.quotas[group], nodes * kind.vcpu, counted=capacity.mode != "capacity-block")


def _on_demand(key: str, capacity: OnDemand, pool: Pool, kind: InstanceType, notes: Notes) -> CapacityPlan:
    if kind.gpus and kind.family.startswith("p") and not capacity.allow_unreserved:
        # https://github.com/aws/containers-roadmap/issues/2204
        expected = "a reservation or a capacity block, or allowUnreserved: true to try without"
        notes.phrase(f"{key}.capacity", f"{kind.name} on demand", f"{expected}: family P rarely starts")
    if capacity.placement_group and pool.zone is None:
        notes.phrase(f"{key}.zone", "no zone", "one: a cluster placement group is in a single zone")
    return CapacityPlan("on-demand", placement_group=capacity.placement_group)


def _block(key: str, capacity: CapacityBlock, pool: Pool, now: datetime, notes: Notes) -> CapacityPlan:
    ends = moments.parse(capacity.ends)
    starts = moments.parse(capacity.starts) if capacity.starts else None
    if (ends.hour, ends.minute, ends.second) != (*BLOCK_ENDS, 0):
        notes.problem(f"{key}.capacity.ends", capacity.ends, "11:30:00 UTC of its last day, when every block ends")
    if starts is not None and starts >= ends:
        notes.problem(f"{key}.capacity.starts", capacity.starts, f"a time before {capacity.ends}, the block's end")
    if starts is not None and now < starts and pool.nodes:
        notes.problem(f"{key}.nodes", pool.nodes, f"0 until the block starts at {capacity.starts}")
    if ends - SCALE_DOWN_BEFORE_END <= now and pool.nodes:
        notes.problem(f"{key}.nodes", pool.nodes, f"0: the block's nodes go 40 minutes before it ends, {capacity.ends}")
    if pool.nodes > BLOCK_NODES:
        notes.problem(f"{key}.nodes", pool.nodes, f"at most {BLOCK_NODES}, what one capacity block has")
    return CapacityPlan(
        "capacity-block", capacity.reservation, starts=starts, ends=ends, safe_until=ends - SCALE_DOWN_BEFORE_END
    )
