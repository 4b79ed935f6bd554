"""Every rule finds what breaks it, names the resource, and leaves alone what keeps it."""

import pytest
from muster import policy
from muster.policy import RULES

from tests.unit.policy.cases import CASES, TOKEN, Broken, Kept

BREAKS = [(name, case) for name, (broken, _) in CASES.items() for case in broken]
KEEPS = [(name, case) for name, (_, kept) in CASES.items() for case in kept]


@pytest.mark.parametrize(("name", "case"), BREAKS, ids=[f"{name}-{case.found[:30]}" for name, case in BREAKS])
def test_it_is_broken(name: str, case: Broken) -> None:
    rule = RULES[name]
    (finding,) = policy.findings(rule, case.resources, case.context)
    assert (finding.rule, finding.severity, finding.remedy) == (name, rule.severity, rule.remedy)
    assert finding.reason == f"{case.found}: {rule.reason}"
    assert finding.resource == case.resource
    assert finding.exempted_until is None
    assert finding.blocks == (rule.severity == "mandatory")


@pytest.mark.parametrize(("name", "case"), KEEPS, ids=[name for name, _ in KEEPS])
def test_it_is_kept(name: str, case: Kept) -> None:
    assert policy.findings(RULES[name], case.resources, case.context) == ()


def test_every_rule_is_broken_and_kept_by_a_case() -> None:
    assert {name for name, _ in BREAKS} == set(RULES)
    assert {name for name, _ in KEEPS} == set(RULES)


def test_every_rule_has_one_way_to_judge_and_says_why() -> None:
    for name, rule in RULES.items():
        assert rule.name == name
        assert (rule.each is None) != (rule.together is None), name
        assert rule.reason, name
        assert rule.remedy, name
        assert rule.source.startswith("https://"), name


def test_findings_never_repeat_a_secret() -> None:
    said = [
        str(finding)
        for case in CASES["no-secrets-in-the-clear"][0]
        for finding in policy.judge(case.resources, case.context)
    ]
    assert said
    assert not any(TOKEN in text or "AKIAIOSFODNN7EXAMPLE" in text or "0123" in text for text in said)
