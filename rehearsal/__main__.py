"""`python -m rehearsal --stack NAME`: rehearse an environment from nothing to nothing, one JSON line last."""

import json
import sys
import time
from collections import Counter
from typing import Annotated

import typer
from muster.plan import summary
from muster.problems import SettingsError
from rich.table import Table

from local import cluster
from local.problem import Problem
from local.progress import console, step
from rehearsal import edits, place
from rehearsal.place import Place

OPERATIONS = {"create": "create", "update": "update", "delete": "delete"}


def main(
    stack: Annotated[str, typer.Option("--stack", help="Name of stacks/Pulumi.NAME.yaml.")] = "dev",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the environment up, to look at it.")] = False,
) -> None:
    """Create, change nothing, try changes, refresh, destroy, count what is left."""
    start = time.monotonic()
    report: dict[str, object] = {"stack": stack, "ok": False}
    try:
        with step(f"preparing {stack}"):
            here = place.prepare(stack)
        for line in summary.lines(here.plan()):
            console.print(line, markup=False, highlight=False)
        with step("pulumi up, from nothing"):
            created = here.up()
        report["created"] = created.get("create", 0)
        with step("pulumi up again"):
            report["noop_changes"] = sum(here.up().values())
        report["edits"] = _try_edits(here)
        with step("pulumi refresh"):
            report["drift"] = here.refresh()
        if keep:
            console.print(f"the environment stays up in {here.folder}; make cluster-down ends it", markup=False)
            raise typer.Exit(0)
        with step("pulumi destroy"):
            here.destroy()
        leftovers = here.leftovers()
        report["leftovers"] = len(leftovers)
        for item in leftovers:
            console.print(f"left behind: {item}", style="red", markup=False)
        report["ok"] = not (report["noop_changes"] or report["drift"] or leftovers)
    except (Problem, SettingsError) as problem:
        console.print(f"muster: {problem}", style="red", markup=False, soft_wrap=True)
    finally:
        if not keep:
            cluster.down()
    report["seconds"] = round(time.monotonic() - start, 1)
    sys.stdout.write(json.dumps(report) + "\n")
    raise typer.Exit(0 if report["ok"] else 1)


def _try_edits(here: Place) -> int:
    """Preview every kind of change, and make one for real; how many were tried."""
    table = Table("change", "create", "update", "replace", "delete", "what is touched", box=None, pad_edge=False)
    with step(f"previews of {len(edits.EDITS)} changes"):
        for edit in edits.EDITS:
            try:
                edit.apply(here)
                here.plan()
                found = here.preview()
            except SettingsError as error:
                table.add_row(edit.name, "", "", "", "", f"refused: {error.problems[0].expected}")
                continue
            finally:
                here.restore()
            count = Counter(_words(op) for op in found.values())
            names = ", ".join(sorted(found)[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")  # noqa: PLR2004
            cells = [str(count[word] or "") for word in ("create", "update", "replace", "delete")]
            table.add_row(edit.name, *cells, names)
    console.print(table)
    edit = edits.EDITS[0]
    with step(f"{edit.name}, and back"):
        edit.apply(here)
        here.up()
        here.restore()
        here.up()
    return len(edits.EDITS)


def _words(operation: str) -> str:
    return OPERATIONS.get(operation, "replace")


if __name__ == "__main__":
    typer.run(main)
