"""Processes of an engine that was killed: they would wait for it for ever."""

import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from local import processes
from local.places import cache_dir

ENGINE, HOST, PROVIDER = "pulumi", "pulumi-language-python", "pulumi-resource-kubernetes"
PROGRAM = "pulumi-language-python-exec"
"""Script with which a language host runs a Pulumi program.

https://github.com/pulumi/pulumi/blob/v3.259.0/sdk/python/cmd/pulumi-language-python-exec
"""
PARENTS: Mapping[str, str] = {HOST: ENGINE, PROVIDER: ENGINE, PROGRAM: HOST}


def end() -> None:
    """End language hosts, providers and programs whose engine is gone.

    Only those are looked at that this project's own cache holds.
    """
    for pid in [pid for pid in processes.pids() if _is_orphan(pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _is_orphan(pid: int) -> bool:
    """Whether it is one of the programs, and its parent is not what starts it, or is an orphan itself."""
    try:
        program = _own(Path("/proc", str(pid)))
        if program is None:
            return False
        parent = processes.parent(pid)
        return processes.name_of(parent) != PARENTS[program] or _is_orphan(parent)
    except OSError:
        return False


def _own(entry: Path) -> str | None:
    """Which of the programs a process is: by its executable, or by the script that its interpreter runs."""
    cache = cache_dir().resolve()
    script = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[1:3]
    for path in ((entry / "exe").readlink(), *map(Path, script)):
        if path.name in PARENTS and path.is_relative_to(cache):
            return path.name
    return None
