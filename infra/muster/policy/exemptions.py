"""Exemptions: findings that are known and borne until a day, and exemptions that have had theirs."""

import dataclasses
import fnmatch
from collections.abc import Iterator, Sequence

from muster.policy.parts import Exemption, Finding

EXPIRED, UNUSED = "exemption-expired", "exemption-unused"
"""Findings of the exemptions themselves; they are of no resource, so nothing exempts from them."""
SOURCE = "policies.exemptions"


def covered(finding: Finding, exemptions: Sequence[Exemption]) -> Finding:
    """The finding, with the last day of the exemptions that cover it."""
    days = [one.until for one in exemptions if not one.expired and _covers(one, finding)]
    return dataclasses.replace(finding, exempted_until=max(days)) if days else finding


def stale(findings: Sequence[Finding], exemptions: Sequence[Exemption]) -> Iterator[Finding]:
    """What is to be said of the exemptions themselves: those past their day, and those that cover nothing."""
    for exemption in exemptions:
        key = f"{SOURCE}.{exemption.name}"
        if exemption.expired:
            reason = f"{key} ended on {exemption.until}: {exemption.reason}"
            yield Finding(EXPIRED, "advisory", exemption.resource, reason, f"keep {exemption.rule}, and take it away")
        elif not any(_covers(exemption, finding) for finding in findings):
            reason = f"{key} covers nothing: no such resource breaks {exemption.rule}"
            yield Finding(UNUSED, "advisory", exemption.resource, reason, "take it away")


def _covers(exemption: Exemption, finding: Finding) -> bool:
    return exemption.rule == finding.rule and fnmatch.fnmatchcase(finding.resource, exemption.resource)
