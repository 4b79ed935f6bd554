"""Policies of a stack: what they ask for, and which exemptions hold on the day of the plan."""

from dataclasses import dataclass
from datetime import date, datetime

from muster.policy.parts import Exemption
from muster.settings import Policies


@dataclass(frozen=True)
class PoliciesPlan:
    """What the rules need to know of the stack file."""

    required_tags: tuple[str, ...] = ()
    allowed_registries: tuple[str, ...] = ()
    exemptions: tuple[Exemption, ...] = ()


def make(policies: Policies, now: datetime) -> PoliciesPlan:
    """Policies as they hold on the day of `now`; an exemption holds to the end of its last day."""
    days = {name: date.fromisoformat(one.until) for name, one in policies.exemptions.items()}
    return PoliciesPlan(
        policies.required_tags,
        policies.allowed_registries,
        tuple(
            Exemption(name, one.rule, one.resource, one.reason, days[name], expired=days[name] < now.date())
            for name, one in policies.exemptions.items()
        ),
    )
