"""`muster status`: one screen for a stack."""

import json
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from muster.cli.context import AsJson, Stack, out, planned, reader

Losses = Annotated[
    Literal["some", "all", "none"],
    typer.Option(help="Whose logs are read for step and loss: a bounded number, every job's, none."),
]


def show(
    stack: Stack = "local",
    losses: Losses = "some",
    every: Annotated[bool, typer.Option("--all", help="Show every completed job, not only the last ones.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show releases, pools, queues and jobs as the cluster has them now."""
    from muster.report import stack as report  # noqa: PLC0415 - only here

    made = planned(stack)
    view = report.read(reader(made), made, logs={"some": report.LOGS, "all": None, "none": 0}[losses])
    if as_json:
        typer.echo(json.dumps(view.document()))
        return
    from muster.report import text  # noqa: PLC0415 - tables and curves only where they are drawn

    out.print(text.stack_screen(view, datetime.now(UTC), every=every))
