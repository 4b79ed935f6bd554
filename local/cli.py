"""What `make` runs: prepare this machine, start the embedded cluster where the stack wants it, drive the engine."""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer
from muster import places
from muster import stack as stacks
from muster.problems import SettingsError
from muster.report.reader import Unreachable
from muster.settings import AwsCluster

from local import catalog, charts, cluster, images, orphans, packages, recovery, summary, tagged, toolchain
from local.engine import Engine, environment
from local.places import ROOT, cache_dir, state_dir
from local.problem import Problem
from local.progress import console, step

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

Stack = Annotated[str, typer.Option("--stack", help="Name of stacks/Pulumi.NAME.yaml.")]


def main() -> None:
    """Run the command; a problem the user can mend ends with its sentence and exit code 1."""
    try:
        app()
    except (Problem, SettingsError, Unreachable) as problem:
        console.print(f"muster: {problem}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)


@app.command()
def up(
    stack: Stack = "local",
    refresh: Annotated[bool, typer.Option("--refresh", help="First read what is there: it mends drift.")] = False,
) -> None:
    """Set everything up, bring the stack to what its file says, and tell what to do next."""
    engine = _prepare(stack)
    _recover(engine)
    code = engine.up(refresh=refresh)
    if code == 0:
        summary.show(engine)
    raise typer.Exit(code)


@app.command()
def preview(stack: Stack = "local") -> None:
    """Show what `up` would change, and change nothing in the stack."""
    raise typer.Exit(_prepare(stack).preview())


@app.command()
def drift(
    stack: Stack = "local", as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False
) -> None:
    """Find what was changed outside the stack: `muster drift` on this stack's engine; nothing is started or changed."""
    engine = _engine(stack, toolchain.ensure(toolchain.ENGINE), embedded=_embedded(stack))
    raise typer.Exit(_muster(engine, "drift", *(("--json",) if as_json else ())))


@app.command()
def report(stack: Stack = "local", out: Annotated[str, typer.Option(help="File to write to.")] = "") -> None:
    """Report what `up` would change, what that hits and what it costs: `muster report` on this stack's engine."""
    raise typer.Exit(_muster(_prepare(stack), "report", *(("--out", out) if out else ())))


@app.command()
def down(stack: Stack = "local") -> None:
    """Destroy the stack, in the order that leaves nothing behind, and stop the embedded cluster."""
    try:
        embedded = _embedded(stack)
    except SettingsError as error:
        # What is there must go even when the file that describes it is broken by now.
        console.print(f"muster: {error}", style="yellow", markup=False, soft_wrap=True)
        embedded = cluster.folder().exists()
    if cluster.running() is not None or not embedded:
        engine = _engine(stack, toolchain.ensure(toolchain.ENGINE), embedded=embedded)
        engine.take_over()
        if engine.exists():
            # A broken file was told of above.
            with contextlib.suppress(SettingsError):
                _recover(engine)
            code = engine.destroy()
            if code != 0:
                raise typer.Exit(code)
            engine.remove()
    orphans.end()
    if embedded:
        cluster.down()
        shutil.rmtree(state_dir() / "pulumi", ignore_errors=True)


@app.command()
def destroy(stack: Stack = "local") -> None:
    """Destroy the stack and keep the cluster."""
    engine = _engine(stack, toolchain.ensure(toolchain.ENGINE), embedded=_embedded(stack))
    engine.take_over()
    _recover(engine)
    raise typer.Exit(engine.destroy())


@app.command("cluster")
def cluster_up() -> None:
    """Start the embedded cluster alone, with the images of the project's own workloads."""
    running = _cluster_up(toolchain.ensure(toolchain.ENGINE + toolchain.CLUSTER))
    console.print(f"export KUBECONFIG={shlex.quote(str(running.kubeconfig))}")


@app.command()
def cluster_down() -> None:
    """Stop the embedded cluster and everything on it; the machine is left as it was before."""
    cluster.down()


@app.command()
def tools() -> None:
    """Build or find every tool, and say which is used and why."""
    packages.ensure()
    toolchain.show(toolchain.ensure(toolchain.ENGINE + toolchain.CLUSTER + toolchain.IMAGES))


@app.command("images")
def build_images() -> None:
    """Build every container image and load it into the embedded cluster, which is started for it."""
    _cluster_up(toolchain.ensure(toolchain.ENGINE + toolchain.CLUSTER))


@app.command("charts")
def materialise_charts(
    pin: Annotated[
        str,
        typer.Option(help="Write the digests found into releases.yaml: of `module` charts, or `published` ones too."),
    ] = "",
) -> None:
    """Materialise the pinned charts and check their digests."""
    if pin:
        charts.pin(with_published=pin == "published")
    charts.materialise()


@app.command("catalog")
def write_catalog(
    live: Annotated[
        str | None, typer.Option("--live", metavar="REGION", help="Ask AWS about this region, prices included.")
    ] = None,
) -> None:
    """Write the instance catalogue again, from moto's record of EC2 or from what AWS answers."""
    if live is None:
        files = catalog.recorded()
    else:
        with step(f"asking AWS about {live}"), catalog.clients(live) as (ec2, pricing):
            files = catalog.asked(live, datetime.now(UTC).date().isoformat(), ec2, pricing)
    console.print(f"changed: {', '.join(catalog.write(files)) or 'nothing'}")


@app.command()
def ready() -> None:
    """Make everything that the end-to-end tests need, so that they measure and wait for nothing else."""
    tools()
    toolchain.ensure(("helm",))
    charts.materialise()
    build_images()
    cluster.down()


@app.command()
def env(stack: Stack = "local") -> None:
    """Print the exports with which `pulumi` and `kubectl` in an own shell mean this stack."""
    wanted = _engine(stack, toolchain.ensure(toolchain.ENGINE), embedded=_embedded(stack)).environment
    for name in sorted(wanted):
        if wanted[name] != os.environ.get(name):
            typer.echo(f"export {name}={shlex.quote(wanted[name])}")


@app.command()
def clean() -> None:
    """Stop the embedded cluster and remove every cache and state."""
    cluster.down()
    for folder in (cache_dir(), state_dir()):
        with step(f"removing {folder}"):
            shutil.rmtree(folder, ignore_errors=True)


def _prepare(stack: str) -> Engine:
    """Everything that the engine needs. A stack file with mistakes ends here, before anything is made."""
    plan = stacks.from_file(stack, ROOT, os.environ)
    embedded = _embedded(stack)
    if embedded:
        cluster.check_machine()
    found = toolchain.ensure(toolchain.ENGINE + (toolchain.CLUSTER if embedded else ()))
    toolchain.show({name: tool for name, tool in found.items() if tool.origin.startswith("yours")})
    charts.materialise(wanted=[release.chart.rpartition("/")[2] for release in plan.releases])
    if embedded:
        _cluster_up(found)
    engine = _engine(stack, found, embedded=embedded)
    engine.take_over()
    engine.select()
    return engine


def _recover(engine: Engine) -> None:
    """Bring the state to what a killed run has made and deleted. Raises Problem or muster.problems.SettingsError."""
    engine.settle_deletions()
    settings = stacks.declared(engine.stack, ROOT)
    if isinstance(settings.cluster, AwsCluster):
        region = settings.cluster.region
        recovery.adopt(engine, settings.cluster.account, partial(tagged.find, region))


def _muster(engine: Engine, command: str, *words: str) -> int:
    """Run a command of `muster` on an engine's stack; its exit code."""
    line = [str(ROOT / ".venv" / "bin" / "muster"), command, "--stack", engine.stack, *words]
    return subprocess.run(line, env=dict(engine.environment), check=False).returncode


def _engine(stack: str, found: Mapping[str, toolchain.Tool], *, embedded: bool) -> Engine:
    kubeconfig = places.embedded_kubeconfig(os.environ) if embedded else None
    return Engine(stack, environment({name: found[name] for name in toolchain.ENGINE}, kubeconfig))


def _embedded(stack: str) -> bool:
    return stacks.declared(stack, ROOT).cluster.provider == "embedded"


def _cluster_up(found: Mapping[str, toolchain.Tool]) -> cluster.Cluster:
    packages.ensure()
    running = cluster.up({name: found[name].path for name in toolchain.CLUSTER})
    images.ensure(running)
    return running
