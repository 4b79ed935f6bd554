"""What exists in the double's AWS: kept in one file, so that it outlives the process as AWS does."""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Inputs = Mapping[str, Any]
FILE = "world.json"


@dataclass
class Thing:
    """One resource: what it was asked to be and what came of it. `seeded` ones were there before the stack."""

    kind: str
    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    status: str = "ACTIVE"
    seeded: bool = False

    def get(self, path: str) -> Any:
        """An input by dotted path; None where it is not set."""
        return at(self.inputs, path)


@dataclass
class Ground:
    """What is given: account and region, the embedded cluster that plays every EKS cluster, quotas in vCPU by code."""

    account: str
    region: str
    endpoint: str
    authority: str
    kubeconfig: str
    quotas: dict[str, float] = field(default_factory=dict)
    partition: str = "aws"


class World:
    """All resources, and the operations on them; each change is on disk before it is answered."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._lock = threading.RLock()
        document = json.loads(self._file.read_text())
        self.ground = Ground(**document["ground"])
        self._things = {(row["kind"], row["id"]): Thing(**row) for row in document["things"]}

    @classmethod
    def begin(cls, folder: Path, ground: Ground, seeds: list[Thing]) -> "World":
        """A new world with nothing but what was there before."""
        folder.mkdir(parents=True, exist_ok=True)
        document = {"ground": asdict(ground), "things": [asdict(seed) for seed in seeds]}
        (folder / FILE).write_text(json.dumps(document))
        return cls(folder)

    @property
    def lock(self) -> threading.RLock:
        """Held while a change is checked and made, so that no two of them see the same free name."""
        return self._lock

    def all(self, kind: str | None = None) -> Iterator[Thing]:
        """Resources, of one kind or of all."""
        with self._lock:
            yield from [thing for thing in self._things.values() if kind in (None, thing.kind)]

    def find(self, kind: str, id_: str) -> Thing | None:
        """A resource by id."""
        return self._things.get((kind, id_))

    def by(self, kind: str, output: str, value: object) -> Thing | None:
        """The resource of a kind whose id, output or input of that name has this value."""
        for thing in self.all(kind):
            have = thing.id if output == "id" else thing.outputs.get(output, thing.inputs.get(output))
            if have == value:
                return thing
        return None

    def put(self, thing: Thing) -> None:
        """Make or change a resource."""
        with self._lock:
            self._things[thing.kind, thing.id] = thing
            self._save()

    def remove(self, thing: Thing) -> None:
        """Delete a resource."""
        with self._lock:
            del self._things[thing.kind, thing.id]
            self._save()

    def own(self) -> list[Thing]:
        """Resources that the stack made."""
        return [thing for thing in self.all() if not thing.seeded]

    def _save(self) -> None:
        document = {"ground": asdict(self.ground), "things": [asdict(thing) for thing in self._things.values()]}
        scratch = self._file.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps(document))
        scratch.replace(self._file)


def at(inputs: Any, path: str) -> Any:
    """A value by dotted path; the first element of lists on the way, None where there is nothing."""
    here = inputs
    for part in path.split("."):
        if isinstance(here, list):
            here = here[0] if here else None
        if not isinstance(here, Mapping):
            return None
        here = here.get(part)
    return here


def values(inputs: Inputs, path: str) -> list[Any]:
    """Every value that an input holds: none, one, or those of a list."""
    found = at(inputs, path)
    if found is None:
        return []
    return list(found) if isinstance(found, list) else [found]
