"""The whole program under Pulumi's mocks: every registration as the engine would receive it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf import json_format
from muster import program, stack
from muster.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
STACKS = sorted(path.name.split(".")[1] for path in (ROOT / "stacks").glob("Pulumi.*.yaml"))
ENVIRON = {"HOME": "/home/someone", "KUBECONFIG": "/home/someone/.kube/config"}


class Echo(pulumi.runtime.Mocks):
    """A cloud that returns what it is given."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[Any, Any]:
        raise AssertionError(f"the program asks the outside world: {args.token}")


class NoCallbacks:
    """Takes hooks as the engine's callback server would, and never calls them."""

    def register_error_hook(self, hook: pulumi.ErrorHook) -> None:
        assert hook.name

    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        assert hook.name


@dataclass
class Registration:
    """One resource as registered."""

    kind: str
    name: str
    inputs: Mapping[str, Any]
    request: Any
    urn: str = field(default="")


class Recorder(pulumi.runtime.mocks.MockMonitor):  # type: ignore[misc]
    """Keeps every request; two resources of one name are an error, as they are for the engine."""

    def __init__(self) -> None:
        super().__init__(Echo())
        self.made: list[Registration] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the engine's name
        twins = [one for one in self.made if (one.kind, one.name) == (request.type, request.name)]
        assert not twins, f"two resources {request.type} {request.name}"
        answer = super().RegisterResource(request)
        inputs = json_format.MessageToDict(request.object)
        self.made.append(Registration(request.type, request.name, inputs, request, answer.urn))
        return answer


def run(name: str, *, preview: bool = True) -> tuple[Plan, list[Registration]]:
    """Declare a stack of the checkout; its plan and its registrations without stack and providers."""
    made = stack.from_file(name, ROOT, ENVIRON)
    recorder = Recorder()
    # Pulumi's test runner asks for a current event loop, which asyncio.run of any earlier test took away.
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(Echo(), "muster", name, preview, monitor=recorder)
    pulumi.runtime.settings.SETTINGS.callbacks = NoCallbacks()

    @pulumi.runtime.test
    def declare() -> None:
        program.declare(made)

    declare()
    return made, [one for one in recorder.made if one.kind != "pulumi:pulumi:Stack"]
