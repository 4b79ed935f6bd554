"""Exemptions: what they cover, until when, and what is said of those that cover nothing."""

from datetime import date
from typing import Any

import pytest
from muster import policy, preview, stack
from muster.policy import Context, Exemption, Finding

from tests.program.recorder import ENVIRON, ROOT
from tests.unit import planned
from tests.unit.policy.cases import logs, repository

DAY = date(2026, 12, 31)
MOVABLE = repository("MUTABLE")


def exemption(**edits: Any) -> Exemption:
    words = {
        "name": "old",
        "rule": "registry-tags-immutable",
        "resource": "images",
        "reason": "they move",
        "until": DAY,
    }
    return Exemption(**{**words, **edits})


def judged(*exemptions: Exemption) -> list[Finding]:
    return list(policy.judge([MOVABLE], Context("dev", exemptions=exemptions)))


@pytest.mark.parametrize("resource", ["images", "ima*", "*", "imag[aes]s"])
def test_a_finding_that_is_covered_blocks_nothing(resource: str) -> None:
    (finding,) = judged(exemption(resource=resource))
    assert (finding.rule, finding.exempted_until, finding.blocks) == ("registry-tags-immutable", DAY, False)


def test_the_last_day_is_that_of_the_longest_exemption() -> None:
    (finding,) = judged(exemption(), exemption(name="older", until=date(2026, 12, 1)))
    assert finding.exempted_until == DAY


@pytest.mark.parametrize("edit", [{"resource": "image"}, {"rule": "imdsv2"}])
def test_one_that_covers_nothing_is_told(edit: dict[str, Any]) -> None:
    broken, unused = judged(exemption(**edit))
    assert broken.blocks
    rule = edit.get("rule", "registry-tags-immutable")
    assert (unused.rule, unused.severity, unused.blocks) == ("exemption-unused", "advisory", False)
    assert unused.reason == f"policies.exemptions.old covers nothing: no such resource breaks {rule}"


def test_one_past_its_day_covers_nothing_and_is_told() -> None:
    broken, expired = judged(exemption(expired=True))
    assert broken.blocks
    assert (expired.rule, expired.severity, expired.remedy) == (
        "exemption-expired",
        "advisory",
        "keep registry-tags-immutable, and take it away",
    )
    assert expired.reason == "policies.exemptions.old ended on 2026-12-31: they move"


@pytest.mark.parametrize(
    ("until", "expired"),
    [("2026-11-22", True), ("2026-11-23", False), ("2026-11-24", False)],
    ids=["past", "last", "next"],
)
def test_an_exemption_holds_to_the_end_of_its_last_day(until: str, expired: bool) -> None:
    told = {"rule": "imdsv2", "resource": "pool-*", "reason": "an old agent", "until": until}
    made = planned.of({"cluster": {"provider": "embedded"}, "policies": {"exemptions": {"agent": told}}})
    assert made.policies.exemptions == (
        Exemption("agent", "imdsv2", "pool-*", "an old agent", date.fromisoformat(until), expired=expired),
    )


def test_an_unquoted_day_is_read_as_the_engine_prints_it() -> None:
    told = {"rule": "imdsv2", "resource": "*", "reason": "old", "until": "2026-12-31 00:00:00 +0000 UTC"}
    made = planned.of({"cluster": {"provider": "embedded"}, "policies": {"exemptions": {"agent": told}}})
    assert made.policies.exemptions[0].until == DAY


def test_a_preview_is_judged_as_it_would_be() -> None:
    kind = "aws:ecr/repository:Repository"
    urns = {name: f"urn:pulumi:test::muster::{kind}::{name}" for name in ("kept", "gone", "mended")}
    movable, fixed = ({"inputs": {"imageTagMutability": word}} for word in ("MUTABLE", "IMMUTABLE"))
    seen = preview.parse(
        {
            "steps": [
                {"op": "same", "urn": urns["kept"], "oldState": movable, "newState": movable},
                {"op": "delete", "urn": urns["gone"], "oldState": movable},
                {"op": "update", "urn": urns["mended"], "oldState": movable, "newState": fixed},
            ]
        }
    )
    made = planned.of({"cluster": {"provider": "embedded"}})
    assert [(one.rule, one.resource) for one in policy.of_preview(seen, made)] == [("registry-tags-immutable", "kept")]


def test_what_a_stack_file_asks_for_reaches_the_rules() -> None:
    made = planned.of(
        {
            "cluster": {"provider": "embedded"},
            "policies": {"requiredTags": ["team"], "allowedRegistries": ["ghcr.io/a"]},
        }
    )
    assert policy.context(made) == Context("test", required_tags=("team",), allowed_registries=("ghcr.io/a",))


def test_rules_of_production_hold_where_the_cluster_is_protected() -> None:
    short = logs(30)
    assert [one.rule for one in policy.judge([short], policy.context(stack.from_file("prod", ROOT, ENVIRON)))] == [
        "log-retention",
        "cost-alarm",
    ]
    assert [one.rule for one in policy.judge([short], policy.context(stack.from_file("dev", ROOT, ENVIRON)))] == [
        "cost-alarm"
    ]
