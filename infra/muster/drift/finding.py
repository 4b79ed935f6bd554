"""Differences between what is wanted and what is there, before anybody judges them."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal

from muster.report import veil

Path = tuple[str, ...]
"""Keys down to a value; an element of a list stands as its name or number in brackets, such as `[node]`."""


class Nothing(Enum):
    """The one value that says: there is none."""

    ABSENT = "absent"


ABSENT: Final = Nothing.ABSENT
Kinship = Literal["stack", "release", "pool", "cloud"]
"""Who declares a thing: the stack on its cluster, a Helm release, a pool that makes nodes, the stack on its cloud."""


@dataclass(frozen=True)
class Difference:
    """One field. `wanted` or `found` is ABSENT where that side has none; `pointer` leads to it in the live object.

    The pointer is a JSON pointer: https://datatracker.ietf.org/doc/html/rfc6901
    """

    path: Path
    wanted: Any
    found: Any
    pointer: str = ""


@dataclass(frozen=True)
class Thing:
    """What differs: an object of the cluster or a resource of the cloud.

    `resource` is what kubectl calls its kind, empty for resources of the cloud. `of` names the release or pool that it
    belongs to, `home` the namespace of that release and `revision` the deployed one; of a rule the first two are its
    security group and region. What is `immutable` can only be made anew.
    """

    kind: str
    name: str
    kinship: Kinship
    namespace: str = ""
    of: str = ""
    home: str = ""
    revision: int = 0
    resource: str = ""
    immutable: bool = False

    @property
    def title(self) -> str:
        """Kind and name as a person reads them."""
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {where}"


@dataclass(frozen=True)
class Finding:
    """One difference of one thing; a thing that is not there at all has an empty path."""

    thing: Thing
    difference: Difference

    @property
    def gone(self) -> bool:
        """Whether the whole thing is not there."""
        return not self.difference.path and self.difference.found is ABSENT

    @property
    def extra(self) -> bool:
        """Whether it is there and nobody declares it."""
        return self.difference.wanted is ABSENT

    @property
    def secret(self) -> bool:
        """Whether its values may be secrets."""
        path = self.difference.path
        return path != () and (self.thing.kind == "Secret" or any(map(veil.is_secret_key, path)))
