"""The `muster` command: look at a stack's plan, manifests and state. It changes nothing that is there."""

import dataclasses
import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console

from muster import settings
from muster import stack as stacks
from muster.plan import JobPlan, Plan
from muster.problems import Problem, SettingsError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
out, err = Console(highlight=False), Console(stderr=True, highlight=False)

Stack = Annotated[str, typer.Option("--stack", "-s", help="Name of stacks/Pulumi.NAME.yaml.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def main() -> None:
    """Run the command; mistakes in a stack file end with one line each and exit code 1."""
    from muster.report.reader import Unreachable  # noqa: PLC0415 - keeps commands that need no cluster quick

    try:
        app()
    except SettingsError as error:
        err.print(str(error), markup=False, soft_wrap=True)
        sys.exit(1)
    except Unreachable as error:
        err.print(f"muster: the cluster can't be read: {error}", markup=False, soft_wrap=True)
        sys.exit(1)


@app.command("plan")
def show_plan(stack: Stack = "local") -> None:
    """Check a stack file and show what it means; asks no cluster and no cloud."""
    from muster.plan import summary  # noqa: PLC0415 - only here
    from muster.report import text  # noqa: PLC0415 - rich tables only where they are drawn

    made = planned(stack)
    out.print(text.plan_blocks(made))
    for line in summary.lines(made):
        out.print(line, markup=False, soft_wrap=True)


@app.command()
def render(stack: Stack = "local") -> None:
    """Print every manifest that the stack would apply, as YAML; what only AWS can know stands in angle brackets."""
    from muster.manifests import aws, node, queue, runtime, service, storage, trainjob, workload  # noqa: PLC0415 - only here

    made = planned(stack)
    documents = [
        *(aws.documents(made.aws) if made.aws else ()),
        *(node.build(item) for item in made.nodes),
        *(queue.build(item) for item in made.queues),
        *(storage.volume(item, aws.file_system(item)) for item in made.claims if item.volume is not None),
        *(storage.claim(item) for item in made.claims),
        *(workload.build(item) for item in made.files),
        *(runtime.build(item) for item in made.runtimes),
        *(service.build(item) for item in made.services),
        *(trainjob.build(item) for item in made.jobs),
    ]
    typer.echo(yaml.safe_dump_all(documents, sort_keys=False), nl=False)


@app.command()
def status(stack: Stack = "local", as_json: AsJson = False) -> None:
    """Show releases, pools, queues and jobs as the cluster has them now."""
    from muster.report import stack as report  # noqa: PLC0415 - only here
    from muster.report import text  # noqa: PLC0415 - only here

    view = report.read(reader(made := planned(stack)), made)
    if as_json:
        typer.echo(json.dumps(view.document()))
    else:
        out.print(text.stack_screen(view))


@app.command()
def logs(
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


@app.command()
def checkpoints(
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


@app.command()
def schema() -> None:
    """Print the JSON Schema of stack files, for editors."""
    typer.echo(json.dumps(settings.schema(), indent=2))


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


def project(start: Path) -> Path:
    """The checkout around `start`, found by its Pulumi.yaml as Pulumi does; else the one of this installation."""
    around = (folder for folder in (start, *start.parents) if (folder / "Pulumi.yaml").is_file())
    return next(around, Path(__file__).resolve().parents[2])


def reader(made: Plan):  # type: ignore[no-untyped-def]
    """The stack's cluster."""
    from muster.kube import Kube  # noqa: PLC0415 - the Kubernetes client takes half a second to import
    from muster.report.reader import Unreachable  # noqa: PLC0415 - as in main

    if made.cluster.kubeconfig is None:
        eks = made.aws.eks if made.aws else None
        how = f": aws eks update-kubeconfig --region {eks.region} --name {eks.name}" if eks else ""
        raise Unreachable(f"set KUBECONFIG to the file that knows the cluster{how}")
    return Kube.from_file(Path(made.cluster.kubeconfig), made.cluster.context)
