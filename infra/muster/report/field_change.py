"""What differs in a resource, field by field, as a report may show it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from muster.preview import Change
from muster.report import veil

SECRET = "Secret"  # noqa: S105 - the kind of a Kubernetes object
_STEP = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[]+)')
"""A step of a property path: https://www.pulumi.com/docs/iac/concepts/resources/options/ignorechanges/#property-paths"""


@dataclass(frozen=True)
class FieldChange:
    """A field by its dotted path, and its values before and after in few characters."""

    path: str
    before: str
    after: str

    @property
    def hidden(self) -> bool:
        """Whether the values are not shown."""
        return self.before == self.after


def of(change: Change) -> tuple[FieldChange, ...]:
    """Fields of a resource that differ, in the order of their paths."""
    return tuple(_field(change, path) for path in change.fields)


def _field(change: Change, path: str) -> FieldChange:
    steps = [_key(*found) for found in _STEP.findall(path)]
    (before, one), (after, other) = _walk(change.old, steps), _walk(change.new, steps)
    kept = change.noun == SECRET or one or other
    return FieldChange(path, veil.value(before, secret=kept), veil.value(after, secret=kept))


def _key(quoted: str, index: str, plain: str) -> str | int:
    return int(index) if index else quoted or plain


def _walk(found: Any, steps: list[str | int]) -> tuple[Any, bool]:
    """The value at a path, None where there is none, and whether it may be a secret by a key on the way."""
    secret = any(isinstance(step, str) and veil.is_secret_key(step) for step in steps)
    for step in steps:
        match found:
            case Mapping():
                secret = secret or veil.is_secret_key(str(found.get("name", "")))
                found = found.get(str(step))
            case list() if isinstance(step, int) and step < len(found):
                found = found[step]
            case _:
                return None, secret or found == veil.SEALED
    return found, secret
