"""Rules of money: a ceiling, an alarm, and the tags by which a bill is told apart."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from muster.policy.network import LAUNCH_TEMPLATE
from muster.policy.parts import UNKNOWN, Breach, Context, Resource, of_kind

PROVIDER = "pulumi:providers:aws"
BUDGET = "aws:budgets/budget:Budget"
BILLED = ("instance", "volume")
"""What machines are billed for; tags of the provider don't reach what a launch template makes.

https://www.pulumi.com/registry/packages/aws/installation-configuration/#default-tags
"""


def ceiling(_: Sequence[Resource], context: Context) -> Iterator[Breach]:
    """A stack with a price and without a ceiling, or above it."""
    if context.hourly is None:
        return
    if context.ceiling is None:
        yield None, f"${context.hourly:.2f} an hour and no ceiling"
    elif context.hourly > context.ceiling:
        yield None, f"${context.hourly:.2f} an hour, the ceiling is ${context.ceiling:.2f}"


def alarm(resources: Sequence[Resource], context: Context) -> Iterator[Breach]:
    """A stack with a price whose bill nobody is told of."""
    if context.hourly is not None and not any(budget.at("notifications") for budget in of_kind(resources, BUDGET)):
        yield None, "no alarm on the monthly bill"


def tags(resources: Sequence[Resource], context: Context) -> Iterator[Breach]:
    """Providers and launch templates that don't put the required tags on what they make."""
    for resource in of_kind(resources, PROVIDER):
        given = _map(_map(resource.at("defaultTags")).get("tags"))
        yield from _missing(resource, given, "", context)
    for resource in of_kind(resources, LAUNCH_TEMPLATE):
        made = {one.get("resourceType"): one.get("tags") for one in resource.maps("tagSpecifications")}
        for what in BILLED:
            yield from _missing(resource, _map(made.get(what)), f" for {what}s", context)


def _missing(resource: Resource, given: Mapping[str, Any], where: str, context: Context) -> Iterator[Breach]:
    missing = [tag for tag in context.required_tags if not given.get(tag)]
    if missing:
        yield resource, f"no tag {', '.join(missing)}{where}"


def _map(value: object) -> Mapping[str, Any]:
    """A map, also where the engine has it as JSON; providers' inputs are."""
    found = json.loads(value) if isinstance(value, str) and value != UNKNOWN else value
    return found if isinstance(found, Mapping) else {}
