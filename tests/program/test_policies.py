"""The policies on what the program registers: every stack of the checkout keeps them, and an edit breaks one."""

import copy
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pytest
from muster import policy
from muster.plan import Plan
from muster.policy import Finding, Resource

from tests.program.recorder import STACKS, run

ADVICE = {"dev": ["secrets-customer-key"], "staging": ["secrets-customer-key"], "prod": ["secrets-customer-key"]}
RUNTIME_POD = "spec.template.spec.replicatedJobs.0.template.spec.template.spec"
JOB_POD = f"spec.runtimePatches.0.trainingRuntimeSpec.template.{RUNTIME_POD.removeprefix('spec.template.')}"


@cache
def registered(name: str) -> tuple[Plan, Sequence[Resource]]:
    plan, made = run(name)
    return plan, [Resource(one.urn, one.kind, one.name, one.inputs, one.request.protect) for one in made]


def judged(name: str, resources: Sequence[Resource]) -> list[Finding]:
    return list(policy.judge(resources, policy.context(registered(name)[0])))


def edited(resource: Resource, path: str, value: object) -> Resource:
    """The resource with one input set by its dotted path, or taken away where `value` is None."""
    props = copy.deepcopy(dict(resource.props))
    *before, last = path.split(".")
    here: Any = props
    for part in before:
        here = here[int(part)] if isinstance(here, list) else here[part]
    if value is None:
        del here[last]
    else:
        here[int(last) if isinstance(here, list) else last] = value
    return Resource(resource.urn, resource.kind, resource.name, props, resource.protected)


@pytest.mark.parametrize("name", STACKS)
def test_every_stack_of_the_checkout_keeps_the_policies(name: str) -> None:
    assert [finding.rule for finding in judged(name, registered(name)[1])] == ADVICE.get(name, [])


EDITS: Mapping[tuple[str, str, str, str], tuple[object, str]] = {
    ("prod", "Cluster", "cluster", "vpcConfig.endpointPublicAccess"): (True, "api-server-not-public"),
    ("prod", "Cluster", "cluster", "deletionProtection"): (False, "protect-in-production"),
    ("prod", "Cluster", "cluster", "enabledClusterLogTypes"): (["api"], "audit-log"),
    ("dev", "Cluster", "cluster", "vpcConfig.publicAccessCidrs"): (["0.0.0.0/0"], "api-server-not-public"),
    ("prod", "SecurityGroupIngressRule", "endpoints", "cidrIpv4"): ("0.0.0.0/0", "no-open-ingress"),
    ("prod", "Subnet", "private-usw2-az1", "mapPublicIpOnLaunch"): (True, "no-public-addresses"),
    ("prod", "LaunchTemplate", "pool-p5", "networkInterfaces.7.securityGroups"): (["sg-1"], "fabric-security-group"),
    ("prod", "NodeGroup", "pool-p5", "subnetIds"): (["subnet-1", "subnet-2"], "efa-single-zone"),
    ("prod", "LaunchTemplate", "pool-system", "blockDeviceMappings.0.ebs.encrypted"): ("false", "disks-encrypted"),
    ("prod", "StorageClass", "gp3", "parameters.encrypted"): ("false", "disks-encrypted"),
    ("prod", "LaunchTemplate", "pool-p5", "metadataOptions.httpTokens"): ("optional", "imdsv2"),
    ("prod", "LaunchTemplate", "pool-p5", "metadataOptions.httpPutResponseHopLimit"): (2, "imdsv2"),
    ("prod", "NodeGroup", "pool-g6e", "capacityType"): ("SPOT", "no-spot-in-production"),
    ("dev", "TrainJob", "job-training-zero3-train", f"{JOB_POD}.volumes"): ([], "spot-needs-checkpoints"),
    ("prod", "LogGroup", "control-plane", "retentionInDays"): (30, "log-retention"),
    ("prod", "Repository", "images-deepspeed", "imageTagMutability"): ("MUTABLE", "registry-tags-immutable"),
    ("prod", "Role", "node", "assumeRolePolicy"): (
        '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}',
        "trust-not-open",
    ),
    ("staging", "RolePolicy", "aws-mountpoint-s3-csi-driver-read-example-training-corpus", "policy"): (
        '{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}',
        "iam-no-wildcards",
    ),
    ("prod", "ClusterTrainingRuntime", "runtime-deepspeed-p5", f"{RUNTIME_POD}.containers.0.image"): (
        "nvcr.io/nvidia/pytorch",
        "images-pinned",
    ),
    ("prod", "ClusterTrainingRuntime", "runtime-deepspeed-p5", "spec.podGroupPolicy"): (None, "gang-for-many-nodes"),
    ("local", "ClusterTrainingRuntime", "runtime-deepspeed-cpu", f"{RUNTIME_POD}.hostNetwork"): (
        True,
        "pods-off-the-host",
    ),
    (
        "local",
        "ClusterTrainingRuntime",
        "runtime-deepspeed-cpu",
        f"{RUNTIME_POD}.containers.0.securityContext.privileged",
    ): (True, "pods-unprivileged"),
    (
        "prod",
        "ClusterTrainingRuntime",
        "runtime-deepspeed-p5",
        f"{RUNTIME_POD}.containers.0.resources.limits",
    ): ({"nvidia.com/gpu": "4", "vpc.amazonaws.com/efa": "32"}, "gpu-requests-equal-limits"),
    ("local", "Release", "volcano", "chart"): ("volcano", "charts-pinned"),
    ("local", "TrainJob", "job-training-zero3-train", "spec.trainer.env.0"): (
        {"name": "HF_TOKEN", "value": "planted"},
        "no-secrets-in-the-clear",
    ),
    ("prod", "Budget", "budget", "notifications"): (None, "cost-alarm"),
}


@pytest.mark.parametrize("edit", EDITS, ids="-".join)
def test_an_edit_of_what_is_registered_breaks_one_rule(edit: tuple[str, str, str, str]) -> None:
    stack, noun, name, path = edit
    value, rule = EDITS[edit]
    (target,) = [one for one in registered(stack)[1] if (one.noun, one.name) == (noun, name)]
    resources = [edited(one, path, value) if one is target else one for one in registered(stack)[1]]
    before = judged(stack, registered(stack)[1])
    new = [one for one in judged(stack, resources) if one not in before]
    assert {one.rule for one in new} == {rule}


@pytest.mark.parametrize("kind", ["aws:eks/cluster:Cluster", "aws:fsx/lustreFileSystem:LustreFileSystem"])
def test_what_holds_data_in_production_is_protected(kind: str) -> None:
    bare = [
        Resource(one.urn, one.kind, one.name, one.props, protected=False) if one.kind == kind else one
        for one in registered("prod")[1]
    ]
    assert [one.rule for one in judged("prod", bare) if one.blocks] == ["protect-in-production"]
