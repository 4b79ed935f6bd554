"""What /proc tells of a process."""

from collections.abc import Iterator
from pathlib import Path


def pids() -> Iterator[int]:
    """Every process of the machine."""
    return (int(entry.name) for entry in Path("/proc").glob("[0-9]*"))


def name_of(pid: int) -> str | None:
    """Name of a process's program; empty where it is gone, None where it may not be looked at."""
    try:
        return Path("/proc", str(pid), "exe").readlink().name
    except FileNotFoundError:
        return ""
    except PermissionError:
        return None


def parent(pid: int) -> int:
    """Number of a process's parent: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html. Raises OSError."""
    return int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[1])
