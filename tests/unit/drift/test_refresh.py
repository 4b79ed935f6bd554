"""What the engine's refresh says, read into findings."""

import json
from typing import Any

import pytest
from muster import preview
from muster.drift import refresh, report
from muster.drift.finding import ABSENT

from tests.unit.aws import environment


def step(op: str, kind: str, name: str, old: Any = None, new: Any = None, *fields: str) -> dict[str, Any]:
    return {
        "op": op,
        "urn": f"urn:pulumi:dev::muster::{kind}::{name}",
        "oldState": {"inputs": old or {}},
        **({"newState": {"inputs": new}} if new is not None else {}),
        "detailedDiff": {field: {"kind": "update"} for field in fields},
        "diffReasons": sorted({field.partition(".")[0].partition("[")[0] for field in fields}),
    }


STEPS = [
    step("refresh", "aws:ec2/vpc:Vpc", "vpc", {"cidrBlock": "10.0.0.0/16"}, {"cidrBlock": "10.0.0.0/16"}),
    step(
        "update",
        "aws:eks/nodeGroup:NodeGroup",
        "pool-gpu",
        {"scalingConfig": {"desiredSize": 2}, "tags": {"a.b": "1"}},
        {"scalingConfig": {"desiredSize": 3}, "tags": {"a.b": "2", "owner": "me"}},
        "scalingConfig.desiredSize",
        'tags["a.b"]',
        "tags.owner",
    ),
    step(
        "update",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "fabric",
        {"cidrIpv4": "10.0.0.0/16"},
        {"cidrIpv4": "0.0.0.0/0"},
        "cidrIpv4",
    ),
    step(
        "update",
        "aws:eks/addon:Addon",
        "addon-vpc-cni",
        {"addonVersion": "v1.20.0"},
        {"addonVersion": "v1.19.0"},
        "addonVersion",
    ),
    step("update", "aws:ec2/launchTemplate:LaunchTemplate", "pool-gpu", {"description": "a"}, {"description": "b"},
         "description"),
    step("delete", "aws:fsx/lustreFileSystem:LustreFileSystem", "checkpoints", {"storageCapacity": 1200}),
    step("delete", "kubernetes:helm.sh/v3:Release", "volcano", {"namespace": "volcano-system"}),
    step(
        "update",
        "kubernetes:core/v1:Secret",
        "secret-training-token",
        {"metadata": {"name": "token", "namespace": "training"}, "data": {"value": "[secret]"}},
        {"metadata": {"name": "token", "namespace": "training"}, "data": {"value": "leaked"}},
        "data.value",
    ),
    step("update", "pulumi:providers:kubernetes", "cluster", {"kubeconfig": "a"}, {"kubeconfig": "b"}, "kubeconfig"),
]  # fmt: skip


def read(*steps: dict[str, Any]) -> list[Any]:
    return list(refresh.findings(preview.load(json.dumps({"steps": steps}), "refresh.json")))


def test_every_field_is_one_finding_and_is_judged() -> None:
    drifts = report.make("dev", read(*STEPS)).drifts
    assert [(one.what, one.field, one.wanted, one.found, one.severity) for one in drifts] == [
        ("Addon addon-vpc-cni", "addonVersion", "v1.20.0", "v1.19.0", "must-fix"),
        ("LustreFileSystem checkpoints", "", "there", "nothing", "must-fix"),
        ("NodeGroup pool-gpu", "scalingConfig.desiredSize", "2", "3", "must-fix"),
        ("Release volcano-system/volcano", "", "there", "nothing", "must-fix"),
        ("Secret training/token", "data.value", "(hidden)", "(hidden)", "must-fix"),
        ("SecurityGroupIngressRule fabric", "cidrIpv4", "10.0.0.0/16", "0.0.0.0/0", "must-fix"),
        ("LaunchTemplate pool-gpu", "description", "a", "b", "harmless"),
        ("NodeGroup pool-gpu", "tags.owner", "nothing", "me", "harmless"),
        ("NodeGroup pool-gpu", 'tags["a.b"]', "1", "2", "harmless"),
    ]
    assert {one.mend for one in drifts} == {"make up STACK=dev REFRESH=1"}


def test_what_the_cluster_told_already_is_told_once() -> None:
    found = read(*STEPS)
    known = [one for one in found if one.thing.kind == "Release"]
    assert len(refresh.without(known, found)) == len(found) - 1


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("a.b", ("a", "b")),
        ("a[0].b", ("a", "[0]", "b")),
        ('a["x.y/z"].b', ("a", "x.y/z", "b")),
        ('["a"][1][2]', ("a", "[1]", "[2]")),
    ],
)
def test_property_paths(field: str, path: tuple[str, ...]) -> None:
    assert refresh.steps(field) == path


def test_values_by_path() -> None:
    value = {"a": [{"b": 1}]}
    assert refresh.at(value, ("a", "[0]", "b")) == 1
    assert refresh.at(value, ("a", "[1]", "b")) is ABSENT
    assert refresh.at(value, ("a", "b")) is ABSENT


def test_the_cluster_is_found_as_the_state_knows_it() -> None:
    eks = step("refresh", "aws:eks/cluster:Cluster", "cluster", {}, {})
    eks["oldState"]["outputs"] = {"endpoint": "https://eks", "certificateAuthority": {"data": "Q0E="}}
    text = refresh.kubeconfig(preview.load(json.dumps({"steps": [eks]}), "refresh.json"), environment.plan())
    assert text is not None
    assert json.loads(text)["clusters"][0]["cluster"]["server"] == "https://eks"
    assert refresh.kubeconfig(preview.load('{"steps": []}', "refresh.json"), environment.plan()) is None
