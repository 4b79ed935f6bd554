"""Drift on a terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from muster.drift.report import Drift, Report

COLOURS = {"must-fix": "red", "harmless": "green"}


def draw(report: Report) -> RenderableType:
    """A table of the differences, then the commands that mend them, then what was not seen."""
    parts: list[RenderableType] = [_table(report), Text()] if report.drifts else []
    parts += [_mends(report.drifts), Text()] if report.drifts else []
    parts += [Text(f"not looked at: {text}", style="yellow") for text in report.blind]
    parts.append(Text(_verdict(report), style="bold"))
    return Group(*parts)


def _verdict(report: Report) -> str:
    if not report.drifts:
        return f"stack {report.stack}: no drift" + (" in what could be looked at" if report.blind else "")
    count = sum(drift.severity == "must-fix" for drift in report.drifts)
    return f"stack {report.stack}: {count} to fix, {len(report.drifts) - count} harmless"


def _table(report: Report) -> Table:
    table = Table(box=None)
    for column in ("what", "field", "wanted", "found", "severity"):
        table.add_column(column, overflow="fold")
    for one in report.drifts:
        severity = Text(one.severity, style=COLOURS[one.severity])
        table.add_row(*map(Text, (one.what, one.field, one.wanted, one.found)), severity)
    return table


def _mends(drifts: tuple[Drift, ...]) -> Text:
    """Each thing's reasons and remedies, every one of them once."""
    said = dict.fromkeys((one.what, one.reason, one.mend) for one in drifts)
    text = Text()
    for what, reason, mend in said:
        text.append(f"{what}: ", style="bold").append(f"{reason}\n").append(f"  {mend}\n")
    return text
