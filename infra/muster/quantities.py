"""Kubernetes quantities: `500m`, `2`, `16Gi`, `1e3`.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from decimal import Decimal

PATTERN = r"^\+?([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$"
"""Syntax of a quantity without a minus sign."""

_SUFFIXES = {
    "": Decimal(1),
    **{
        letter: Decimal(10) ** power
        for letter, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)
    },
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}
_SYNTAX = re.compile(PATTERN)


def amount(text: str) -> Decimal:
    """Value of a quantity in base units (cores, bytes, devices). Raises ValueError where `text` is none."""
    match = _SYNTAX.match(text)
    if match is None or text.endswith("\n"):
        raise ValueError(f"not a quantity: {text!r}")
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in _SUFFIXES:
        return number * _SUFFIXES[suffix]
    return number.scaleb(int(suffix[1:]))


def gibibytes(bytes_: Decimal) -> str:
    """A whole number of Gi, rounded down."""
    return f"{int(bytes_ / 1024**3)}Gi"
