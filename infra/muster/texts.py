"""Kinds of text that a stack file may hold, each with its syntax and the words in which a mistake is told."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from muster import durations, gang, moments, names, networks, quantities
from muster.problems import hint, one_of

MISTAKE = "muster"
"""Type of the validation errors that already say what was expected."""


@dataclass(frozen=True)
class Text:
    """Text of one kind: what to call it, the pattern it matches, and a measure that must be above zero."""

    expected: str
    pattern: str
    measure: Callable[[str], object] | None = None

    def check(self, text: str) -> str:
        """`text` itself. Raises a validation error that says what was expected."""
        if re.match(self.pattern, text) is None or text.endswith("\n") or (self.measure and not self.measure(text)):
            raise PydanticCustomError(MISTAKE, "{expected}", {"expected": self.expected})
        return text

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic checks it."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """How the JSON Schema says it; editors show the words of `patternErrorMessage`."""
        return {**handler(schema), "pattern": self.pattern, "patternErrorMessage": f"expected {self.expected}"}


@dataclass(frozen=True)
class Number(Text):
    """Text that may also be written as a bare number: `cpu: 2` means `cpu: "2"`, as in Kubernetes."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Numbers beside text."""
        return {**super().__get_pydantic_json_schema__(schema, handler), "type": ["string", "number"]}


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _foreign_queue(name: str) -> str:
    if name in ("default", "root"):
        raise PydanticCustomError(MISTAKE, "another name: the gang scheduler makes queues default and root itself")
    return name


def _selectable(scheduler: str) -> str:
    if scheduler not in gang.BACKENDS:
        why = gang.REFUSED.get(scheduler)
        expected = one_of(gang.BACKENDS) + (f": {why}" if why else hint(scheduler, gang.BACKENDS))
        raise PydanticCustomError(MISTAKE, "{expected}", {"expected": expected})
    return scheduler


@dataclass(frozen=True)
class Choice:
    """Text that is one of the rows of a table; `check` refuses the others."""

    check: Callable[[str], str]
    options: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic checks it."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The options, where they are known."""
        return {**handler(schema), **({"enum": sorted(self.options)} if self.options else {})}


def above_zero(text: str) -> bool:
    """Whether a quantity is above zero; a text that is no quantity is not."""
    return quantities.amount(text) > 0


Label = Annotated[str, Text("a name of at most 63 lower-case letters, digits and hyphens, a letter first", names.LABEL)]
Namespace = Annotated[str, Text("a name of at most 63 lower-case letters, digits and hyphens", names.LABEL_1123)]
QueueName = Annotated[Label, Choice(_foreign_queue)]
StorageName = Annotated[
    str, Text("a name of at most 55 lower-case letters, digits and hyphens, a letter first", names.STORAGE)
]
Subdomain = Annotated[str, Text("a name of lower-case letters, digits, hyphens and dots", names.SUBDOMAIN)]
LabelKey = Annotated[str, Text("a label key such as muster.dev/pool", names.QUALIFIED)]
LabelValue = Annotated[str, Text("a label value: at most 63 letters, digits, -, _ and .", names.LABEL_VALUE)]
ResourceName = Annotated[str, Text("a resource name such as cpu, memory or nvidia.com/gpu", names.QUALIFIED)]
EnvName = Annotated[str, Text("a variable's name: letters, digits and underscores, no digit first", names.ENV)]
AbsolutePath = Annotated[
    str,
    Text(
        "an absolute path without empty, . and .. parts, such as /checkpoints", r"^(/(?!\.{1,2}(/|$))[^/:\x00-\x1f]+)+$"
    ),
]
Image = Annotated[
    str,
    Text(
        "an image reference such as docker.io/muster/deepspeed:cpu",
        r"^(?=.{1,500}$)[\w][\w.:/-]*(@[\w+.-]+:[0-9a-f]+)?$",
    ),
]
FileName = Annotated[str, Text("the name of a file or folder", r"^[A-Za-z0-9][-._A-Za-z0-9]*$")]
Line = Annotated[str, Text("text of at least one character", r"^[^\x00-\x1f]+$")]
Quantity = Annotated[
    str,
    Number("a Kubernetes quantity above zero such as 500m, 2 or 16Gi", quantities.PATTERN, above_zero),
    BeforeValidator(_number_as_text),
]
Account = Annotated[str, Text('an account of 12 digits such as "123456789012"', r"^[0-9]{12}$")]
Region = Annotated[str, Text("a region such as us-west-2", r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
Zone = Annotated[
    str, Text("the id of a zone such as usw2-az2 (ids mean the same in every account)", r"^[a-z]{3,}[0-9]-az[1-9]$")
]
Version = Annotated[str, Text('a minor version such as "1.35"', r"^1\.[0-9]{2}$")]
Arn = Annotated[str, Text("an ARN such as arn:aws:iam::123456789012:role/admin", r"^arn:aws[a-z-]*:[^\s]+$")]
Cidr = Annotated[
    str, Text("a network such as 10.0.0.0/16, no bit set behind the prefix", networks.PATTERN, networks.valid)
]
ClusterName = Annotated[
    str,
    Text("a name of at most 100 letters, digits, hyphens and underscores", r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"),
]
VpcId = Annotated[str, Text("the id of a VPC such as vpc-0a1b2c3d", r"^vpc-[0-9a-f]{8,17}$")]
SubnetId = Annotated[str, Text("the id of a subnet such as subnet-0a1b2c3d", r"^subnet-[0-9a-f]{8,17}$")]
Reservation = Annotated[str, Text("the id of a reservation such as cr-0a1b2c3d4e5f60718", r"^cr-[0-9a-f]{8,17}$")]
Release = Annotated[str, Text("a release such as 1.35.4-20261023", r"^[0-9]+\.[0-9]+\.[0-9]+-[0-9a-f]{8}$")]
BucketName = Annotated[
    str,
    Text(
        "the name of a bucket: 3 to 63 lower-case letters, digits, hyphens and dots",
        r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
    ),
]
Registry = Annotated[
    str,
    Text(
        "a registry's host, and a path in it, such as registry.example.com/mirror",
        r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]+([._-][a-z0-9]+)*)*$",
    ),
]
RepositoryName = Annotated[
    str,
    Text(
        "a repository such as team/deepspeed: lower-case letters, digits, . _ - /",
        r"^(?=.{2,256}$)[a-z0-9]+([._/-][a-z0-9]+)*$",
    ),
]
Email = Annotated[str, Text("an e-mail address", r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Timestamp = Annotated[
    str,
    Text("a time in UTC such as 2026-12-01T11:30:00Z", moments.PATTERN, moments.valid),
    BeforeValidator(moments.unprinted),
]
Date = Annotated[
    str,
    Text("a day such as 2026-12-31", moments.DAY, moments.valid),
    BeforeValidator(moments.unprinted_day),
]
Duration = Annotated[str, Text("a duration above zero such as 90s, 10m or 1h30m", durations.PATTERN, durations.seconds)]
Scheduler = Annotated[str, Choice(_selectable, tuple(gang.BACKENDS))]
