"""`muster drift`: what is not as the stack declares it."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muster import engine
from muster.cli.context import AsJson, Stack, out, planned, project, reader
from muster.plan import Plan

if TYPE_CHECKING:
    from muster.drift.finding import Finding


def show(
    stack: Stack = "local",
    refresh: Annotated[
        str, typer.Option(metavar="FILE", help="Output of: pulumi refresh --preview-only --json; - is stdin.")
    ] = "",
    cluster_only: Annotated[
        bool, typer.Option("--cluster-only", help="Ask the cluster alone, not the engine.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find what was changed outside the stack: by the engine's refresh, and in the cluster where Helm hides it.

    Exit code 0: no drift, or harmless drift alone. 4: something must be fixed. 1: not everything could be looked at.
    """
    from muster.drift import report  # noqa: PLC0415 - only here

    made = planned(stack)
    findings, blind = _in_cluster(made)
    if not cluster_only:
        more, unseen = _by_engine(made, refresh, findings)
        findings, blind = [*findings, *more], [*blind, *unseen]
    found = report.make(stack, findings, blind)
    if as_json:
        typer.echo(json.dumps(found.document()))
    else:
        from muster.drift import screen  # noqa: PLC0415 - only here

        out.print(screen.draw(found))
    raise typer.Exit(found.code)


def _in_cluster(made: Plan) -> "tuple[list[Finding], list[str]]":
    """What differs in the cluster, and why it could not be looked at."""
    from muster.drift import cluster, helm  # noqa: PLC0415 - only here
    from muster.report.reader import Unreachable  # noqa: PLC0415 - only here

    try:
        return cluster.findings(reader(made), made), []
    except (Unreachable, helm.Unreadable) as error:
        return [], [f"the cluster: {error}"]


def _by_engine(made: Plan, file: str, known: "list[Finding]") -> "tuple[list[Finding], list[str]]":
    """What the engine finds beyond `known`, and what it could not read. Raises SettingsError for a wrong file."""
    from muster import preview  # noqa: PLC0415 - only here
    from muster.drift import refresh  # noqa: PLC0415 - only here

    try:
        text = _read(file) if file else engine.ask(project(Path.cwd()), made.stack, refresh.WORDS)
    except (engine.EngineFailed, OSError) as error:
        return [], [f"what the engine knows: {error}"]
    found = preview.load(text, file or "pulumi refresh")
    return refresh.without(known, refresh.findings(found)), [f"what the engine knows: {said}" for said in found.errors]


def _read(file: str) -> str:
    return sys.stdin.read() if file == "-" else Path(file).read_text()
