"""A copy of the project that a test may edit, with the commands a user would type in it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SKIP = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "*.egg-info", ".hypothesis")


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    text: str
    """stdout and stderr together, in order."""


class Checkout:
    """One editable copy of the project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT, root, ignore=SKIP, symlinks=True)
        (root / ".venv").symlink_to(ROOT / ".venv")

    @property
    def stack_file(self) -> Path:
        return self.root / "stacks" / "Pulumi.local.yaml"

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Load the stack file's `config`, let `change` edit it, write it back."""
        document = yaml.safe_load(self.stack_file.read_text())
        change(document["config"])
        self.stack_file.write_text(yaml.safe_dump(document))

    def restore(self) -> None:
        """Undo every edit."""
        for folder in ("stacks", "runtimes", "workloads"):
            shutil.rmtree(self.root / folder)
            shutil.copytree(ROOT / folder, self.root / folder, ignore=SKIP)

    def run(self, *words: str, env: Mapping[str, str] | None = None, timeout: float = 600) -> Result:
        """Run a command in the copy; `timeout` seconds is a bound on hangs, not an expectation."""
        done = subprocess.run(
            words,
            cwd=self.root,
            env={**os.environ, **self.environment(), **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Result(done.returncode, done.stdout)

    def local(self, *words: str, timeout: float = 900) -> Result:
        """`python -m local ...`, which is what the Makefile runs."""
        return self.run(sys.executable, "-m", "local", *words, timeout=timeout)

    def up(self) -> Result:
        """`pulumi up` of the stack as it stands in the copy."""
        return self.run("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "local")

    def changes(self) -> dict[str, int]:
        """Operations of the last update by kind, as Pulumi's history counts them."""
        history = json.loads(self.run("pulumi", "stack", "history", "--stack", "local", "--json").text)
        return {kind: count for kind, count in history[0]["resourceChanges"].items() if count}

    def interrupt_up(self, when: Callable[[], bool]) -> None:
        """Start `pulumi up`, and SIGKILL the engine with everything below it once `when()` holds."""
        self._interrupt("up", when)

    def interrupt_destroy(self, when: Callable[[], bool]) -> None:
        """Start `pulumi destroy`, and SIGKILL it once `when()` holds."""
        self._interrupt("destroy", when)

    def _interrupt(self, verb: str, when: Callable[[], bool]) -> None:
        words = ["pulumi", verb, "--yes", "--skip-preview", "--non-interactive", "--stack", "local"]
        child = subprocess.Popen(
            words,
            cwd=self.root,
            env={**os.environ, **self.environment()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        while not when():
            assert child.poll() is None, f"pulumi {verb} ended before it could be interrupted"
            assert time.monotonic() < deadline, f"the moment to interrupt pulumi {verb} never came"
            time.sleep(0.1)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    def environment(self) -> dict[str, str]:
        """What `make env` exports, so that plain `pulumi` and `kubectl` mean the embedded stack.

        Asked for again after `down`, which removes the engine's home with its plugins.
        """
        home = Path(getattr(self, "_environment", {}).get("PULUMI_HOME", "/nonexistent"))
        if not (home / "plugins").exists():
            done = subprocess.run(
                [sys.executable, "-m", "local", "env"], cwd=self.root, capture_output=True, text=True, check=True
            )
            script = done.stdout + "env -0\n"
            shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
            self._environment = dict(entry.split("=", 1) for entry in shown.split("\0") if "=" in entry)
        return self._environment
