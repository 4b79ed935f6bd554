"""Durations as people write them: `90s`, `10m`, `2h`, `1h30m`, `2d`."""

import re

PATTERN = r"^(?=[0-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$"
"""Days, hours, minutes and seconds, largest first, each a whole number with its letter."""

_SYNTAX = re.compile(PATTERN)
_SECONDS = (86_400, 3_600, 60, 1)


def seconds(text: str) -> int:
    """Length of a duration in seconds. Raises ValueError where `text` is none."""
    match = _SYNTAX.match(text)
    if match is None or text.endswith("\n"):
        raise ValueError(f"not a duration: {text!r}")
    return sum(int(part[:-1]) * unit for part, unit in zip(match.groups(), _SECONDS, strict=True) if part)


def text(seconds_: int) -> str:
    """The shortest duration of that length."""
    parts, rest = [], seconds_
    for unit, letter in zip(_SECONDS, "dhms", strict=True):
        count, rest = divmod(rest, unit)
        parts.append(f"{count}{letter}" if count else "")
    return "".join(parts) or "0s"


def rough(seconds_: int) -> str:
    """A duration in its two largest units: `2d3h`, `4m10s`."""
    parts = re.findall(r"[0-9]+[dhms]", text(seconds_))
    return "".join(parts[:2])
