"""A report as the comment of a pull request: short on top, folded below, never longer than a comment may be."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from muster.catalog.services import HOURS_PER_MONTH
from muster.report import veil
from muster.report.change_report import ChangedResource, ChangeReport
from muster.report.field_change import FieldChange
from muster.report.verdict import pool_sentence, state_text

LIMIT = 60_000
"""Characters of a comment; GitHub takes 65,536: https://github.com/orgs/community/discussions/27190."""
LINE = 300
"""Characters of a line."""
REASONS = 12
"""The most reasons of a verdict."""
ROWS = (100, 40, 15, 5, 1)
"""The most entries of a list, from the first try to the last."""
DONE = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}


def render(report: ChangeReport) -> str:
    """The comment. Lists are cut as far as it takes to keep it below LIMIT."""
    return next((text for rows in ROWS if len(text := _render(report, rows)) < LIMIT), _render(report, 0))


def marker(stack: str) -> str:
    """A line that no reader sees, by which a later comment on the same stack finds this one."""
    return f"<!-- muster report {stack} -->"


def _render(report: ChangeReport, rows: int) -> str:
    sections: tuple[Callable[[ChangeReport, int], Iterable[str]], ...] = (
        _head,
        _errors,
        _pools,
        _jobs,
        _touched,
        _money,
        _risks,
        _policies,
        _warnings,
        _changes,
    )
    return "\n".join(line for section in sections for line in section(report, rows)).rstrip() + "\n"


def _head(report: ChangeReport, rows: int) -> Iterable[str]:
    counts = ", ".join(f"{count} {DONE[operation]}" for operation, count in report.counts().items())
    yield marker(report.stack)
    yield f"## {_plain(report.stack)}: {_plain(report.verdict.line)}"
    yield ""
    yield f"{counts}." if counts else "No resource changes."
    yield ""
    if len(report.verdict.reasons) > 1:
        reasons = [f"**{reason.level}**: {_plain(reason.text)}" for reason in report.verdict.reasons]
        yield from _bullets(reasons, min(rows, REASONS))
        yield ""


def _errors(report: ChangeReport, rows: int) -> Iterable[str]:
    if report.errors:
        yield "### The preview failed"
        yield from _bullets([_plain(said) for said in report.errors], rows)
        yield ""


def _pools(report: ChangeReport, rows: int) -> Iterable[str]:
    if not report.impact.pools:
        return
    yield "### Pools"
    yield "| pool | what happens | nodes | GPUs | because of |"
    yield "|---|---|---|---|---|"
    yield from _cut(
        [
            f"| {_code(pool.pool)} | {_plain(_without_pool(pool_sentence(pool), pool.pool))} "
            f"| {_step(_nodes(pool.nodes_before, pool.type_before), _nodes(pool.nodes_after, pool.type_after))} "
            f"| {_step(str(pool.gpus_before), str(pool.gpus_after))} | {_plain(', '.join(pool.why)) or '-'} |"
            for pool in report.impact.pools
        ],
        rows,
        "| and {} more | | | | |",
    )
    yield ""


def _without_pool(sentence: str, pool: str) -> str:
    return sentence.removeprefix(f"pool {pool}").removeprefix(":").strip()


def _nodes(count: int, kind: str) -> str:
    return f"{count} x {kind}" if count else "0"


def _step(before: str, after: str) -> str:
    return _plain(before if before == after else f"{before} → {after}")


def _jobs(report: ChangeReport, rows: int) -> Iterable[str]:
    if not report.impact.jobs and not report.unseen:
        return
    yield "### Jobs"
    if report.unseen:
        yield f"Jobs not looked at: {_plain(report.unseen)}."
    yield from _bullets(
        [
            f"{_code(job.name)} ({state_text(job.state)}{f', pool {_plain(job.pool)}' if job.pool else ''}): {job.what}"
            for job in report.impact.jobs
        ],
        rows,
    )
    yield ""


def _touched(report: ChangeReport, rows: int) -> Iterable[str]:
    if not report.impact.touched:
        return
    yield "### What jobs stand on"
    yield from _bullets(
        [
            f"{one.area}: {_code(one.name)} {DONE.get(one.operation, 'changed')}"
            + (f" ({_plain(one.detail)})" if one.detail else "")
            for one in report.impact.touched
        ],
        rows,
    )
    yield ""


