"""What a stack file may say of policies: what they ask for, and which of them are broken for a while."""

from typing import Annotated

from pydantic import Field
from pydantic_core import PydanticCustomError

from muster.policy.rules import RULES
from muster.problems import hint
from muster.settings.model import Model
from muster.texts import MISTAKE, Choice, Date, Label, Line, Registry


def _known(rule: str) -> str:
    if rule not in RULES:
        expected = f"a rule of muster check{hint(rule, RULES) or ' (docs/policies.md lists them)'}"
        raise PydanticCustomError(MISTAKE, "{expected}", {"expected": expected})
    return rule


class Exemption(Model):
    """A rule that some resources need not keep for a while."""

    rule: Annotated[str, Choice(_known, tuple(RULES))]
    """Rule that is not kept."""
    resource: Line
    """Logical name of the resource within the stack, or a pattern such as pool-*."""
    reason: Line
    """Why it is borne, for those who read the report."""
    until: Date
    """Last day, UTC; from the next one the rule holds again."""


class Policies(Model):
    """What the rules of `muster check` ask for, and exemptions from them."""

    exemptions: dict[Label, Exemption] = {}
    """Exemptions by name."""
    required_tags: Annotated[tuple[Line, ...], Field(strict=False)] = ()
    """Tags that everything on AWS must carry."""
    allowed_registries: Annotated[tuple[Registry, ...], Field(strict=False)] = ()
    """Registries, or paths in them, from which images may come; without any, all."""
