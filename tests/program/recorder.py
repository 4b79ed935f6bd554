"""The whole program under Pulumi's mocks: every registration as the engine would receive it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf import json_format
from muster import program, stack
from muster.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
STACKS = sorted(path.name.split(".")[1] for path in (ROOT / "stacks").glob("Pulumi.*.yaml"))
NOW = "2026-11-23T00:00:00Z"
ENVIRON = {"HOME": "/home/someone", "KUBECONFIG": "/home/someone/.kube/config", "MUSTER_NOW": NOW}
CLUSTER_GROUP = "sg-of-the-cluster"
Questions = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


class Echo(pulumi.runtime.Mocks):
    """A cloud that returns what it is given, and answers what an AWS program asks before it makes anything."""

    def __init__(self, plan: Plan | None = None, answers: Questions | None = None) -> None:
        self.plan, self.answers = plan, answers or well

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        made = dict(args.inputs)
        if args.typ == "aws:eks/cluster:Cluster":
            made |= {"endpoint": "https://eks", "certificateAuthority": {"data": "Q0E="}}
            made["vpcConfig"] = {**made["vpcConfig"], "clusterSecurityGroupId": CLUSTER_GROUP}
        if args.typ == "aws:ec2/capacityReservation:CapacityReservation" and self.plan and self.plan.aws:
            group = next(g for g in self.plan.aws.groups if g.capacity.reservation == args.resource_id)
            zone = f"name-of-{group.zones[0]}"
            made |= {"instanceType": group.type.name, "availabilityZone": zone, "instanceCount": group.nodes}
        return f"{args.name}-id", made

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[Any, Any]:
        return dict(self.answers(args.token, args.args))


def well(token: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Answers of an AWS that has everything everywhere."""
    match token.rpartition(":")[2]:
        case "getInstanceTypeOfferings":
            filters = {row["name"]: row["values"] for row in asked["filters"]}
            rows = [(zone, name) for zone in filters["location"] for name in filters["instance-type"]]
            return {"locations": [zone for zone, _ in rows], "instanceTypes": [name for _, name in rows]}
        case "getServiceQuota":
            return {"value": 1e6, "quotaName": "Running instances"}
        case "getAvailabilityZone":
            return {"name": f"name-of-{asked['zoneId']}", "zoneId": asked["zoneId"]}
    raise AssertionError(f"the program asks the outside world: {token}")


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

    def __init__(self, cloud: Echo) -> None:
        super().__init__(cloud)
        self.made: list[Registration] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the engine's name
        twins = [one for one in self.made if (one.kind, one.name) == (request.type, request.name)]
        assert not twins, f"two resources {request.type} {request.name}"
        answer = super().RegisterResource(request)
        inputs = json_format.MessageToDict(request.object)
        self.made.append(Registration(request.type, request.name, inputs, request, answer.urn))
        return answer


def run(name: str, *, preview: bool = True) -> tuple[Plan, list[Registration]]:
    """Declare a stack of the checkout; its plan and its registrations without the stack itself."""
    made = stack.from_file(name, ROOT, ENVIRON)
    return made, declare(made, preview=preview)


def declare(made: Plan, *, preview: bool = True, answers: Questions | None = None) -> list[Registration]:
    """Declare a plan; its registrations without the stack itself."""
    cloud = Echo(made, answers)
    recorder = Recorder(cloud)
    # Pulumi's test runner asks for a current event loop, which asyncio.run of any earlier test took away.
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(cloud, "muster", made.stack, preview, monitor=recorder)
    pulumi.runtime.settings.SETTINGS.callbacks = NoCallbacks()

    @pulumi.runtime.test
    def run_program() -> None:
        program.declare(made)

    run_program()
    return [one for one in recorder.made if one.kind != "pulumi:pulumi:Stack"]