def _money(report: ChangeReport, rows: int) -> Iterable[str]:
    bill = report.money
    if bill is None:
        return
    yield "### Cost"
    told = f"${bill.after:,.2f}/h, as before"
    if round(bill.change, 2):
        change = f"{_signed(bill.change)}/h, {_signed(bill.monthly, 0)}/month"
        told = f"${bill.before:,.2f}/h → ${bill.after:,.2f}/h: {change}"
    yield f"{told}, at on-demand prices of {bill.date}."
    if bill.ceiling is not None and bill.left is not None:
        yield f"The ceiling is ${bill.ceiling:,.2f}/h; ${bill.left:,.2f}/h of it are left."
    if bill.alarm is not None:
        month = bill.after * HOURS_PER_MONTH
        yield f"A month of it is ${month:,.0f}; the alarm is sent at ${bill.alarm:,.0f}."
    lines = bill.changed()
    if lines:
        yield ""
        yield "| line | before | after | difference |"
        yield "|---|---|---|---|"
        yield from _cut(
            [
                f"| {_plain(line.name)} | ${line.before:,.2f}/h | ${line.after:,.2f}/h "
                f"| {_signed(line.after - line.before)}/h |"
                for line in lines
            ],
            rows,
            "| and {} more | | | |",
        )
    yield ""


def _signed(usd: float, digits: int = 2) -> str:
    return f"{'-' if usd < 0 else '+'}${abs(usd):,.{digits}f}"


def _risks(report: ChangeReport, rows: int) -> Iterable[str]:
    found = [f"pool {_code(risk.pool)}: {_plain(risk.text)}" for risk in report.risks.pools]
    found += [f"quota {quota.code}: {quota.before} → {quota.after} vCPU" for quota in report.risks.quotas]
    if found:
        yield "### Capacity"
        yield from _bullets(found, rows)
        yield ""


def _policies(report: ChangeReport, rows: int) -> Iterable[str]:
    if not report.policies:
        return
    blocking = sum(one.blocks for one in report.policies)
    found = [
        f"**{one.severity}** {_code(one.rule)} on {_code(one.resource)}: {_plain(veil.text(one.reason))}; "
        + _plain(one.remedy)
        + (f" (exempted until {one.exempted_until})" if one.exempted_until else "")
        for one in report.policies
    ]
    yield from _folded(f"Policies: {len(found)} findings, {blocking} of them block", _bullets(found, rows))


def _warnings(report: ChangeReport, rows: int) -> Iterable[str]:
    if report.warnings:
        found = [_plain(said) for said in report.warnings]
        yield from _folded(f"Warnings: {len(found)}", _bullets(found, rows))


def _changes(report: ChangeReport, rows: int) -> Iterable[str]:
    for operation, changes in groupby(report.changes, lambda change: change.operation):
        listed = list(changes)
        lines = [line for _, group in groupby(listed, lambda change: change.kind) for line in _kind(list(group), rows)]
        yield from _folded(
            f"{DONE[operation].capitalize()}: {len(listed)}", _cut(lines, 4 * rows, "- and {} lines more")
        )


def _kind(changes: Sequence[ChangedResource], rows: int) -> Iterable[str]:
    """A kind with its resources and what differs in them."""
    yield f"- {_plain(changes[0].kind)} ({len(changes)})"
    for change in changes[:rows]:
        yield f"  - {_code(change.name)}"
        yield from (f"    - {_field(one)}" for one in change.fields[: max(1, rows // 5)])
        if len(change.fields) > max(1, rows // 5):
            yield f"    - and {len(change.fields) - max(1, rows // 5)} more"
    if len(changes) > rows:
        yield f"  - and {len(changes) - rows} more"


def _field(one: FieldChange) -> str:
    if one.hidden:
        return f"{_code(one.path)}: changed"
    return f"{_code(one.path)}: {_code(one.before)} → {_code(one.after)}"


def _folded(title: str, lines: Iterable[str]) -> Iterable[str]:
    """Lines that are hidden below a title until somebody opens it."""
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"
    yield ""


def _bullets(texts: Sequence[str], rows: int) -> Iterable[str]:
    return _cut([f"- {text}" for text in texts], rows, "- and {} more")


def _cut(lines: Sequence[str], rows: int, more: str) -> Iterable[str]:
    yield from lines[:rows]
    if len(lines) > rows:
        yield more.format(len(lines) - rows)


def _plain(text: str) -> str:
    """Text that no renderer takes for markup, on one line and not too long."""
    line = " ".join(text.split())
    line = line if len(line) <= LINE else line[: LINE - 1] + "…"
    for mark in "\\`*_[]|":
        line = line.replace(mark, f"\\{mark}")
    # A name after an at sign would be notified: https://docs.github.com/en/get-started/writing-on-github
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u200b")


def _code(text: str) -> str:
    """Text as it is, on one line and not too long."""
    line = " ".join(text.split()).replace("`", "'").replace("|", "\\|")
    return f"`{line if len(line) <= LINE else line[: LINE - 1] + '…'}`"
