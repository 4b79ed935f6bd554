"""Every input of every resource against the SDK's own types: names, required ones, nesting.

The SDK takes any key of a dictionary; a misspelt one would first be seen by a cluster. `_types` and `_RESOURCE_MODULES`
are private to Pulumi, so their shape has a test of its own.
"""

import importlib
import inspect
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi_kubernetes as k8s
import pytest
from pulumi import _types

from tests.program.recorder import STACKS, run

UNTYPED = ("kubernetes:trainer.kubeflow.org", "kubernetes:scheduling.volcano.sh", "pulumi:providers")


def arguments_of(kind: str) -> type:
    """Input class of a resource, from its type token such as kubernetes:core/v1:Namespace."""
    _, module, name = kind.split(":")
    package, _, version = module.partition("/")
    found = importlib.import_module(f"pulumi_kubernetes.{package.replace('helm.sh', 'helm')}.{version}")
    file = importlib.import_module(getattr(found, name).__module__)
    return typing.cast(type, getattr(file, f"{name}InitArgs", None) or getattr(file, f"{name}Args"))


def nested(kind: Any) -> type | None:
    if isinstance(kind, type) and _types.is_input_type(kind):
        return kind
    return next((found for part in typing.get_args(kind) if (found := nested(part))), None)


def mistakes(kind: type, inputs: Mapping[str, Any], path: str) -> Iterator[str]:
    """Unknown and missing names, at any depth."""
    names = _types.input_type_py_to_pulumi_names(kind)
    types = _types.input_type_types(kind)
    wire = {pulumi_name: python_name for python_name, pulumi_name in names.items()}
    parameters = inspect.signature(kind.__init__).parameters
    for name, python_name in wire.items():
        if parameters[python_name].default is inspect.Parameter.empty and name not in inputs:
            yield f"{path}.{name}: missing"
    for name, value in inputs.items():
        if name not in wire:
            yield f"{path}.{name}: unknown"
            continue
        inner = nested(types.get(name))
        for item in value if isinstance(value, list) else [value]:
            if inner is not None and isinstance(item, dict):
                yield from mistakes(inner, item, f"{path}.{name}")


@pytest.mark.parametrize("stack", STACKS)
def test_inputs_fit_the_sdk(stack: str) -> None:
    _, made = run(stack)
    typed = [one for one in made if not one.kind.startswith(UNTYPED)]
    assert typed
    found = [text for one in typed for text in mistakes(arguments_of(one.kind), one.inputs, one.name)]
    assert found == []


def test_the_check_sees_mistakes() -> None:
    kind = arguments_of("kubernetes:core/v1:PersistentVolumeClaim")
    found = list(mistakes(kind, {"spec": {"resources": {"request": {}}}, "metadat": {}}, "claim"))
    assert found == ["claim.spec.resources.request: unknown", "claim.metadat: unknown"]
    assert list(mistakes(arguments_of("kubernetes:helm.sh/v3:Release"), {}, "release")) == ["release.chart: missing"]


def test_the_installed_sdk_is_the_pinned_one() -> None:
    assert k8s.Provider.__module__ == "pulumi_kubernetes.provider"
