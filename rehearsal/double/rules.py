"""The double's table of rules as typed data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

FILE = Path(__file__).with_name("rules.yaml")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


class Reference(_Model):
    """An input that names another resource, by its output `output`."""

    to: str
    output: str = "id"
    missing: str
    in_use: str | None = None


class Unique(_Model):
    """Inputs that only one resource may have together."""

    by: tuple[str, ...]
    code: str


class Rule(_Model):
    """One kind of resource."""

    id: str
    import_id: str | None = None
    outputs: Mapping[str, Any] = {}
    replace: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    refers: Mapping[str, Reference] = {}
    unique: Unique | None = None
    refuse: tuple[str, ...] = ()
    refuse_delete: tuple[str, ...] = ()
    seconds: float = Field(default=0.0, ge=0)
    """How long creation takes in a rehearsal; AWS takes minutes."""
    source: str


class Refusal(_Model):
    """One thing that AWS refuses: its error code, and the page or issue that says so."""

    code: str
    source: str


class Rules(_Model):
    """The whole table."""

    resources: Mapping[str, Rule]
    refusals: Mapping[str, Refusal]


def load() -> Rules:
    """The table of this package. Raises pydantic.ValidationError for a malformed one, which a unit test rules out."""
    return Rules.model_validate(yaml.load(FILE.read_text(), Loader=yaml.CSafeLoader))
