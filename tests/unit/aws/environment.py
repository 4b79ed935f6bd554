"""A made-up environment on AWS that is right, for tests that break one thing of it."""

import copy
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pytest
from muster.plan import Plan
from muster.plan.aws.parts import GroupPlan
from muster.problems import SettingsError

from tests.program import recorder
from tests.program.recorder import Questions, Registration
from tests.unit import planned

RESERVED = {"mode": "reservation", "reservation": "cr-0a1b2c3d4e5f60718"}
BLOCK = {"mode": "capacity-block", "reservation": "cr-0a1b2c3d4e5f60718", "ends": "2026-12-01T11:30:00Z"}
RIGHT: dict[str, Any] = {
    "cluster": {
        "provider": "aws",
        "account": "123456789012",
        "region": "us-west-2",
        "kubernetesVersion": "1.35",
        "zones": ["usw2-az1", "usw2-az2"],
        "network": {"kind": "own", "cidr": "10.0.0.0/16"},
        "access": {"admins": ["arn:aws:iam::123456789012:role/admin"], "publicCidrs": ["198.51.100.0/24"]},
    },
    "pools": {
        "system": {"instanceType": "m7i.xlarge", "nodes": 2},
        "gpu": {"instanceType": "p5.48xlarge", "nodes": 2, "zone": "usw2-az2", "capacity": RESERVED},
    },
    "storage": {"checkpoints": {"kind": "fsx-lustre", "sizeGiB": 1200, "zone": "usw2-az2"}},
    "runtimes": {"ds": {"template": "deepspeed", "pool": "gpu", "image": "docker.io/team/deepspeed:1"}},
    "jobs": {
        "train": {"workload": "zero3-train", "runtime": "ds", "nodes": 2, "storage": {"checkpoints": "/checkpoints"}}
    },
}


def edited(edits: Mapping[str, Any]) -> dict[str, Any]:
    """The right environment with values set by dotted path; None takes a key away."""
    made = copy.deepcopy(RIGHT)
    for path, value in edits.items():
        *before, last = path.split(".")
        here = made
        for part in before:
            here = here.setdefault(part, {})
        if value is None:
            del here[last]
        else:
            here[last] = copy.deepcopy(value)
    return made


def plan(edits: Mapping[str, Any] | None = None) -> Plan:
    """Its plan, after edits."""
    return planned.of(edited(edits or {}))


def group(edits: Mapping[str, Any] | None = None, pool: str = "gpu") -> GroupPlan:
    """The node group of one of its pools."""
    aws = plan(edits).aws
    assert aws is not None
    return next(item for item in aws.groups if item.pool == pool)


def refused(edits: Mapping[str, Any]) -> str:
    """What is said against it."""
    with pytest.raises(SettingsError) as caught:
        plan(edits)
    return str(caught.value)


def declared(edits: Mapping[str, Any] | None = None, answers: Questions | None = None) -> Sequence[Registration]:
    """Its resources."""
    return _right() if not edits and answers is None else recorder.declare(plan(edits), answers=answers)


@cache
def _right() -> Sequence[Registration]:
    return recorder.declare(plan())


def inputs(registrations: Sequence[Registration], kind: str, name: str) -> Mapping[str, Any]:
    """Inputs of one resource."""
    (found,) = [one for one in registrations if one.kind == kind and one.name == name]
    return found.inputs
