"""`muster doctor`: what is broken or left over, each with the command that mends it."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from muster.cli.context import AsJson, Stack, err, out, planned, reader

if TYPE_CHECKING:
    from muster.doctor import Finding
    from muster.plan import Plan

FINDINGS = 5
"""Exit code when something was found; 0 is a healthy stack, 1 one that could not be looked at."""


def show(
    stack: Stack = "local",
    after_destroy: Annotated[
        bool,
        typer.Option("--after-destroy", help="Look only for what a destroyed stack left, in the cluster and on AWS."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Name what is broken in a stack or left of it, with the command that mends each; changes nothing.

    Exit code 0: healthy. 5: something was found. 1: nobody could look.
    """
    from muster import doctor  # noqa: PLC0415 - only here
    from muster.doctor import evidence  # noqa: PLC0415 - only here

    made = planned(stack)
    if after_destroy:
        found, unseen = _leftovers(made)
    else:
        found, unseen = doctor.examine(evidence.read(reader(made), made), made, datetime.now(UTC)), []
    if as_json:
        answer = {"stack": stack, "findings": [one.document() for one in found], "notLookedAt": unseen}
        typer.echo(json.dumps(answer))
    else:
        for one in found:
            out.print(f"{one.kind}: {one.what}", style="bold red", markup=False, soft_wrap=True)
            out.print(f"  {one.found}", markup=False, soft_wrap=True)
            out.print(f"  mend: {one.mend}", markup=False, soft_wrap=True)
        for line in unseen:
            err.print(f"not looked at: {line}", style="yellow", markup=False, soft_wrap=True)
        if not found:
            out.print("nothing is left" if after_destroy else "healthy: nothing is broken")
    raise typer.Exit(FINDINGS if found else 0)


def _leftovers(made: "Plan") -> "tuple[list[Finding], list[str]]":
    """What a stack left, and what could not be looked at.

    A cluster of AWS goes with its stack, so that it can't be reached is no failure there. Raises Unreachable.
    """
    from muster import aws_tags  # noqa: PLC0415 - only here
    from muster.doctor import cloud, evidence, leftovers  # noqa: PLC0415 - only here
    from muster.report.reader import Unreachable  # noqa: PLC0415 - as in main

    found: list[Finding] = []
    unseen: list[str] = []
    trouble: Unreachable | None = None
    try:
        found += leftovers.findings(evidence.things(reader(made)), made)
    except Unreachable as error:
        unseen.append(f"the cluster: {error}")
        trouble = error
    if made.aws is None:
        if trouble is not None:
            raise trouble
        return found, unseen
    region = made.aws.eks.region
    try:
        found += cloud.findings(aws_tags.find(region, made.stack), region)
    except aws_tags.NotAsked as error:
        unseen.append(f"AWS {region}: {error}")
        if trouble is not None:
            raise Unreachable(f"{trouble}; {error}") from None
    return found, unseen
