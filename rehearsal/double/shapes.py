"""Inputs against the types of the Pulumi SDK: names, required ones, nesting and kinds.

The SDK takes any key of a dictionary; a misspelt one would first be seen by the cloud. `_types` and `_RESOURCE_MODULES`
are private to Pulumi, so their shape has a test of its own.
"""

import importlib
import inspect
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi import _types
from pulumi.runtime import rpc

UNKNOWN = rpc.UNKNOWN
SCALARS = {bool: (bool,), int: (int,), float: (int, float), str: (str,)}


def arguments_of(kind: str) -> type:
    """Input class of a resource, from its type token such as aws:ec2/vpc:Vpc. Raises KeyError for an unknown one."""
    package, module, _ = kind.split(":")
    importlib.import_module(f"pulumi_{package}")
    info = rpc._RESOURCE_MODULES[f"{package}:{module}"][0].mod_info  # type: ignore[attr-defined]
    found = getattr(importlib.import_module(info["fqn"]), info["classes"][kind])
    file = importlib.import_module(found.__module__)
    name = found.__name__
    return typing.cast(type, getattr(file, f"{name}InitArgs", None) or getattr(file, f"{name}Args"))


def mistakes(kind: type, inputs: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Unknown and missing names and wrong kinds of value, at any depth, each as `path: what`."""
    names = _types.input_type_py_to_pulumi_names(kind)
    types = _types.input_type_types(kind)
    parameters = inspect.signature(kind.__init__).parameters  # type: ignore[misc]
    wire = {pulumi_name: python_name for python_name, pulumi_name in names.items()}
    for name, python_name in wire.items():
        if parameters[python_name].default is inspect.Parameter.empty and name not in inputs:
            yield f"{path}{name}: missing"
    for name, value in inputs.items():
        if name.startswith("__"):
            continue
        if name not in wire:
            yield f"{path}{name}: unknown"
            continue
        yield from _value(types.get(name), value, f"{path}{name}")


def _value(kind: Any, value: Any, path: str) -> Iterator[str]:
    if value is None or value == UNKNOWN:
        return
    inner, text = _nested(kind), str in typing.get_args(kind)
    for item in value if isinstance(value, list) else [value]:
        if inner is not None and isinstance(item, dict):
            yield from mistakes(inner, item, f"{path}.")
        elif inner is not None and item != UNKNOWN and not (text and isinstance(item, str)):
            yield f"{path}: {item!r} where a map is wanted"
    scalar = _scalar(kind)
    if inner is None and scalar is not None and not _fits(scalar, value):
        yield f"{path}: {value!r} where {scalar.__name__} is wanted"


def _fits(scalar: type, value: Any) -> bool:
    if scalar is not bool and isinstance(value, bool):
        return False
    if scalar is int and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, SCALARS[scalar])


def _nested(kind: Any) -> type | None:
    if isinstance(kind, type) and _types.is_input_type(kind):
        return kind
    return next((found for part in typing.get_args(kind) if (found := _nested(part))), None)


def _scalar(kind: Any) -> type | None:
    """The one scalar type that a value must have; None for lists, maps and unions of several."""
    if kind in SCALARS:
        return typing.cast(type, kind)
    origin = typing.get_origin(kind)
    if origin is not None and isinstance(origin, type) and not issubclass(origin, type(None)):
        name = getattr(origin, "__name__", "")
        if name in ("Sequence", "Mapping", "list", "dict"):
            return None
    found = {part for part in (_scalar(part) for part in typing.get_args(kind)) if part is not None}
    lists = any(
        getattr(typing.get_origin(part), "__name__", "") in ("Sequence", "Mapping") for part in typing.get_args(kind)
    )
    return found.pop() if len(found) == 1 and not lists else None
