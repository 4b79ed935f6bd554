"""Pulumi's engine as a command that answers in JSON: `pulumi` on PATH, with the caller's backend and credentials."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

PREVIEW = ("preview", "--json", "--show-sames")
"""Without the last word the engine leaves out what stays as it is, so nobody could say what a change touches.

https://www.pulumi.com/docs/iac/cli/commands/pulumi_preview/
"""


class EngineFailed(Exception):  # noqa: N818 - a state of the world, not a programming error
    """The engine is not there, or ended with an error; the text is what it said."""


def ask(root: Path, stack: str, words: Sequence[str]) -> str:
    """Run `pulumi WORDS` on a stack of the checkout `root`; what it printed on stdout. Raises EngineFailed."""
    command = ["pulumi", "--cwd", str(root), *words, "--stack", stack, "--non-interactive"]
    try:
        done = subprocess.run(command, env=dict(os.environ), check=False, capture_output=True, text=True)
    except FileNotFoundError:
        raise EngineFailed('there is no pulumi on PATH; eval "$(make env)" brings the one that make built') from None
    if done.returncode != 0 and not done.stdout.lstrip().startswith("{"):
        raise EngineFailed((done.stderr or done.stdout).strip() or f"pulumi {words[0]} ended with {done.returncode}")
    return done.stdout
