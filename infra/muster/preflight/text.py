"""Preflight on a terminal: one table, one line below it."""

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from muster.preflight import lines as counted
from muster.preflight.lines import Line

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "unknown": "cyan"}


def screen(stack: str, lines: Sequence[Line]) -> RenderableType:
    """Every line, equal ones that are not ok together, then how many there are of each state."""
    table = Table(title=f"preflight of {stack}", title_justify="left", title_style="bold", box=None)
    for column in ("state", "what", "found", "remedy"):
        table.add_column(column, overflow="fold")
    for line in _joined(lines):
        table.add_row(Text(line.state, style=COLOURS[line.state]), Text(line.name), Text(line.text), Text(line.remedy))
    return Group(table, Text(), Text(summary(lines)))


def _joined(lines: Sequence[Line]) -> Sequence[Line]:
    """Lines that are not ok and differ in their names alone as one, with the names below each other."""
    names: dict[Line, list[str]] = {}
    for line in lines:
        names.setdefault(line if line.state == "ok" else replace(line, name=""), []).append(line.name)
    return [replace(line, name="\n".join(found)) for line, found in names.items()]


def summary(lines: Sequence[Line]) -> str:
    """How many lines there are of each state, in words."""
    found = counted.counts(lines)
    warnings = f"{found['warn']} warning{'' if found['warn'] == 1 else 's'}"
    return f"{found['ok']} ok, {warnings}, {found['fail']} failed, {found['unknown']} not checked"
