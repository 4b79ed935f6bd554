"""What the engine says an update would change: `pulumi preview --json`, read into plain changes.

https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/display/json.go
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from muster.problems import Problem, SettingsError

Operation = Literal["create", "update", "replace", "delete", "same"]
Properties = Mapping[str, Any]

STACK = "pulumi:pulumi:Stack"
OPERATIONS: Mapping[str, Operation] = {
    "create": "create",
    "import": "create",
    "update": "update",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "import-replacement": "replace",
    "delete": "delete",
    "same": "same",
    "refresh": "same",
    "read": "same",
}
"""Operation by the engine's own word; words that are not here say nothing about what is there, such as `discard`."""


@dataclass(frozen=True)
class Change:
    """One resource of the stack and what an update would do to it. Values that Pulumi holds secret read `[secret]`.

    `old` and `new` are inputs, empty where there is no such state. `fields` are the dotted paths of inputs that differ,
    `replaces` those of them that make it a replacement.
    """

    urn: str
    kind: str
    """Type token such as aws:eks/nodeGroup:NodeGroup."""
    name: str
    """Logical name within the stack."""
    operation: Operation
    old: Properties = field(default_factory=dict)
    new: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    """Outputs before the update."""
    fields: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    protected: bool = False
    unprotected: bool = False
    """Whether the update takes the protection away."""
    protects: bool = False
    """Whether it is protected after the update."""

    @property
    def noun(self) -> str:
        """Last word of the type token, such as NodeGroup."""
        return self.kind.rpartition(":")[2]


@dataclass(frozen=True)
class Preview:
    """All resources of a stack, changed or not, in the engine's order; without the stack itself."""

    changes: tuple[Change, ...]
    warnings: tuple[str, ...] = ()
    """What the engine and the program warned of."""
    errors: tuple[str, ...] = ()
    before: Properties = field(default_factory=dict)
    """Outputs of the stack as they were."""
    left_out: int = 0
    """How many resources stay as they are and are not in it: those of an engine without --show-sames."""

    def changed(self) -> tuple[Change, ...]:
        """Resources that don't stay as they are."""
        return tuple(change for change in self.changes if change.operation != "same")


def load(text: str, file: str) -> Preview:
    """A preview from JSON text that came from `file`. Raises SettingsError where it is none."""
    try:
        document = json.loads(text)
        return parse(document)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SettingsError([Problem(file, "", "no preview", "the output of: pulumi preview --json")]) from None


def parse(document: Mapping[str, Any]) -> Preview:
    """A preview from the engine's document. Raises KeyError, TypeError or AttributeError where it is none."""
    steps = [step for step in document["steps"] if step["op"] in OPERATIONS]
    stack: Mapping[str, Any] = next((step for step in steps if kind_of(step["urn"]) == STACK), {})
    changes: dict[str, Change] = {}
    for step in steps:
        if kind_of(step["urn"]) != STACK:
            change = _change(step)
            before = changes.get(change.urn)
            changes[change.urn] = _joined(before, change) if before else change
    said = document.get("diagnostics") or ()
    same = (document.get("changeSummary") or {}).get("same", 0)
    return Preview(
        changes=tuple(changes.values()),
        warnings=tuple(_said(said, "warning")),
        errors=tuple(_said(said, "error")),
        before=(stack.get("oldState") or {}).get("outputs") or {},
        left_out=max(0, same - sum(step["op"] == "same" for step in steps)),
    )


def kind_of(urn: str) -> str:
    """Type of a resource by its URN: https://www.pulumi.com/docs/iac/concepts/resources/names/#urns."""
    return urn.split("::")[2].rpartition("$")[2]


def _change(step: Mapping[str, Any]) -> Change:
    old, new = step.get("oldState") or {}, step.get("newState") or {}
    return Change(
        urn=step["urn"],
        kind=kind_of(step["urn"]),
        name=step["urn"].rpartition("::")[2],
        operation=OPERATIONS[step["op"]],
        old=old.get("inputs") or {},
        new=new.get("inputs") or {},
        outputs=old.get("outputs") or {},
        fields=tuple(sorted({*(step.get("detailedDiff") or {}), *(step.get("diffReasons") or ())})),
        replaces=tuple(step.get("replaceReasons") or ()),
        protected=bool(old.get("protect")),
        unprotected=bool(old.get("protect") and new and not new.get("protect")),
        protects=bool(new.get("protect")),
    )


def _joined(one: Change, other: Change) -> Change:
    """Two steps of one resource: a replacement is told as a creation and a deletion."""
    return Change(
        urn=one.urn,
        kind=one.kind,
        name=one.name,
        operation="replace" if "replace" in (one.operation, other.operation) else one.operation,
        old=one.old or other.old,
        new=one.new or other.new,
        outputs=one.outputs or other.outputs,
        fields=tuple(sorted({*one.fields, *other.fields})),
        replaces=tuple(dict.fromkeys((*one.replaces, *other.replaces))),
        protected=one.protected or other.protected,
        unprotected=one.unprotected or other.unprotected,
        protects=one.protects or other.protects,
    )


def _said(diagnostics: Iterable[Mapping[str, Any]], severity: str) -> Iterable[str]:
    """Messages of a severity, without its name in front and the terminal's colour marks `<{%reset%}>`."""
    for one in diagnostics:
        if one.get("severity") == severity:
            text = str(one.get("message", ""))
            while (start := text.find("<{%")) >= 0 and (end := text.find("%}>", start)) >= 0:
                text = text[:start] + text[end + 3 :]
            yield text.strip().removeprefix(f"{severity}: ")
