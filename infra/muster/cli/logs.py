"""`muster logs`: what a job printed."""

from typing import Annotated

import typer

from muster.cli.context import Stack, job_of, planned, reader


def show(
    job: Annotated[str, typer.Argument(help="Job of the stack.")],
    stack: Stack = "local",
    lines: Annotated[int, typer.Option(help="Last lines of the pod.")] = 100,
) -> None:
    """Print the log of a job's rank 0, or of the pod that ended first when the job failed."""
    from muster.report import job as report  # noqa: PLC0415 - only here

    made = planned(stack)
    wanted = job_of(made, job)
    for line in report.read_log(reader(made), wanted.namespace, wanted.name, lines):
        typer.echo(line)
