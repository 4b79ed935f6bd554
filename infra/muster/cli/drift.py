"""`muster drift`: what is not as the stack declares it."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muster import engine, preview
from muster.cli.context import AsJson, Stack, out, planned, project, reader
from muster.plan import Plan
from muster.preview import Preview
from muster.problems import Problem, SettingsError

if TYPE_CHECKING:
    from muster.drift.finding import Finding


def show(
    stack: Stack = "local",
    refresh: Annotated[
        str, typer.Option(metavar="FILE", help="Output of: pulumi refresh --preview-only --json; - for stdin.")
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
    seen, unasked = (None, []) if cluster_only else _refreshed(stack, refresh)
    findings, blind = _in_cluster(made, seen)
    if seen is not None:
        from muster.drift import refresh as engine_side  # noqa: PLC0415 - only here

        findings += engine_side.without(findings, engine_side.findings(seen))
        rules, unread = _in_groups(made, seen)
        findings += rules
        blind += [*unread, *(f"the engine: {said}" for said in seen.errors)]
    found = report.make(stack, findings, [*unasked, *blind])
    if as_json:
        typer.echo(json.dumps(found.document()))
    else:
        from muster.drift import screen  # noqa: PLC0415 - only here

        if found.drifts:
            out.print(screen.table(found))
        for line in screen.lines(found):
            out.print(line, soft_wrap=True)
    raise typer.Exit(found.code)


def _refreshed(stack: str, file: str) -> tuple[Preview | None, list[str]]:
    """What the engine says of the world outside, or why it could not. Raises SettingsError for a wrong file."""
    from muster.drift import refresh  # noqa: PLC0415 - only here

    try:
        text = _read(file) if file else engine.ask(project(Path.cwd()), stack, refresh.WORDS)
    except engine.EngineFailed as error:
        return None, [f"the engine: {error}"]
    return preview.load(text, file or "pulumi refresh"), []


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text()
    except OSError as error:
        raise SettingsError([Problem(file, "", error.strerror or "no file", "the engine's refresh")]) from None


def _in_groups(made: Plan, seen: Preview) -> "tuple[list[Finding], list[str]]":
    """Rules that somebody added to the stack's security groups, and why they could not be looked at."""
    from muster.aws_tags import NotAsked  # noqa: PLC0415 - only here
    from muster.drift import rules  # noqa: PLC0415 - only here

    groups = rules.groups(seen)
    if made.aws is None or not groups:
        return [], []
    region = made.aws.eks.region
    try:
        return list(rules.findings(seen, rules.asked(region, groups), region)), []
    except NotAsked as error:
        return [], [f"AWS: {error}"]


def _in_cluster(made: Plan, seen: Preview | None) -> "tuple[list[Finding], list[str]]":
    """What differs in the cluster, and what could not be looked at there.

    A cluster on AWS that KUBECONFIG does not name is found as the engine knows it.
    """
    from muster.drift import cluster, refresh  # noqa: PLC0415 - only here
    from muster.kube import Kube  # noqa: PLC0415 - only where a cluster is asked
    from muster.report.reader import Unreachable  # noqa: PLC0415 - only here

    try:
        known = refresh.kubeconfig(seen, made) if seen and made.cluster.kubeconfig is None else None
        return cluster.findings(Kube.from_text(known) if known else reader(made), made)
    except Unreachable as error:
        return [], [f"the cluster: {error}"]
