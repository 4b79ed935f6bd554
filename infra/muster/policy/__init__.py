"""Policies: rules that every stack keeps, judged on its resources as they are registered, before anything is made.

`muster check`, `muster report` and the Pulumi policy pack in policies/ judge by the same table.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from muster.policy import exemptions
from muster.policy.rules import RULES, Context, Exemption, Finding, Resource, Rule
from muster.preview import Change, Preview

if TYPE_CHECKING:  # settings name the rules, and a plan is made of settings
    from muster.plan import Plan

__all__ = ["RULES", "Context", "Exemption", "Finding", "Resource", "context", "findings", "judge", "of_preview"]


def judge(resources: Sequence[Resource], found: Context) -> tuple[Finding, ...]:
    """Every finding, rule by rule, then what is to be said of the exemptions themselves."""
    broken = [one for rule in RULES.values() for one in findings(rule, resources, found)]
    return (*broken, *exemptions.stale(broken, found.exemptions))


def findings(rule: Rule, resources: Sequence[Resource], found: Context) -> tuple[Finding, ...]:
    """Findings of one rule; those that are exempted say until when."""
    broken = [rule.finding(breach, found.stack) for breach in rule.breaches(resources, found)]
    return tuple(exemptions.covered(one, found.exemptions) for one in broken)


def of_preview(preview: Preview, plan: "Plan") -> tuple[Finding, ...]:
    """Findings about a stack as it would be after the update of a preview.

    Of a preview that leaves resources out, only what one resource shows by itself can be told.
    """
    resources = [_resource(change) for change in preview.changes if change.operation != "delete"]
    found = context(plan)
    if preview.left_out:
        alone = [rule for rule in RULES.values() if rule.each is not None]
        return tuple(one for rule in alone for one in findings(rule, resources, found))
    return judge(resources, found)


def context(plan: "Plan") -> Context:
    """What a plan knows and its resources don't say."""
    policies, aws = plan.policies, plan.aws
    return Context(
        stack=plan.stack,
        production=aws is not None and aws.eks.protect,
        hourly=aws.cost.hourly if aws else None,
        ceiling=aws.cost.ceiling if aws else None,
        required_tags=policies.required_tags,
        allowed_registries=policies.allowed_registries,
        exemptions=policies.exemptions,
    )


def _resource(change: Change) -> Resource:
    return Resource(change.urn, change.kind, change.name, change.new, change.protects)
