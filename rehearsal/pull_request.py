"""`python -m rehearsal.pull_request --base REV`: what a pull request would do, without a cloud; one JSON line last.

The project is checked. Each environment that the change could change is brought up as it is at the base; the change is
previewed against it, reported and judged by the policies; then it is made, must need no second time, and everything is
destroyed with nothing left.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from muster import engine
from muster import preview as previews
from muster import stack as stacks
from muster.problems import SettingsError

from local import cluster
from local.places import ROOT
from local.problem import Problem
from local.progress import console, step
from rehearsal import changed, revision
from rehearsal import place as rehearsals
from rehearsal.place import Place

VERDICTS = ("safe", "needs-care", "dangerous")
"""From the best to the worst."""
NOTHING = "no environment changed"
COMMENT = "comment.md"


@dataclass
class Outcome:
    """What came of one environment."""

    verdict: str = VERDICTS[-1]
    """Until a report says otherwise: what can't be previewed can't be done."""
    changes: int = 0
    """Resources that are created, updated, replaced or deleted by the change."""
    noop_changes: int | None = None
    leftovers: int | None = None
    policies: int | None = None
    """Exit code of `muster check`: 0 where no mandatory rule is broken."""
    problem: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the change can be made, holds, and leaves nothing behind."""
        return not self.problem and (self.noop_changes, self.leftovers, self.policies) == (0, 0, 0)

    def document(self) -> dict[str, object]:
        """Plain data for the last line."""
        return {**vars(self), "ok": self.ok}


@dataclass
class Result:
    """What came of the whole pull request."""

    base: str
    environments: dict[str, Outcome] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    """Stacks whose file is gone; what they have made is not."""
    problem: str = ""
    """What ended it before, or beside, the environments."""

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong."""
        return not self.problem and all(outcome.ok for outcome in self.environments.values())

    @property
    def verdict(self) -> str:
        """That of the environment with the worst."""
        found = [outcome.verdict for outcome in self.environments.values()]
        return max([*found, VERDICTS[1] if self.removed else VERDICTS[0]], key=VERDICTS.index)

    def document(self) -> dict[str, Any]:
        """Plain data for the last line."""
        document: dict[str, Any] = {
            "base": self.base,
            "environments": {name: outcome.document() for name, outcome in self.environments.items()},
            "removed": list(self.removed),
            "verdict": self.verdict,
            "ok": self.ok,
        }
        if self.problem:
            document["problem"] = self.problem
        elif not self.environments:
            document["note"] = NOTHING
        return document


def main(
    base: Annotated[str, typer.Option("--base", help="Commit, branch or tag that the change is to be merged into.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for reports and previews.")] = Path("build/pr"),
    skip_check: Annotated[bool, typer.Option("--skip-check", help="Leave `make check` out.")] = False,
) -> None:
    """Check, rehearse and report what differs from a base."""
    start = time.monotonic()
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    result = Result(base)
    try:
        result.base = revision.commit(base)
        if not skip_check:
            _check()
        with tempfile.TemporaryDirectory(prefix="muster-base-") as scratch:
            _rehearse(result, Path(scratch), out)
    except (Problem, SettingsError) as problem:
        result.problem = str(problem)
        console.print(f"muster: {problem}", style="red", markup=False, soft_wrap=True)
    document = {**result.document(), "seconds": round(time.monotonic() - start, 1)}
    (out / "summary.json").write_text(json.dumps(document, indent=2) + "\n")
    reports = {name: out / name / "report.md" for name in result.environments}
    (out / COMMENT).write_text(comment(document, {n: f.read_text() for n, f in reports.items() if f.exists()}))
    sys.stdout.write(json.dumps(document) + "\n")
    raise typer.Exit(0 if result.ok else 1)


def _check() -> None:
    with step("make check"):
        done = subprocess.run(["make", "check"], cwd=ROOT, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise Problem("make check failed, so nothing was rehearsed; its output tells what to mend")


def _rehearse(result: Result, scratch: Path, out: Path) -> None:
    """Rehearse every environment that the change could change, one after another. Raises Problem."""
    with step("which environments change"):
        tree = revision.extract(result.base, scratch)
        differs = partial(changed.differs, base=tree, now=datetime.now(UTC).isoformat())
        paths = revision.differences(result.base)
        names = changed.environments(paths, changed.on_aws(), differs)
    result.removed = changed.removed(paths)
    console.print(f"environments that change: {', '.join(names) or 'none'}")
    for name in names:
        start = time.monotonic()
        outcome = result.environments[name] = Outcome()
        folder = out / name
        folder.mkdir(exist_ok=True)
        try:
            _environment(name, tree, outcome, folder)
        except (Problem, SettingsError) as problem:
            outcome.problem = str(problem)
            console.print(f"muster: {problem}", style="red", markup=False, soft_wrap=True)
        finally:
            cluster.down()
            outcome.seconds = round(time.monotonic() - start, 1)


def _environment(name: str, tree: Path, outcome: Outcome, folder: Path) -> None:
    """Bring one environment from the base to the working tree's, and away. Raises Problem or SettingsError."""
    new = not (tree / stacks.file_of(name)).exists()
    with step(f"{name}: preparing"):
        here = rehearsals.prepare(name, ROOT if new else tree)
    if not new:
        with step(f"{name}: pulumi up of the base"):
            here.up()
    here.become(ROOT)
    with step(f"{name}: preview of the change"):
        preview = folder / "preview.json"
        done = here.engine.run(*engine.PREVIEW)
        preview.write_text(done.stdout)
    with step(f"{name}: report and policies"):
        outcome.verdict, outcome.policies = _report(here, preview, folder)
    if done.returncode != 0:
        said = previews.load(done.stdout, preview.name).errors or done.stderr.strip().splitlines()
        raise Problem("\n".join(("the preview of the change failed:", *said)))
    with step(f"{name}: pulumi up of the change"):
        _let_jobs_be_interrupted(here)
        outcome.changes = sum(here.up().values())
    with step(f"{name}: pulumi up again"):
        outcome.noop_changes = sum(here.up().values())
    with step(f"{name}: pulumi destroy"):
        here.destroy()
    left = here.leftovers()
    outcome.leftovers = len(left)
    for item in left:
        console.print(f"left behind: {item}", style="red", markup=False)


