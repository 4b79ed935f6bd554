"""What a stack file may say: every key, its type and its meaning, and nothing about how the parts fit together."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from muster import documents, durations, gang, mistakes, names, quantities
from muster.problems import Problem, SettingsError, hint, one_of, shown

NAMESPACE = "muster:"
"""Prefix of this project's keys in a stack file; keys of other namespaces belong to their providers."""

EXPECTED = {
    "rfc1035-label": "a name of at most 63 lower-case letters, digits and hyphens that starts with a letter",
    "rfc1123-label": "a name of at most 63 lower-case letters, digits and hyphens",
    "rfc1123-subdomain": "a name of lower-case letters, digits, hyphens and dots",
    "storage-name": "a name of at most 55 lower-case letters, digits and hyphens",
    "label-key": "a label key such as muster.dev/pool",
    "label-value": "a label value: at most 63 letters, digits, hyphens, underscores and dots",
    "resource-name": "a resource name such as cpu, memory or nvidia.com/gpu",
    "env-name": "an environment variable's name: letters, digits and underscores, no digit first",
    "absolute-path": "an absolute path without . and .. parts, such as /checkpoints",
    "image": "an image reference such as docker.io/muster/deepspeed:cpu",
    "quantity": "a Kubernetes quantity above zero such as 500m, 2 or 16Gi",
    "duration": "a duration above zero such as 90s, 10m or 1h30m",
    "queue-name": "another name: the gang scheduler has queues default and root of its own",
    "gang-scheduler": one_of(gang.BACKENDS),
}
"""What each `format` of the schema asks for, as the end of a sentence that starts with "expected"."""


def _matching(format_: str, pattern: str) -> Any:
    """Text that matches `pattern`."""
    syntax = re.compile(pattern)

    def check(text: str) -> str:
        if syntax.match(text) is None or text.endswith("\n"):
            raise PydanticCustomError("muster", "{expected}", {"expected": EXPECTED[format_]})
        return text

    return _described(AfterValidator(check), {"type": "string", "format": format_, "pattern": pattern})


def _measured(format_: str, pattern: str, measure: Callable[[str], object]) -> Any:
    """Text that `measure` turns into a number above zero."""

    def check(text: str) -> str:
        try:
            value = measure(text)
        except ValueError:
            value = 0
        if not value:
            raise PydanticCustomError("muster", "{expected}", {"expected": EXPECTED[format_]})
        return text

    return _described(AfterValidator(check), {"type": "string", "format": format_, "pattern": pattern})


def _described(validator: AfterValidator, schema: dict[str, Any]) -> Any:
    return Annotated[str, validator, WithJsonSchema(schema)]


def _number_as_text(value: object) -> object:
    """`cpu: 2` means `cpu: "2"`, as in Kubernetes."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _not_volcanos(name: str) -> str:
    if name in ("default", "root"):
        raise PydanticCustomError("muster", "{expected}", {"expected": EXPECTED["queue-name"]})
    return name


def _selectable(scheduler: str) -> str:
    """The backend, unless this project does not offer it; then why."""
    if scheduler not in gang.BACKENDS:
        why = gang.REFUSED.get(scheduler)
        expected = one_of(gang.BACKENDS) + (f": {why}" if why else hint(scheduler, gang.BACKENDS))
        raise PydanticCustomError("muster", "{expected}", {"expected": expected})
    return scheduler


def _normal(path: str) -> str:
    """`/a//b/` means `/a/b`."""
    return "/" + "/".join(part for part in path.split("/") if part)


ABSOLUTE = r"^/(?!.*(^|/)\.\.?(/|$))[^:\s]*$"

