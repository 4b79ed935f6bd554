"""Machines: zones that have the type, quotas, reservations, addresses."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from muster import moments
from muster.catalog.services import Services
from muster.plan.aws import demand
from muster.plan.aws.demand import QuotaDemand
from muster.plan.aws.parts import AwsPlan, GroupPlan, SubnetPlan
from muster.preflight.answers import AwsAnswers, Instance, Reservation, Unasked
from muster.preflight.lines import Finding, Line, unknown, worst

SOON = timedelta(days=1)
"""A reservation that ends sooner is warned of."""
COMING = frozenset({"scheduled", "pending", "payment-pending", "assessing", "delayed"})
"""States of a reservation that is not there yet.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CapacityReservation.html
"""
FAMILIES = {
    "p": {"p"},
    "g": {"g", "gr", "vt"},
    "standard": {"a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"},
}
"""Letters of instance families by the quota that they count towards: P; G and VT; A, C, D, H, I, M, R, T, Z.

https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
"""


def check(aws: AwsPlan, stack: str, answers: AwsAnswers, services: Services, now: datetime) -> tuple[Line, ...]:
    """One line a pool and zone, a quota, a pool's reservation and a subnet that is there already."""
    reserved = [group for group in aws.groups if group.capacity.reservation is not None]
    return (
        *(_offering(group, answers) for group in aws.groups),
        *(_quota(needed, stack, answers, services) for needed in demand.quotas(aws.groups)),
        *(
            _reservation(group, [one for one in reserved if _same(one, group)], stack, answers, now)
            for group in reserved
        ),
        *(_subnet(subnet, subnet.id, aws, stack, answers) for subnet in aws.network.subnets if subnet.id is not None),
    )


def _offering(group: GroupPlan, answers: AwsAnswers) -> Line:
    name = f"{group.type.name} for pool {group.pool}"
    if isinstance(answers.sold, Unasked):
        return unknown(name, answers.sold)
    found: list[Finding] = [
        ("fail", problem.found, f"{problem.key}: {problem.expected}")
        for problem in demand.unsold([group], answers.sold, "")
    ]
    return worst(name, found, f"sold in {', '.join(group.zones)}")


def code_of(instance: Instance, services: Services) -> str | None:
    """The quota that a running machine counts towards; None where no pool draws on that, or it may not count.

    Whether machines of a capacity block count is not documented.
    """
    family = instance.type.partition(".")[0]
    letters = re.sub(r"[0-9].*", "", family)
    kind = next((kind for kind, known in FAMILIES.items() if letters in known), None)
    if kind is None or instance.market == "capacity-block":
        return None
    if instance.market == "on-demand":
        return services.quotas[kind]
    if kind == "p":
        kind = next((name for name in services.spot_quotas if family.startswith(name)), "p4")
    return services.spot_quotas[kind]


def _quota(needed: QuotaDemand, stack: str, answers: AwsAnswers, services: Services) -> Line:
    """What is asked against what is left: the quota less what runs there that is not this stack's."""
    name, quota = f"quota {needed.code}", answers.quotas[needed.code]
    if isinstance(quota, Unasked):
        return unknown(name, quota)
    asked = f"{needed.vcpu} vCPU for {', '.join(needed.pools)}"
    has = f"{quota.value:g} of {quota.name}"
    raise_it = f"aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {needed.code}"
    if isinstance(answers.instances, Unasked):
        if needed.certain > quota.value:
            return Line(name, "fail", f"{asked}, against {has}", f"{raise_it} --desired-value {needed.vcpu}")
        text = f"{asked}, against {has}; what already runs was not counted: {answers.instances.reason}"
        return Line(name, "unknown", text, answers.instances.remedy)
    others = sum(one.vcpu for one in answers.instances if one.stack != stack and code_of(one, services) == needed.code)
    text = f"{asked}, against {has}" + (f", {others} of them in use by others" if others else "")
    remedy = f"{raise_it} --desired-value {needed.vcpu + others}"
    if needed.certain + others > quota.value:
        return Line(name, "fail", text, remedy)
    if needed.vcpu + others > quota.value:
        return Line(name, "warn", f"{text}; whether a capacity block counts is not documented", remedy)
    return Line(name, "ok", text)


def _same(one: GroupPlan, other: GroupPlan) -> bool:
    return one.capacity.reservation == other.capacity.reservation


