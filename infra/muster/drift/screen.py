"""Drift on a terminal."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from muster.drift.report import Report

COLOURS = {"must-fix": "red", "harmless": "green"}


def table(report: Report) -> Table:
    """The differences, one a row."""
    made = Table(box=None)
    for column in ("what", "field", "wanted", "found", "severity"):
        made.add_column(column, overflow="fold")
    for one in report.drifts:
        severity = Text(one.severity, style=COLOURS[one.severity])
        made.add_row(*map(Text, (one.what, one.field, one.wanted, one.found)), severity)
    return made


def lines(report: Report) -> Iterator[Text]:
    """Reasons and remedies, each once, what was not seen, and the verdict; commands on lines of their own."""
    for what, reason, mend in dict.fromkeys((one.what, one.reason, one.mend) for one in report.drifts):
        yield Text.assemble((f"{what}: ", "bold"), reason)
        yield Text(f"  {mend}")
    for text in report.blind:
        yield Text(f"not looked at: {text}", style="yellow")
    yield Text(_verdict(report), style="bold")


def _verdict(report: Report) -> str:
    if not report.drifts:
        return f"stack {report.stack}: no drift" + (" in what could be looked at" if report.blind else "")
    count = sum(drift.severity == "must-fix" for drift in report.drifts)
    return f"stack {report.stack}: {count} to fix, {len(report.drifts) - count} harmless"
