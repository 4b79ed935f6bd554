"""Rules of money: a ceiling, an alarm, and the tags by which a bill is told apart."""

import json
from collections.abc import Iterator, Sequence

from muster.policy.network import LAUNCH_TEMPLATE
from muster.policy.parts import UNKNOWN, Breach, Context, Resource, hidden, mapping, maps, of_kind, unclear

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
        given = _read(resource.at("defaultTags"))
        yield from _missing(resource, given if hidden(given) else mapping(given).get("tags"), "", context)
    for resource in of_kind(resources, LAUNCH_TEMPLATE):
        specifications = resource.at("tagSpecifications")
        made = {str(one.get("resourceType")): one.get("tags") for one in maps(specifications)}
        for what in BILLED:
            given = UNKNOWN if unclear(specifications) or any(map(hidden, made)) else made.get(what)
            yield from _missing(resource, given, f" for {what}s", context)


def _missing(resource: Resource, given: object, where: str, context: Context) -> Iterator[Breach]:
    missing = [tag for tag in context.required_tags if not mapping(given).get(tag)]
    if missing and not hidden(given):
        yield resource, f"no tag {', '.join(missing)}{where}"


def _read(value: object) -> object:
    """A value that the engine may have as JSON text, as it has providers' inputs."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
