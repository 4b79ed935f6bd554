"""What node groups ask of an account, compared with what it has: the same for previews and for preflight."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from muster.plan.aws.parts import GroupPlan
from muster.problems import Problem


@dataclass(frozen=True)
class QuotaDemand:
    """vCPU that pools together draw on one quota of EC2; `certain` are those of them that surely count."""

    code: str
    vcpu: int
    certain: int
    pools: tuple[str, ...]


@dataclass(frozen=True)
class Reserved:
    """Machines of a reservation: their type, how many there are, and where, by id or by name of the zone."""

    type: str
    zone: str
    count: int


def quotas(groups: Sequence[GroupPlan]) -> tuple[QuotaDemand, ...]:
    """Demand on each quota, in the order of their codes; pools without nodes draw on none."""
    drawn: dict[str, list[GroupPlan]] = defaultdict(list)
    for group in groups:
        if group.quota is not None and group.nodes:
            drawn[group.quota.code].append(group)
    return tuple(
        QuotaDemand(
            code,
            vcpu=sum(group.quota.vcpu for group in found if group.quota is not None),
            certain=sum(group.quota.vcpu for group in found if group.quota is not None and group.quota.counted),
            pools=tuple(group.pool for group in found),
        )
        for code, found in sorted(drawn.items())
    )


def unsold(groups: Sequence[GroupPlan], sold: Collection[tuple[str, str]], file: str) -> list[Problem]:
    """Pools in zones without their type; `sold` are pairs of zone id and type that AWS has."""
    return [
        Problem(
            file, f"pools.{group.pool}.zone", f"{zone}, where AWS has no {group.type.name}", _elsewhere(group, sold)
        )
        for group in groups
        for zone in group.zones
        if (zone, group.type.name) not in sold
    ]


def _elsewhere(group: GroupPlan, sold: Collection[tuple[str, str]]) -> str:
    zones = sorted(zone for zone, kind in sold if kind == group.type.name)
    return f"one of {', '.join(zones)}" if zones else "another zone or instance type"


def misfits(group: GroupPlan, place: str, reserved: Reserved, file: str) -> list[Problem]:
    """How a pool differs from its reservation; `place` is the pool's zone as the reservation names zones."""
    key = f"pools.{group.pool}"
    problems = []
    if reserved.type != group.type.name:
        expected = f"{reserved.type}, the reservation's"
        problems.append(Problem(file, f"{key}.instanceType", group.type.name, expected))
    if reserved.zone != place:
        found = place if place == group.zones[0] else f"{group.zones[0]} ({place})"
        problems.append(Problem(file, f"{key}.zone", found, f"{reserved.zone}, the reservation's"))
    if reserved.count < group.nodes:
        expected = f"at most {reserved.count}, what is reserved"
        problems.append(Problem(file, f"{key}.nodes", str(group.nodes), expected))
    return problems
