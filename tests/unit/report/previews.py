"""Small documents as `pulumi preview --json --show-sames` prints them, for tests."""

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from muster import catalog, preview
from muster.catalog import services
from muster.plan import Plan
from muster.report import change_report
from muster.report.change_report import ChangeReport
from muster.report.occupancy import Gang, Occupancy

from tests.unit.aws import environment

CATALOG, SERVICES = catalog.load(), services.load()
GROUP = "aws:eks/nodeGroup:NodeGroup"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
CLUSTER = "aws:eks/cluster:Cluster"
LUSTRE = "aws:fsx/lustreFileSystem:LustreFileSystem"
RELEASE = "kubernetes:helm.sh/v3:Release"
TRAINJOB = "kubernetes:trainer.kubeflow.org/v1alpha1:TrainJob"
RUNTIME = "kubernetes:trainer.kubeflow.org/v1alpha1:ClusterTrainingRuntime"
BEFORE = {
    "hourlyUsd": 111.06,
    "costLines": {
        "pool system": 0.4032,
        "pool gpu": 110.08,
        "control plane": 0.1,
        "NAT gateways": 0.045,
        "root volumes": 0.0877,
        "storage checkpoints": 0.3452,
    },
}
"""Outputs of the environment of tests/unit/aws, before an update."""
TRAIN = "training/train"
RUNNING = Occupancy({TRAIN: Gang(TRAIN, "gpu", running=True)})
QUEUED = Occupancy({TRAIN: Gang(TRAIN, "gpu", running=False)})
NOBODY = Occupancy()
UNSEEN = Occupancy(unseen="no cluster")


def step(
    op: str, kind: str, name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, **more: Any
) -> dict[str, Any]:
    """A step of the engine; `fields` and `replaces` name the inputs that differ, `protect` is of the old state."""
    made: dict[str, Any] = {"op": op, "urn": f"urn:pulumi:test::muster::{kind}::{name}"}
    if old is not None:
        made["oldState"] = {"inputs": old, "protect": more.get("protect", False)}
    if new is not None:
        made["newState"] = {"inputs": new, "protect": more.get("protects", more.get("protect", False))}
    made["detailedDiff"] = {path: {"kind": "update"} for path in more.get("fields", ())}
    made["replaceReasons"] = list(more.get("replaces", ()))
    return made


def group(nodes: int = 2, kind: str | None = "p5.48xlarge", pool: str = "gpu", **more: Any) -> dict[str, Any]:
    """Inputs of a node group; without a type it stands in the launch template."""
    return {
        "labels": {"muster.dev/pool": pool},
        "instanceTypes": [kind] if kind else None,
        "capacityType": "ON_DEMAND",
        "scalingConfig": {"desiredSize": nodes},
        "version": "1.35",
        "releaseVersion": "1.35.4-20261023",
        "launchTemplate": {"id": "lt-1", "version": "1"},
        "updateConfig": {"maxUnavailable": 1, "updateStrategy": "MINIMAL"},
        **more,
    }


def job(name: str = "train", runtime: str = "ds", lr: str = "0.1") -> dict[str, Any]:
    """Inputs of a TrainJob."""
    spec = {"runtimeRef": {"name": runtime}, "trainer": {"numNodes": 2, "args": ["--lr", lr]}}
    return {"metadata": {"name": name, "namespace": "training"}, "spec": spec}


def runtime(name: str = "ds", pool: str = "gpu", **env: str) -> dict[str, Any]:
    """Inputs of a runtime."""
    pod = {"nodeSelector": {"muster.dev/pool": pool}, "containers": [{"name": "node", "env": named(env)}]}
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"replicatedJobs": [{"template": pod}]}}}}


def named(env: Mapping[str, str]) -> list[dict[str, str]]:
    """Variables of a container."""
    return [{"name": name, "value": value} for name, value in env.items()]


SYSTEM = group(2, "m7i.xlarge", "system", updateConfig={"maxUnavailable": 1, "updateStrategy": "DEFAULT"})
STANDING = (
    step("same", GROUP, "pool-system", SYSTEM, SYSTEM),
    step("same", GROUP, "pool-gpu", group(), group()),
    step("same", RUNTIME, "runtime-ds", runtime(), runtime()),
    step("same", TRAINJOB, "job-training-train", job(), job()),
)
"""What the environment has."""


def document(*steps: Mapping[str, Any], before: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A preview of the environment with some steps in place of, or beside, those that change nothing."""
    urns = {made["urn"] for made in steps}
    stack = {
        "op": "same",
        "urn": "urn:pulumi:test::muster::pulumi:pulumi:Stack::muster-test",
        "oldState": {"outputs": BEFORE if before is None else before},
    }
    kept = [copy.deepcopy(made) for made in STANDING if made["urn"] not in urns]
    return {"steps": [stack, *kept, *steps], **more}


def report(
    *steps: Mapping[str, Any],
    edits: Mapping[str, Any] | None = None,
    occupancy: Occupancy = NOBODY,
    plan: Plan | None = None,
    policies: Sequence[Any] = (),
    **more: Any,
) -> ChangeReport:
    """The report on a preview with these steps; `edits` are those of the environment that led to it."""
    found = preview.load(json.dumps(document(*steps, **more)), "FILE")
    made = plan or environment.plan(edits or {})
    return change_report.make(found, made, CATALOG, SERVICES, occupancy=occupancy, policies=policies)
