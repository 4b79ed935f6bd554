"""`muster report`: what an update would do, for a pull request."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from muster.cli.context import AsJson, PreviewFile, Stack, out, planned, previewed, reader
from muster.plan import Plan
from muster.report.verdict import LEVELS, Level

FAILED = 3
"""Exit code of a report whose verdict is at least the one of `--fail-on`."""
Format = Literal["markdown", "json", "html"]
Threshold = Literal["needs-care", "dangerous"]
THRESHOLDS: Mapping[Threshold, Level] = {"needs-care": "needs care", "dangerous": "dangerous"}


def show(  # noqa: PLR0917 - each is an option of the command
    stack: Stack = "local",
    preview: PreviewFile = None,
    form: Annotated[Format, typer.Option("--format", help="What the report is written as.")] = "markdown",
    file: Annotated[Path | None, typer.Option("--out", help="Where to write it instead of stdout.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Don't look for running jobs in the cluster.")] = False,
    fail_on: Annotated[
        Threshold | None, typer.Option("--fail-on", help="Exit 3 where the verdict is that bad, or worse.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Report on an update before it is made: verdict, blast radius, cost, risks, policies.

    Exit code 0: the report is made. 3: its verdict is as bad as --fail-on says, or worse. 1: none could be made.
    """
    from muster import catalog, policy  # noqa: PLC0415 - only here
    from muster.catalog import services  # noqa: PLC0415 - only here
    from muster.report import change_report, markdown, page  # noqa: PLC0415 - only here

    made = planned(stack)
    found = previewed(stack, preview)
    report = change_report.make(
        found,
        made,
        catalog.load(),
        services.load(),
        occupancy=_occupancy(made, offline=offline),
        policies=policy.of_preview(found, made),
    )
    form = "json" if as_json else form
    match form:
        case "json":
            text = json.dumps(report.document(), ensure_ascii=False) + "\n"
        case "html":
            text = page.render(report)
        case "markdown":
            text = markdown.render(report)
    if file is not None:
        file.write_text(text)
        out.print(f"{made.stack}: {report.verdict.line}", markup=False, soft_wrap=True)
    elif form == "markdown" and out.is_terminal:
        from rich.markdown import Markdown  # noqa: PLC0415 - only on a terminal

        out.print(Markdown(text))
    else:
        typer.echo(text, nl=False)
    if fail_on is not None and LEVELS.index(report.verdict.level) >= LEVELS.index(THRESHOLDS[fail_on]):
        raise typer.Exit(FAILED)


def _occupancy(made: Plan, *, offline: bool):  # type: ignore[no-untyped-def]
    """Who is on the nodes, or why nobody looked."""
    from muster.report import occupancy  # noqa: PLC0415 - only here
    from muster.report.reader import Unreachable  # noqa: PLC0415 - as in main

    if offline:
        return occupancy.Occupancy(unseen="--offline was given")
    try:
        return occupancy.read(reader(made))
    except Unreachable as error:
        return occupancy.Occupancy(unseen=str(error))
