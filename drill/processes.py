"""Processes of pods, as the machine under the embedded cluster sees them."""

import re
import signal
import subprocess
from os import kill
from pathlib import Path

from local.processes import parent, pids


def of_pod(uid: str) -> list[int]:
    """Processes of a pod, by the uid that stands in their control group."""
    return [pid for pid in pids() if uid in read(pid, "cgroup")]


def ranks(uids: list[str]) -> dict[int, int]:
    """Process by global rank: those that have RANK and whose parent has none."""
    found = {}
    for uid in uids:
        for pid in of_pod(uid):
            rank = re.search(r"(?:^|\0)RANK=(\d+)", read(pid, "environ"))
            if rank and "\0RANK=" not in "\0" + read(parent(pid), "environ"):
                found[int(rank.group(1))] = pid
    return found


def first(uid: str) -> int:
    """The process that is PID 1 inside a pod's container: the last one numbered so, for the sandbox has its own."""
    inside = [pid for pid in of_pod(uid) if re.search(r"^NSpid:.*\t1$", read(pid, "status"), re.MULTILINE)]
    return max(inside)


def end(pid: int, number: signal.Signals) -> None:
    """Send a signal."""
    kill(pid, number)


def cut_network(uid: str) -> None:
    """Take a pod's only link down: nothing comes in, nothing goes out, and nobody is told."""
    within = ["nsenter", "--target", str(first(uid)), "--net", "ip", "link", "set", "eth0", "down"]
    subprocess.run(within, check=True)


def read(pid: int, name: str) -> str:
    """A file of /proc; empty where the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""
