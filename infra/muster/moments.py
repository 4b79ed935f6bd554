"""Moments in UTC as people write them: `2026-12-01T11:30:00Z`."""

import re
from datetime import UTC, datetime

PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

_GO = re.compile(r"^([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9:]{8}) \+0000 UTC$")


def unprinted(value: object) -> object:
    """`value`, where Pulumi's engine has read an unquoted time and printed it as Go does, as it was written."""
    return _GO.sub(r"\1T\2Z", value) if isinstance(value, str) else value


def unprinted_day(value: object) -> object:
    """The same for an unquoted day, which the engine takes for its first moment."""
    return _GO.sub(r"\1", value) if isinstance(value, str) else value


def parse(text: str) -> datetime:
    """The moment. Raises ValueError where `text` is none."""
    return datetime.fromisoformat(text).astimezone(UTC)


def valid(text: str) -> bool:
    """Whether `text` is a moment that exists."""
    try:
        parse(text)
    except ValueError:
        return False
    return True


def text(moment: datetime) -> str:
    """The moment in minutes, as a line for people: `2026-12-01 11:30 UTC`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
