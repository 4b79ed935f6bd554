"""Processes of an engine that was killed: they would wait for it for ever."""

import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from local.places import cache_dir

ENGINE, HOST, PROVIDER = "pulumi", "pulumi-language-python", "pulumi-resource-kubernetes"
PROGRAM = "pulumi-language-python-exec"
"""Script with which a language host runs a Pulumi program.

https://github.com/pulumi/pulumi/blob/v3.259.0/sdk/python/cmd/pulumi-language-python-exec
"""
PARENTS: Mapping[str, str] = {HOST: ENGINE, PROVIDER: ENGINE, PROGRAM: HOST}


def end() -> None:
    """End language hosts, providers and programs whose parent is gone.

    Only those are looked at that this project's own cache holds.
    """
    # A program is an orphan only once its language host is gone.
    while _end_once():
        pass


def _end_once() -> bool:
    ended = False
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            program = _own(entry)
            if program is not None and name_of(_parent(entry)) != PARENTS[program]:
                os.kill(int(entry.name), signal.SIGKILL)
                ended = True
    return ended


def name_of(pid: int) -> str | None:
    """Name of a process's program; empty where it is gone, None where it may not be looked at."""
    try:
        return Path("/proc", str(pid), "exe").readlink().name
    except FileNotFoundError:
        return ""
    except PermissionError:
        return None


def _own(entry: Path) -> str | None:
    """Which of the programs a process is: by its executable, or by the script that its interpreter runs."""
    cache = cache_dir().resolve()
    script = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[1:3]
    for path in ((entry / "exe").readlink(), *map(Path, script)):
        if path.name in PARENTS and path.is_relative_to(cache):
            return path.name
    return None


def _parent(entry: Path) -> int:
    """Number of a process's parent: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html."""
    return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