def _reservation(
    group: GroupPlan, sharing: Sequence[GroupPlan], stack: str, answers: AwsAnswers, now: datetime
) -> Line:
    """One pool's reservation; `sharing` are all pools on it."""
    name, key = str(group.capacity.reservation), f"pools.{group.pool}"
    title, found = f"reservation {name} of pool {group.pool}", answers.reservations[name]
    if isinstance(found, Unasked):
        return unknown(title, found)
    if found is None:
        return Line(title, "fail", "not there, in this account and region", f"{key}.capacity.reservation: one that is")
    findings: list[Finding] = [
        ("fail", f"{problem.key} is {problem.found}", f"{problem.key}: {problem.expected}")
        for problem in demand.misfits(group, group.zones[0], demand.Reserved(found.type, found.zone, found.total), "")
    ]
    kind = "capacity-block" if found.block else "reservation"
    if group.capacity.mode != kind:
        findings.append(("fail", f"{key}.capacity.mode is {group.capacity.mode}", f"{key}.capacity.mode: {kind}"))
    findings += _state(group, found)
    findings += _end(group, found, now)
    if not findings:
        findings += _room(sharing, found, stack, answers)
    ends = f", until {moments.text(found.ends)}" if found.ends else ""
    return worst(
        title, findings, f"{found.state}, {found.total} x {found.type} in {found.zone}, {found.free} free{ends}"
    )


def _state(group: GroupPlan, found: Reservation) -> list[Finding]:
    if found.state == "active":
        return []
    if found.state not in COMING:
        return [("fail", f"it is {found.state}", f"pools.{group.pool}.capacity.reservation: one that is active")]
    starts = f", it starts {moments.text(found.starts)}" if found.starts else ""
    if group.nodes:
        return [("fail", f"it is {found.state}{starts}", f"pools.{group.pool}.nodes: 0 until then")]
    return [("warn", f"it is {found.state}{starts}", "nodes once it is active")]


def _end(group: GroupPlan, found: Reservation, now: datetime) -> list[Finding]:
    if found.ends is None:
        return []
    ends, planned = moments.text(found.ends), group.capacity.ends
    if planned is not None and moments.text(planned) != ends:
        said = f"pools.{group.pool}.capacity.ends is {moments.text(planned)}, AWS says {ends}"
        return [("fail", said, f"pools.{group.pool}.capacity.ends: {found.ends:%Y-%m-%dT%H:%M:%SZ}")]
    if found.ends <= now:
        return [("fail", f"it ended {ends}", "another reservation")]
    if found.ends - now < SOON:
        return [("warn", f"it ends {ends}", "a checkpoint before, or a longer reservation")]
    return []


def _room(groups: Sequence[GroupPlan], found: Reservation, stack: str, answers: AwsAnswers) -> list[Finding]:
    """Whether enough of it is free for all its pools, beside what this stack's own nodes use."""
    wanted, name = sum(group.nodes for group in groups), groups[0].capacity.reservation
    if isinstance(answers.instances, Unasked):
        if found.free >= wanted:
            return []
        text = f"{found.free} of {found.total} are free, {wanted} are wanted; whose the others are was not seen"
        return [("warn", text, answers.instances.remedy)]
    own = sum(1 for one in answers.instances if one.stack == stack and one.reservation == name)
    if found.free + own >= wanted:
        return []
    text = f"{found.free} of {found.total} are free, this stack has {own}, {wanted} are wanted"
    keys = " and ".join(f"pools.{group.pool}.nodes" for group in groups)
    return [("fail", text, f"{keys}: {found.free + own}, or end what else uses it")]


def _subnet(subnet: SubnetPlan, name: str, aws: AwsPlan, stack: str, answers: AwsAnswers) -> Line:
    title, key = f"subnet {name}", f"cluster.network.subnets.{subnet.zone}"
    if isinstance(answers.subnets, Unasked):
        return unknown(title, answers.subnets)
    found = answers.subnets.get(name)
    if found is None:
        return Line(title, "fail", "not there, in this account and region", f"{key}.id: one that is")
    findings: list[Finding] = []
    if found.vpc != aws.network.vpc:
        findings.append(("fail", f"it is in {found.vpc}", f"a subnet of {aws.network.vpc}"))
    if found.zone != subnet.zone:
        findings.append(("fail", f"it is in {found.zone}", f"a subnet in {subnet.zone}"))
    if found.cidr != subnet.cidr:
        findings.append(("fail", f"it is {found.cidr}", f"{key}.cidr: {found.cidr}"))
    seen = () if isinstance(answers.instances, Unasked) else answers.instances
    own = [one.pool for one in seen if one.stack == stack and one.subnet == name]
    needed = sum(_addresses(group, own) for group in aws.groups if subnet.zone in group.zones)
    text = f"{found.free} addresses are free, {needed} are needed"
    if needed > found.free and isinstance(answers.instances, Unasked):
        findings.append(("warn", f"{text}, unless its nodes run already: that was not seen", answers.instances.remedy))
    elif needed > found.free:
        findings.append(("fail", text, "fewer nodes, or a subnet with more room"))
    return worst(title, findings, text)


def _addresses(group: GroupPlan, running: Sequence[str]) -> int:
    """Addresses that a pool's nodes in one zone still want; `running` are the pools of the nodes that are there."""
    if not group.nodes:
        return 0
    nodes = -(-group.nodes // len(group.zones))
    return max(0, nodes - running.count(group.pool)) * (group.addresses // group.nodes)
