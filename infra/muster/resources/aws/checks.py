"""What only AWS can say before anything is made: whether a zone has a type, quotas suffice, a reservation fits.

Each is asked once in every preview. Where credentials may not ask, a warning says what was not checked; only a
reservation must be readable by whoever uses it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import pulumi
import pulumi_aws as aws

from muster.plan.aws import demand
from muster.plan.aws.parts import GroupPlan
from muster.problems import Problem, SettingsError
from muster.resources.aws.account import Account

T = TypeVar("T")


def check(groups: Sequence[GroupPlan], account: Account, file: str) -> None:
    """Ask. Raises SettingsError for what AWS is sure about; `file` is the stack file that it names."""
    found = [*_offerings(groups, account, file), *_quotas(groups, account, file)]
    if found:
        raise SettingsError(found)
    reserved = [group for group in groups if group.capacity.reservation is not None]
    ask = pulumi.InvokeOptions(provider=account.provider)
    zones = sorted({group.zones[0] for group in reserved})
    names = {zone: aws.get_availability_zone(zone_id=zone, opts=ask).name for zone in zones}
    for group in reserved:
        _reservation(group, names[group.zones[0]], account, file)


def _offerings(groups: Sequence[GroupPlan], account: Account, file: str) -> list[Problem]:
    """Types that their zone does not have, by DescribeInstanceTypeOfferings."""
    zones = sorted({zone for group in groups for zone in group.zones})
    types = sorted({group.type.name for group in groups})
    answer = _ask(
        "zones of the instance types were",
        lambda: aws.ec2.get_instance_type_offerings(
            filters=[{"name": "instance-type", "values": types}, {"name": "location", "values": zones}],
            location_type="availability-zone-id",
            opts=pulumi.InvokeOptions(provider=account.provider),
        ),
    )
    if answer is None:
        return []
    return demand.unsold(groups, set(zip(answer.locations, answer.instance_types, strict=True)), file)


def _quotas(groups: Sequence[GroupPlan], account: Account, file: str) -> list[Problem]:
    """Quotas that are too small, by GetServiceQuota: each counts vCPU of all its pools together."""
    problems = []
    for needed in demand.quotas(groups):
        pools = ", ".join(needed.pools)
        what = f"quota {needed.code} ({needed.vcpu} vCPU for {pools}) was"
        answer = _ask(what, partial(_quota, needed.code, account))
        if answer is None or needed.vcpu <= answer.value:
            continue
        found = f"{needed.vcpu} vCPU of {pools} against quota {needed.code}"
        expected = f"at most {answer.value:g}, or a raised quota (service ec2, {answer.quota_name})"
        if needed.certain > answer.value:
            problems.append(Problem(file, "pools", found, expected))
        else:
            pulumi.log.warn(f"{file}: pools: {found}; expected {expected}, unless capacity blocks don't count")
    return problems


def _quota(code: str, account: Account) -> aws.servicequotas.GetServiceQuotaResult:
    return aws.servicequotas.get_service_quota(
        service_code="ec2", quota_code=code, opts=pulumi.InvokeOptions(provider=account.provider)
    )


def _reservation(group: GroupPlan, zone: str, account: Account, file: str) -> None:
    """Compare a pool, in the zone of that name, with its reservation once that is read; a mismatch fails the run."""
    reservation = aws.ec2.CapacityReservation.get(
        f"reservation-{group.pool}", str(group.capacity.reservation), opts=account.options()
    )

    def compare(found: Sequence[object]) -> None:
        reserved = demand.Reserved(str(found[0]), str(found[1]), int(str(found[2])))
        problems = demand.misfits(group, zone, reserved, file)
        if problems:
            raise pulumi.RunError(str(SettingsError(problems)))

    pulumi.Output.all(reservation.instance_type, reservation.availability_zone, reservation.instance_count).apply(
        compare
    )


def _ask(what: str, question: Callable[[], T]) -> T | None:
    """AWS's answer; None after a warning. `what` is its subject and verb, as in "quotas were"."""
    try:
        return question()
    except Exception as error:  # the SDK raises its own kinds for denied, throttled and unreachable
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        pulumi.log.warn(f"{what} not checked: {reason}")
        return None
