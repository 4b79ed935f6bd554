"""What differs in a resource, field by field, as a report may show it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from muster.preview import Change
from muster.report import veil

CONTEXT = 20
"""Characters that are shown before the first one that differs."""
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
        """Whether the values are not shown, or are the same in few characters."""
        return self.before == self.after


def of(change: Change) -> tuple[FieldChange, ...]:
    """Fields of a resource that differ, as deep as they can be told, in the order of their paths."""
    deepest = [path for path in change.fields if not any(_is_below(other, path) for other in change.fields)]
    return tuple(found for path in deepest for found in _fields(change, path))


def _is_below(path: str, other: str) -> bool:
    return path.startswith((f"{other}.", f"{other}["))


def _fields(change: Change, path: str) -> Iterable[FieldChange]:
    steps = [_key(*found) for found in _STEP.findall(path)]
    (before, one), (after, other) = _walk(change.old, steps), _walk(change.new, steps)
    return _differences(path, before, after, secret=change.noun == SECRET or one or other)


def _differences(path: str, before: Any, after: Any, *, secret: bool) -> Iterable[FieldChange]:
    """What differs below a path; a map on both sides key by key, a list of one length item by item."""
    match before, after:
        case (Mapping(), Mapping()) if not secret:
            hidden = any(veil.is_secret_key(str(side.get("name", ""))) for side in (before, after))
            for key in dict.fromkeys((*before, *after)):
                if before.get(key) != after.get(key):
                    held = hidden or veil.is_secret_key(str(key))
                    yield from _differences(f"{path}.{key}", before.get(key), after.get(key), secret=held)
        case (list(), list()) if not secret and len(before) == len(after):
            for index, (one, other) in enumerate(zip(before, after, strict=True)):
                if one != other:
                    held = index > 0 and veil.is_secret_option(before[index - 1])
                    yield from _differences(f"{path}[{index}]", one, other, secret=held)
        case (str(), str()) if not secret and _cut_alike(before, after):
            start = max(0, _common(before, after) - CONTEXT)
            yield FieldChange(path, f"…{veil.value(before[start:])}", f"…{veil.value(after[start:])}")
        case _:
            yield FieldChange(path, veil.value(before, secret=secret), veil.value(after, secret=secret))


def _cut_alike(before: str, after: str) -> bool:
    """Whether two texts that differ would look the same, because they are long and begin alike."""
    return before != after and veil.value(before) == veil.value(after) == veil.cut(after)


def _common(before: str, after: str) -> int:
    """Length of the common beginning."""
    return next((at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), len(before))


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
