"""`muster preflight`: what would fail, before anything is paid for."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from muster import stack as stacks
from muster.cli.context import AsJson, Stack, err, out, planned, project, reader
from muster.plan import Plan
from muster.preflight import lines
from muster.preflight.lines import Line


def show(
    stack: Stack = "local",
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option("--strict", help="Code 2 when something could not be checked.")] = False,
    iam_policy: Annotated[
        bool, typer.Option("--iam-policy", help="Print the IAM policy that it needs; asks nothing.")
    ] = False,
) -> None:
    """Ask AWS, the cluster and the checkout whether a stack can come up; costs nothing, changes nothing.

    Exit code 0: nothing would fail. 1: something would. 2: with --strict, something could not be checked.
    """
    from muster.preflight import permissions, text  # noqa: PLC0415 - only here

    made = planned(stack)
    if iam_policy:
        typer.echo(json.dumps(permissions.policy(made), indent=2))
        return
    found = _asked(made)
    if as_json:
        rows = [dataclasses.asdict(line) for line in found]
        typer.echo(json.dumps({"stack": made.stack, "counts": lines.counts(found), "lines": rows}))
    else:
        out.print(text.screen(made.stack, found))
    raise typer.Exit(lines.exit_code(found, strict=strict))


def _asked(made: Plan) -> tuple[Line, ...]:
    """Every line, with what is being asked shown on stderr while it takes."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - only here

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("preflight")
        return _lines(made, lambda about: progress.update(task, description=f"asking about {about}"))


def _lines(made: Plan, say: Callable[[str], None]) -> tuple[Line, ...]:
    from muster import releases  # noqa: PLC0415 - only here
    from muster.catalog import services  # noqa: PLC0415 - only here
    from muster.preflight import artifacts, aws, cluster  # noqa: PLC0415 - botocore takes a quarter of a second
    from muster.preflight.checks import account, capacity, images  # noqa: PLC0415 - only here
    from muster.preflight.checks import cluster as cluster_checks  # noqa: PLC0415 - only here

    now, known = stacks.now(os.environ), services.load()
    found: list[Line] = []
    answers = None
    if made.aws is not None:
        answers = aws.ask(made, made.aws, aws.session(), say)
        found += account.check(made.aws, made.stack, answers, now)
        found += capacity.check(made.aws, made.stack, answers, known, now)
        found += images.check_nodes(made.aws, answers)
    else:
        found += cluster_checks.check(made, cluster.ask(made, lambda: reader(made), say), known)
    found += images.check_pods(made, answers)
    found += artifacts.check(made, releases.load(), project(Path.cwd()) / "infra")
    return tuple(found)
