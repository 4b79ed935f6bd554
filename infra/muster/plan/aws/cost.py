"""What an environment costs, from on-demand prices: a bound for decisions, not a bill."""

from muster.catalog.services import HOURS_PER_MONTH
from muster.plan.aws.parts import CostPlan, EksPlan, FileSystemPlan, GroupPlan, NetworkPlan
from muster.plan.inputs import Inputs
from muster.plan.notes import Notes
from muster.settings import Budget


def make(
    eks: EksPlan,
    network: NetworkPlan,
    groups: tuple[GroupPlan, ...],
    file_systems: tuple[FileSystemPlan, ...],
    inputs: Inputs,
) -> CostPlan:
    """Cost line by line. Types without an on-demand price are left out, and a warning of their pool says so."""
    services, now = inputs.services, inputs.now
    prices = services.prices
    support = services.support.get(eks.version)
    extended = support is not None and now.date() > support.standard_until
    lines = [(f"pool {group.pool}", group.hourly) for group in groups if group.hourly is not None]
    lines.append(("control plane", prices.control_plane["extended" if extended else "standard"]))
    if network.nat_zones:
        lines.append(("NAT gateways", len(network.nat_zones) * prices.nat_gateway))
    if network.endpoints:
        lines.append(("endpoints", len(network.endpoints) * len(network.subnets) * prices.endpoint))
    disks = sum(group.nodes * group.disk_gib for group in groups)
    lines.append(("root volumes", disks * prices.gp3 / HOURS_PER_MONTH))
    lines += [(f"storage {item.name}", item.monthly / HOURS_PER_MONTH) for item in file_systems]
    return CostPlan(tuple(lines), inputs.catalog.prices.date, inputs.settings.budget.max_hourly_usd)


def check(cost: CostPlan, groups: tuple[GroupPlan, ...], region: str, budget: Budget, notes: Notes) -> None:
    """Note a plan over its ceiling, and what its sum leaves out."""
    for group in groups:
        if group.hourly is None:
            notes.warning(f"pools.{group.pool}", f"{group.type.name} has no on-demand price: it is not in the sum")
        elif group.price_region != region:
            notes.warning(
                f"pools.{group.pool}", f"no price of {group.type.name} in {region}: that of {group.price_region}"
            )
    ceiling = budget.max_hourly_usd
    if ceiling is not None and cost.hourly > ceiling:
        dearest = max(cost.lines, key=lambda line: line[1])
        expected = f"at most ${ceiling:.2f}, budget.maxHourlyUsd; the most is {dearest[0]} at ${dearest[1]:.2f}"
        notes.phrase("budget", f"${cost.hourly:.2f} an hour in all", expected)
    if budget.monthly_usd is not None and not budget.alarm_emails:
        notes.problem("budget.alarmEmails", [], "at least one address: an alarm needs a reader")
    if budget.alarm_emails and budget.monthly_usd is None:
        notes.problem("budget.monthlyUsd", None, "a sum in USD: at which the alarm is sent")
