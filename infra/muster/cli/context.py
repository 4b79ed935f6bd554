"""What every command shares: its options, its two consoles, and how it finds the stack it is asked about."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from muster import engine, preview
from muster import stack as stacks
from muster.plan import JobPlan, Plan
from muster.preview import Preview
from muster.problems import Problem, SettingsError

out, err = Console(highlight=False), Console(stderr=True, highlight=False)

Stack = Annotated[str, typer.Option("--stack", "-s", help="Name of stacks/Pulumi.NAME.yaml.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]

PreviewFile = Annotated[
    str | None, typer.Option("--preview", help="Output of pulumi preview --json --show-sames, - for stdin.")
]


def planned(name: str) -> Plan:
    """Plan of a stack file. Raises SettingsError with every mistake."""
    return stacks.from_file(name, project(Path.cwd()), os.environ)


def job_of(made: Plan, name: str) -> JobPlan:
    """A job of the plan by name. Raises SettingsError."""
    wanted = next((item for item in made.jobs if item.name == name), None)
    if wanted is None:
        known = ", ".join(item.name for item in made.jobs) or "none"
        raise SettingsError([Problem(stacks.file_of(made.stack), "jobs", f'no "{name}"', f"one of {known}")])
    return wanted


def previewed(stack: str, file: str | None) -> Preview:
    """What an update of the stack would change, by the engine's word in `file`, or asked for now where that is None.

    Raises SettingsError where the file is no preview, and muster.engine.EngineFailed.
    """
    if file is None:
        return preview.load(engine.ask(project(Path.cwd()), stack, engine.PREVIEW), "pulumi preview")
    if file == "-":
        return preview.load(sys.stdin.read(), "stdin")
    try:
        return preview.load(Path(file).read_text(), file)
    except OSError as error:
        raise SettingsError([Problem(file, "", error.strerror or "no file", "a preview")]) from None


def project(start: Path) -> Path:
    """The checkout around `start`, found by its Pulumi.yaml as Pulumi does; else the one of this installation."""
    around = (folder for folder in (start, *start.parents) if (folder / "Pulumi.yaml").is_file())
    return next(around, Path(__file__).resolve().parents[3])


def reader(made: Plan):  # type: ignore[no-untyped-def]
    """The stack's cluster."""
    from muster.kube import Kube  # noqa: PLC0415 - only where a cluster is asked
    from muster.report.reader import Unreachable  # noqa: PLC0415 - as in main

    if made.cluster.kubeconfig is None:
        eks = made.aws.eks if made.aws else None
        how = f": aws eks update-kubeconfig --region {eks.region} --name {eks.name}" if eks else ""
        raise Unreachable(f"set KUBECONFIG to the file that knows the cluster{how}")
    return Kube.from_file(Path(made.cluster.kubeconfig), made.cluster.context)
