"""`muster checkpoints`: what a job has saved."""

import dataclasses
import json
import time
from typing import Annotated

import typer

from muster import stack as stacks
from muster.cli.context import AsJson, Stack, job_of, out, planned, reader
from muster.problems import Problem, SettingsError


def show(
    job: Annotated[str, typer.Argument(help="Job of the stack.")], stack: Stack = "local", as_json: AsJson = False
) -> None:
    """List a job's checkpoints: step, size, age, ranks. A pod that mounts them looks, and goes."""
    from muster.manifests import listing  # noqa: PLC0415 - only here
    from muster.report import checkpoints as report  # noqa: PLC0415 - only here
    from muster.report import text  # noqa: PLC0415 - only here

    made = planned(stack)
    wanted = job_of(made, job)
    if wanted.checkpoints is None:
        key, expected = f"jobs.{job}.checkpoints", "the storage that holds them"
        raise SettingsError([Problem(stacks.file_of(stack), key, "nothing", expected)])
    runtime = next(item for item in made.runtimes if item.name == wanted.runtime)
    found = report.read(reader(made), listing.build(wanted, wanted.checkpoints, runtime))
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(one) for one in found]))
    else:
        out.print(text.checkpoint_table(wanted.name, found, time.time()))
