"""The page on policies is the table of rules."""

from muster.policy import RULES
from muster.policy.exemptions import EXPIRED, UNUSED

from tests.program.recorder import ROOT

PAGE = (ROOT / "docs" / "policies.md").read_text()


def test_the_table_of_rules_is_the_one_that_judges() -> None:
    shown = [line for line in PAGE.splitlines() if line.startswith("| [`")]
    assert shown == [
        f"| [`{rule.name}`]({rule.source}) | {rule.severity} | {rule.reason} | {rule.remedy} |"
        for rule in RULES.values()
    ]


def test_what_is_said_of_exemptions_is_explained() -> None:
    assert f"`{EXPIRED}`" in PAGE
    assert f"`{UNUSED}`" in PAGE
