"""Failures that a rehearsal asks for: which operation, how often, and the error that AWS would give.

A plan of faults is a JSON file beside the world: [{"on": "aws:eks/nodeGroup:NodeGroup", "operation": "create",
"code": "InsufficientInstanceCapacity", "message": "...", "times": 1, "after": 0, "half": true, "crash": false}].
"""

import json
import threading
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path

FILE = "faults.json"
THROTTLING = "ThrottlingException"


@dataclass
class Fault:
    """One failure. `on` matches kinds, `operation` is create, update, delete, read or *.

    It happens `times` times, after as many matching operations as `after`. With `half` the resource exists all the
    same, in a failed state, as a node group without capacity does. With `crash` it exists and is whole, but the engine
    is killed before it hears of it.
    """

    on: str
    operation: str
    code: str
    message: str
    times: int = 1
    after: int = 0
    half: bool = False
    crash: bool = False


class Faults:
    """The faults still to come; each one that happened is crossed out on disk."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._lock = threading.Lock()

    def plan(self, *faults: Fault) -> None:
        """Ask for these failures, and no others."""
        self._file.write_text(json.dumps([asdict(fault) for fault in faults]))

    def due(self, kind: str, operation: str) -> Fault | None:
        """The fault that this operation meets, None where it goes well."""
        with self._lock:
            if not self._file.exists():
                return None
            faults = [Fault(**row) for row in json.loads(self._file.read_text())]
            hit = next(
                (f for f in faults if f.times and fnmatchcase(kind, f.on) and f.operation in ("*", operation)), None
            )
            if hit is None:
                return None
            happens = hit.after == 0
            if happens:
                hit.times -= 1
            else:
                hit.after -= 1
            self.plan(*faults)
            return hit if happens else None
