"""Mistakes in what a user wrote: where, what was found, what would be right."""

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass

SHOWN = 60
"""Characters of a found text that a problem repeats."""


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake. `key` is the dotted path within the file, empty where the file as a whole is meant."""

    file: str
    key: str
    found: str
    expected: str

    def __str__(self) -> str:
        """The one line that the user reads."""
        where = f"{self.file}: {self.key}" if self.key else self.file
        return f"{where}: found {self.found}; expected {self.expected}"


class SettingsError(Exception):
    """What the user wrote can't be used; `problems` holds every mistake that was seen, sorted by file and key."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


def shown(value: object) -> str:
    """`value` as a problem names it: scalars as they would stand in JSON, the rest by their kind."""
    match value:
        case None:
            return "nothing"
        case dict():
            return "a map" if value else "an empty map"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case str():
            return json.dumps(value if len(value) <= SHOWN else value[: SHOWN - 1] + "…", ensure_ascii=False)
        case bool() | int() | float():
            return json.dumps(value)
        case _:
            return f"a {type(value).__name__}"


def hint(name: object, known: Iterable[str]) -> str:
    """` (did you mean x?)` for the known name closest to `name`, or nothing where none is close."""
    names = sorted(known)
    close = difflib.get_close_matches(str(name).lower(), [known.lower() for known in names], n=1, cutoff=0.6)
    return "".join(f" (did you mean {known}?)" for known in names if close and known.lower() == close[0])


def one_of(known: Iterable[str]) -> str:
    """The known names as a phrase."""
    names = sorted(known)
    return f"one of {', '.join(names)}" if len(names) > 1 else "".join(names)
