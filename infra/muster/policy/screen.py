"""Findings on a terminal."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from muster.policy.parts import Finding
from muster.policy.rules import RULES

STYLES = {"mandatory": "red", "advisory": "yellow", "exempted": "dim"}


def draw(findings: Sequence[Finding]) -> RenderableType:
    """One row a finding, what blocks first, then one line that counts."""
    table = Table(show_lines=True)
    for title in ("severity", "rule", "resource", "found", "remedy"):
        table.add_column(title, overflow="fold")
    for finding in sorted(findings, key=lambda one: (not one.blocks, one.exempted_until is not None)):
        state = finding.severity if finding.exempted_until is None else "exempted"
        until = f" until {finding.exempted_until}" if finding.exempted_until else ""
        resource = f"{finding.kind} {finding.resource}".strip()
        cells = (Text(f"{state}{until}"), Text(finding.rule), Text(resource), Text(finding.reason))
        table.add_row(*cells, Text(finding.remedy), style=STYLES[state])
    return Group(table, _sum(findings)) if findings else _sum(findings)


def _sum(findings: Sequence[Finding]) -> Text:
    blocking = sum(finding.blocks for finding in findings)
    exempted = sum(finding.exempted_until is not None for finding in findings)
    advisory = len(findings) - blocking - exempted
    text = f"{len(RULES)} rules: {blocking} mandatory, {advisory} advisory, {exempted} exempted findings"
    return Text(text, style="red" if blocking else "green")
