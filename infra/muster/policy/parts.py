"""What policies speak of: resources as they are registered, what judging needs to know besides, and what is found."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

Severity = Literal["mandatory", "advisory"]
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""A value that a preview can't know yet, as the engine writes it.

https://github.com/pulumi/pulumi/blob/v3.259.0/sdk/go/common/resource/plugin/rpc.go
"""
SECRET = "[secret]"  # noqa: S105 - what stands for one
"""A value that the engine doesn't show: https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/backend/display/json.go"""


@dataclass(frozen=True)
class Resource:
    """One resource as it is registered. `props` are its inputs, keys in camelCase as the engine has them."""

    urn: str
    kind: str
    """Type token such as aws:eks/nodeGroup:NodeGroup."""
    name: str
    """Logical name within the stack."""
    props: Mapping[str, Any] = field(default_factory=dict)
    protected: bool = False
    """Whether Pulumi refuses to delete it."""

    @property
    def noun(self) -> str:
        """Last word of the type token, such as NodeGroup."""
        return self.kind.rpartition(":")[2]

    def at(self, path: str) -> Any:
        """The input at a dotted path; None where there is none, UNKNOWN where it can't be known or seen."""
        here: Any = self.props
        for part in path.split("."):
            if not isinstance(here, Mapping):
                return UNKNOWN if hidden(here) else None
            here = here.get(part)
        return UNKNOWN if hidden(here) else here


@dataclass(frozen=True)
class Exemption:
    """One rule that some resources need not keep for a while. `until` is its last day, UTC."""

    name: str
    rule: str
    resource: str
    """Glob of logical names."""
    reason: str
    until: date
    expired: bool = False


@dataclass(frozen=True)
class Context:
    """What no resource says of itself. `hourly` and `ceiling` are USD an hour; `hourly` is None without a price."""

    stack: str
    production: bool = False
    hourly: float | None = None
    ceiling: float | None = None
    required_tags: tuple[str, ...] = ()
    allowed_registries: tuple[str, ...] = ()
    exemptions: tuple[Exemption, ...] = ()


@dataclass(frozen=True)
class Finding:
    """A rule that a resource breaks. `resource` is its logical name; the stack's name where it is of no resource."""

    rule: str
    severity: Severity
    resource: str
    reason: str
    remedy: str
    exempted_until: date | None = None
    kind: str = ""
    """Last word of the resource's type; empty where it is of no resource."""

    @property
    def blocks(self) -> bool:
        """Whether the stack may not be deployed like this."""
        return self.severity == "mandatory" and self.exempted_until is None


Breach = tuple[Resource | None, str]
"""The resource that breaks a rule, None where it is the stack as a whole, and what was found there."""


@dataclass(frozen=True)
class Rule:
    """One policy. `each` judges a resource by itself and says what it found; `together` judges all at once."""

    name: str
    severity: Severity
    reason: str
    """What the rule protects from, as the second half of a sentence that begins with what was found."""
    remedy: str
    source: str
    """Where the facts behind it stand."""
    each: Callable[[Resource], Iterable[str]] | None = None
    together: Callable[[Sequence[Resource], Context], Iterable[Breach]] | None = None

    def breaches(self, resources: Sequence[Resource], context: Context) -> Iterator[Breach]:
        """Every breach of the rule, in the order of the resources."""
        if self.each is not None:
            yield from ((resource, found) for resource in resources for found in self.each(resource))
        if self.together is not None:
            yield from self.together(resources, context)

    def finding(self, breach: Breach, stack: str) -> Finding:
        """A breach in the words that people read."""
        resource, found = breach
        name, kind = (resource.name, resource.noun) if resource else (stack, "")
        return Finding(self.name, self.severity, name, f"{found}: {self.reason}", self.remedy, None, kind)


def of_kind(resources: Sequence[Resource], *kinds: str) -> Iterator[Resource]:
    """Resources of these type tokens."""
    return (resource for resource in resources if resource.kind in kinds)


def hidden(value: object) -> bool:
    """Whether a value can't be judged: not known yet, or a secret."""
    return value in (UNKNOWN, SECRET) if isinstance(value, str) else False


def unclear(value: object) -> bool:
    """Whether a value, or an item of a list, can't be judged."""
    return hidden(value) or any(map(hidden, items(value)))


def mapping(value: object) -> Mapping[str, Any]:
    """A map; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[Any]:
    """A list; an empty one for anything else."""
    return value if isinstance(value, list | tuple) else ()


def maps(value: object) -> Sequence[Mapping[str, Any]]:
    """The maps in a list."""
    return [item for item in items(value) if isinstance(item, Mapping)]


def number(value: object) -> float | None:
    """A number; None for anything else."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def is_on(value: object) -> bool:
    """Whether a switch is on; some resources of AWS take `"true"` for true."""
    return value is True or value == "true"