def _let_jobs_be_interrupted(here: Place) -> None:
    """Whether a simulated job has ended by now is chance, and one that has not would hold an update of its nodes."""
    aws = here.plan().aws
    for group in aws.groups if aws else ():
        here.edit(f"pools.{group.pool}.interruptJobs", True)


def _report(here: Place, preview: Path, folder: Path) -> tuple[str, int]:
    """Write a preview's reports and the policies' findings; verdict, and exit code of the policies. Raises Problem.

    Simulated jobs say nothing of the real ones, so every job that the stack has counts as one that may run.
    """
    for form, file in (("markdown", "report.md"), ("html", "report.html"), ("json", "report.json")):
        words = ("--preview", str(preview), "--offline", "--format", form, "--out", str(folder / file))
        code, said = _muster(here, "report", *words)
        if code != 0:
            raise Problem(f"no report could be made: {said}")
    code, said = _muster(here, "check", "--preview", str(preview), "--json", out=folder / "check.json")
    document: Mapping[str, Any] = json.loads((folder / "report.json").read_text())
    return str(document["verdict"]).replace(" ", "-"), code


def _muster(here: Place, *words: str, out: Path | None = None) -> tuple[int, str]:
    """Run a command of `muster` on a rehearsal; its exit code, and what it said of a failure."""
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "muster", *words, "--stack", here.stack],
        cwd=here.root,
        env=dict(here.engine.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if out is not None:
        out.write_text(done.stdout)
    return done.returncode, done.stderr.strip()


def comment(document: Mapping[str, Any], reports: Mapping[str, str]) -> str:
    """The text for people: one line for the whole, one for each environment, then the reports."""
    lines = [f"## Rehearsal: {document['verdict'].replace('-', ' ')}" + ("" if document["ok"] else ", failed"), ""]
    if "problem" in document:
        lines += [_quoted(document["problem"]), ""]
    if "note" in document:
        lines += [f"{document['note'].capitalize()}: what differs reaches no stack file's plan or resources.", ""]
    if document["environments"]:
        lines += ["| environment | verdict | up | up again | left behind | policies |", "|---|---|---|---|---|---|"]
        lines += [_row(name, found) for name, found in document["environments"].items()] + [""]
    for name in document["removed"]:
        lines += [
            f"The stack file of {name} is gone. That destroys nothing: `make down STACK={name}` does, before.",
            "",
        ]
    for name, found in document["environments"].items():
        if found["problem"]:
            lines += [f"### {name} can't be rehearsed to its end", "", _quoted(found["problem"]), ""]
        if name in reports:
            lines += [reports[name].strip(), ""]
    return "\n".join(lines)


def _row(name: str, found: Mapping[str, Any]) -> str:
    policies = {0: "kept", None: ""}.get(found["policies"], "broken")
    cells = [f"{found['changes']} changes", _count(found["noop_changes"]), _count(found["leftovers"]), policies]
    return f"| {name} | {found['verdict'].replace('-', ' ')} | {' | '.join(cells)} |"


def _count(number: int | None) -> str:
    return "" if number is None else str(number)


def _quoted(text: str) -> str:
    """Text as it is, whatever it holds."""
    return "\n".join(f"    {line}" for line in text.splitlines())


if __name__ == "__main__":
    typer.run(main)
