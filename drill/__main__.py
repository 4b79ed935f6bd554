"""`python -m drill [NAME...]`: hurt gangs and see them return; a table, and one JSON line last."""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer
from muster import places
from muster import stack as stacks
from muster.kube import Kube
from muster.problems import SettingsError
from muster.report.reader import Unreachable
from rich.table import Column, Table

from drill import drills
from drill.drills import DRILLS, Outcome
from drill.gang import Gang, Ground
from local import toolchain
from local.engine import environment
from local.places import ROOT
from local.problem import Problem
from local.progress import console, ended_with, step

STACK = "local"
RESIZE = "resize-2-1-3"
NAMES = (*(drill.name for drill in DRILLS), RESIZE)


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Drills to run: {', '.join(NAMES)}; all without.")] = None,
    times: Annotated[int, typer.Option("--times", help="How often, in a row.")] = 1,
    at_once: Annotated[int, typer.Option("--at-once", help="How many gangs are hurt side by side.")] = 2,
) -> None:
    """Run drills on the stack `local`, which is up."""
    wanted = names or NAMES
    if unknown := sorted({*wanted} - {*NAMES}):
        console.print(f"muster: no drill {', '.join(unknown)}; there are {', '.join(NAMES)}", style="red")
        raise typer.Exit(2)
    outcomes: list[Outcome] = []
    try:
        ground = prepare()
        with step("an undisturbed run, for its losses"):
            golden = undisturbed(ground)
        for number in range(1, times + 1):
            with step(f"{len(wanted)} drills, round {number} of {times}"), ThreadPoolExecutor(at_once) as pool:
                outcomes += pool.map(lambda name: attempt(name, ground, golden), wanted)
    except (Problem, SettingsError, Unreachable) as problem:
        console.print(f"muster: {problem}", style="red", markup=False, soft_wrap=True)
    console.print(table(outcomes))
    passed = sum(outcome.passed for outcome in outcomes)
    sys.stdout.write(json.dumps({"drills": len(outcomes), "passed": passed}) + "\n")
    raise typer.Exit(0 if outcomes and passed == len(outcomes) == len(wanted) * times else 1)


def prepare() -> Ground:
    """The stack that is up. Raises Problem, Unreachable or muster.problems.SettingsError."""
    kubeconfig = places.embedded_kubeconfig(os.environ)
    env = environment(toolchain.ensure((*toolchain.ENGINE, "kubectl")), kubeconfig)
    return Ground(Kube.from_file(kubeconfig), stacks.from_file(STACK, ROOT, env), env)


def undisturbed(ground: Ground) -> Mapping[int, float]:
    """Loss by step of a gang that nobody hurts. Raises Problem."""
    with Gang(ground, "drill-golden") as gang:
        view = gang.until_over()
        if view.state != "Complete":
            raise Problem(f"the undisturbed run did not complete: {view.sentence()}")
        return gang.losses()


def attempt(name: str, ground: Ground, golden: Mapping[int, float]) -> Outcome:
    """One drill; what is not seen in time is an outcome, too."""
    drill = next((drill for drill in DRILLS if drill.name == name), None)
    work: Callable[[], Outcome] = (
        (lambda: drills.resize(ground, golden)) if drill is None else (lambda: drills.run(drill, ground, golden))
    )
    start = time.monotonic()
    try:
        outcome = work()
    except Problem as problem:
        outcome = Outcome(name, drill.code if drill else 0, None, None, loss_equal=False, wrong=(str(problem),))
    ended_with(name, time.monotonic() - start, well=outcome.passed)
    for text in outcome.wrong:
        console.print(f"  {name}: {text}", style="red", markup=False, soft_wrap=True)
    return outcome


def table(outcomes: list[Outcome]) -> Table:
    """One row for each drill."""
    made = Table(Column("drill", no_wrap=True), "expected code", "seen code", "time to recover", "loss equal", "")
    made.box, made.pad_edge = None, False
    for outcome in outcomes:
        made.add_row(
            outcome.name,
            str(outcome.expected),
            "" if outcome.seen is None else str(outcome.seen),
            "" if outcome.recover_s is None else f"{outcome.recover_s:.1f} s",
            {True: "yes", False: "no", None: ""}[outcome.loss_equal],
            "[green]passed[/green]" if outcome.passed else "[red]failed[/red]",
        )
    return made


if __name__ == "__main__":
    typer.run(main)
