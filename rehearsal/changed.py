"""Which environments a change of the checkout could change.

Three kinds of path decide, the rest changes no environment:
- a stack file changes its own environment;
- what creates resources changes all of them: only the engine shows what it makes;
- what plans and draws manifests changes those whose plan or manifests come out differently, which is tried.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from muster import stack as stacks

from local.places import ROOT
from local.problem import Problem
from rehearsal import revision

CREATES = ("infra/__main__.py", "infra/muster/program.py", "infra/muster/resources/", "Pulumi.yaml")
PLANS = ("infra/", "runtimes/", "workloads/")
SAY = """
import os, sys
from pathlib import Path
from muster import stack
from muster.cli import main
print(stack.from_file(sys.argv[-1], Path.cwd(), os.environ))
main()
"""
"""Prints everything that a stack's file means, then runs `muster` with the words that follow."""


def environments(paths: Sequence[str], known: Iterable[str], differs: Callable[[str], bool]) -> tuple[str, ...]:
    """Those of the `known` stacks that a change of these paths could change, in order.

    `differs` tells whether a stack's plan or manifests come out differently.
    """
    everything = any(path.startswith(CREATES) for path in paths)
    planned = any(path.startswith(PLANS) for path in paths)

    def could_change(stack: str) -> bool:
        return stacks.file_of(stack) in paths or everything or (planned and differs(stack))

    return tuple(stack for stack in known if could_change(stack))


def removed(paths: Iterable[str]) -> tuple[str, ...]:
    """Stacks of which a path is the file, and which have it no longer."""
    gone = (path for path in paths if not (ROOT / path).exists())
    return tuple(found[1] for path in gone if (found := re.fullmatch(r"stacks/Pulumi\.([\w-]+)\.yaml", path)))


def on_aws() -> tuple[str, ...]:
    """Stacks of the checkout that are on AWS. Raises muster.problems.SettingsError."""
    names = sorted(
        file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in ROOT.glob("stacks/Pulumi.*.yaml")
    )
    return tuple(name for name in names if stacks.declared(name, ROOT).cluster.provider == "aws")


def differs(stack: str, base: Path, now: str) -> bool:
    """Whether plan or manifests of a stack, made by the code in `base`, are others than those of the working tree.

    Dates are judged as of `now` in both. Raises Problem where the working tree's file has mistakes.
    """
    return _said(stack, base, now) != _said(stack, ROOT, now)


def _said(stack: str, tree: Path, now: str) -> bytes | None:
    """What the code of a tree says of its stack; None where that of the base can't."""
    done = subprocess.run(
        [sys.executable, "-c", SAY, "render", "--stack", stack],
        cwd=tree,
        env=revision.environment(tree) | {"MUSTER_NOW": now},
        capture_output=True,
        check=False,
    )
    if done.returncode != 0 and tree == ROOT:
        raise Problem(f"stack {stack} can't be planned:\n{done.stderr.decode().strip()}")
    return done.stdout if done.returncode == 0 else None
