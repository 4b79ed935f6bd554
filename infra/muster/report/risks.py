"""Whether the machines that an update wants can be had: capacity modes, ends of capacity blocks, quotas."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from muster import moments
from muster.catalog import Catalog
from muster.catalog.services import Services
from muster.plan.aws import capacity
from muster.plan.aws.parts import AwsPlan, CapacityPlan, GroupPlan
from muster.preview import Change, Preview
from muster.report.impact import LAUNCH_TEMPLATE, NODE_GROUP, Impact

Mode = Literal["on-demand", "reservation", "capacity-block", "spot"]
MODES: Mapping[str, Mode] = {"ON_DEMAND": "on-demand", "CAPACITY_BLOCK": "capacity-block", "SPOT": "spot"}
"""https://docs.aws.amazon.com/eks/latest/APIReference/API_Nodegroup.html#AmazonEKS-Type-Nodegroup-capacityType"""


@dataclass(frozen=True)
class PoolRisk:
    """Why machines that a pool wants may not come, or not stay."""

    pool: str
    mode: Mode
    text: str


@dataclass(frozen=True)
class Quota:
    """vCPU that a stack draws on a service quota before and after."""

    code: str
    before: int
    after: int


@dataclass(frozen=True)
class Risks:
    """Of pools that start machines, and of quotas that are drawn on differently."""

    pools: tuple[PoolRisk, ...] = ()
    quotas: tuple[Quota, ...] = ()


def judge(preview: Preview, aws: AwsPlan | None, impact: Impact, catalog: Catalog, services: Services) -> Risks:
    """Risks of an update; none off AWS."""
    if aws is None:
        return Risks()
    starting = {pool.pool for pool in impact.pools if pool.nodes_after and pool.what not in ("shrunk", "removed")}
    groups = [group for group in aws.groups if group.pool in starting]
    return Risks(tuple(map(_pool, groups)), tuple(_quotas(preview.changes, aws.groups, catalog, services)))


def _pool(group: GroupPlan) -> PoolRisk:
    found = group.capacity
    return PoolRisk(group.pool, found.mode, _text(group.type.name, found, rare=_is_rare(group)))


def _text(kind: str, found: CapacityPlan, *, rare: bool) -> str:
    match found.mode:
        case "on-demand":
            return f"{kind} on demand, no reservation" + (": it may not start" if rare else "")
        case "spot":
            return f"{kind} on spot: one node taken back restarts its gang"
        case "reservation":
            return f"{kind} from reservation {found.reservation}, which never overflows"
        case "capacity-block":
            ends = moments.text(found.ends) if found.ends else "unknown"
            safe = moments.text(found.safe_until) if found.safe_until else "unknown"
            return f"{kind} from capacity block {found.reservation}, which ends {ends}; last safe checkpoint {safe}"


def _is_rare(group: GroupPlan) -> bool:
    """Family P rarely starts on demand: https://github.com/aws/containers-roadmap/issues/2204."""
    return bool(group.type.gpus) and group.type.family.startswith("p")


def _quotas(
    changes: Sequence[Change], groups: Sequence[GroupPlan], catalog: Catalog, services: Services
) -> Iterable[Quota]:
    templates = {change.name: change.old for change in changes if change.kind == LAUNCH_TEMPLATE}
    before: Counter[str] = Counter()
    for change in changes:
        if change.kind == NODE_GROUP and change.old:
            before.update(_drawn(change.old, templates.get(change.name, {}), catalog, services))
    after: Counter[str] = Counter()
    for group in groups:
        if group.quota is not None:
            after[group.quota.code] += group.quota.vcpu
    for code in sorted({*before, *after}):
        if before[code] != after[code]:
            yield Quota(code, before[code], after[code])


def _drawn(
    group: Mapping[str, Any], template: Mapping[str, Any], catalog: Catalog, services: Services
) -> dict[str, int]:
    """What a node group draws, in vCPU by quota code, as its inputs say."""
    kind = catalog.types.get(str((group.get("instanceTypes") or [template.get("instanceType")])[0]))
    if kind is None:
        return {}
    nodes = int((group.get("scalingConfig") or {}).get("desiredSize") or 0)
    mode = MODES.get(str(group.get("capacityType")), "on-demand")
    quota = capacity.quota(kind, CapacityPlan(mode), nodes, services)
    return {quota.code: quota.vcpu} if quota else {}
