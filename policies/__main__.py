"""Muster's rules as a Pulumi policy pack: one policy a rule of the table that `muster check` judges by.

https://www.pulumi.com/docs/iac/packages-and-automation/crossguard/
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "infra"))

from muster import policy, stack  # noqa: E402 - found by the path above
from muster.policy import Context, Finding, Resource  # noqa: E402
from muster.policy.parts import UNKNOWN, Rule  # noqa: E402
from muster.problems import SettingsError  # noqa: E402

LEVELS = {"mandatory": EnforcementLevel.MANDATORY, "advisory": EnforcementLevel.ADVISORY}


def context(environ: Mapping[str, str]) -> Context:
    """What the stack file says; nothing where the engine asks for no stack, as it does to publish the pack."""
    name = environ.get("PULUMI_STACK")
    return policy.context(stack.from_file(name, ROOT, environ)) if name else Context("")


def pack(found: Context) -> list[Policy]:
    """Every rule as a policy of Pulumi's."""
    return [_policy(rule, found) for rule in policy.RULES.values()]


def _policy(rule: Rule, found: Context) -> Policy:
    told = f"{rule.reason}. Remedy: {rule.remedy}"
    common: dict[str, Any] = {"name": rule.name, "description": told, "enforcement_level": LEVELS[rule.severity]}
    common |= {"remediation_steps": rule.remedy, "url": rule.source}
    if rule.each is None:
        return StackValidationPolicy(validate=_of_stack(rule, found), **common)
    return ResourceValidationPolicy(validate=_of_resource(rule, found), **common)


def _of_resource(rule: Rule, found: Context) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        for finding in policy.findings(rule, [_resource(args)], found):
            _report(rule, finding, report_violation, None)

    return validate


def _of_stack(rule: Rule, found: Context) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report_violation: ReportViolation) -> None:
        resources = [_resource(one) for one in args.resources]
        urns = {(one.noun, one.name): one.urn for one in resources}
        for finding in policy.findings(rule, resources, found):
            _report(rule, finding, report_violation, urns.get((finding.kind, finding.resource)))

    return validate


def _report(rule: Rule, finding: Finding, report_violation: ReportViolation, urn: str | None) -> None:
    """Say what was found; the engine puts the policy's description, which is why it matters, before it."""
    if finding.exempted_until is None:
        where = f"{finding.kind} {finding.resource}".strip()
        report_violation(f"{where}: {finding.reason.removesuffix(f': {rule.reason}')}", urn)


def _resource(args: Any) -> Resource:
    return Resource(args.urn, args.resource_type, args.name, _plain(args.props), bool(args.opts.protect))


def _plain(value: Any) -> Any:
    """A value without the proxies that raise where a part of it is not known yet."""
    if isinstance(value, Mapping):
        return {key: _known(lambda key=key: value[key]) for key in value}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes) and hasattr(value, "__len__"):
        return [_known(lambda number=number: value[number]) for number in range(len(value))]
    return value


def _known(get: Callable[[], Any]) -> Any:
    try:
        return _plain(get())
    except UnknownValueError:
        return UNKNOWN


def main() -> None:
    """Serve the pack to the engine that started it."""
    try:
        policies = pack(context(os.environ))
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    PolicyPack("muster", policies)


if __name__ == "__main__":
    main()
