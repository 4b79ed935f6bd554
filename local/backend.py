"""Stack state in a folder, after a run that was killed: its lock released, and what it was writing whole again.

Only file backends keep locks where their owner can be read:
https://www.pulumi.com/docs/iac/concepts/state-and-backends/#state-locking
"""

import json
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local import processes
from local.orphans import ENGINE
from local.progress import console

ATTRIBUTES = ".attrs"


@dataclass(frozen=True)
class FileBackend:
    """One stack's files in the folder of a file backend."""

    folder: Path
    project: str
    stack: str

    def take_over(self) -> None:
        """Release locks of runs that were killed on this machine, and mend what they were writing.

        While another run holds a lock nothing is mended.
        """
        locks = [file for file in self._locks.glob("*") if file.suffix in (".json", ".tmp")]
        orphaned = [lock for lock in locks if _is_orphaned(lock)]
        if len(orphaned) == len(locks):
            self._mend_state()
            self._drop_cut_attributes()
        for lock in orphaned:
            lock.unlink(missing_ok=True)
            lock.with_name(f"{lock.name}{ATTRIBUTES}").unlink(missing_ok=True)

    @property
    def _locks(self) -> Path:
        return self._in("locks", "organization")

    def _in(self, *words: str) -> Path:
        return self.folder.joinpath(".pulumi", *words, self.project, self.stack)

    def _mend_state(self) -> None:
        """Go back to the state before the last write where that was cut off; the engine keeps it beside the state.

        https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/backend/diy/state.go
        """
        state = self._in("stacks").with_name(f"{self.stack}.json")
        before = state.with_name(f"{state.name}.bak")
        if not _is_whole(state) and _is_whole(before):
            shutil.copyfile(before, state)
            console.print(
                "the state was cut off while it was written: it is again as it was just before", style="yellow"
            )

    def _drop_cut_attributes(self) -> None:
        """Remove attribute files that a kill has cut off: the engine can't read the files beside them until they go.

        It replaces a file at once, but writes its attributes in place, and can do without them:
        https://github.com/google/go-cloud/blob/v0.46.0/blob/fileblob/attrs.go
        """
        for file in self._attributes():
            if not _is_whole(file):
                file.unlink(missing_ok=True)

    def _attributes(self) -> Iterator[Path]:
        yield from self._in("stacks").parent.glob(f"{self.stack}.*{ATTRIBUTES}")
        for folder in (self._locks, self._in("history"), self._in("backups")):
            yield from folder.glob(f"*{ATTRIBUTES}")


def _is_orphaned(lock: Path) -> bool:
    """Whether the run that took a lock ran on this machine and is no more, or was killed while it wrote the lock."""
    try:
        owner = json.loads(lock.read_text())
    except (FileNotFoundError, ValueError):
        return True
    if owner.get("hostname") != socket.gethostname():
        return False
    # A pid may be another program's by now.
    program = processes.name_of(owner["pid"])
    return program is not None and not program.startswith(ENGINE)


def _is_whole(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return True
