"""Every check of an account against simulated answers."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, SSOTokenLoadError
from muster.catalog import services
from muster.plan import Plan
from muster.preflight import aws, lines, permissions
from muster.preflight.answers import Instance, Unasked
from muster.preflight.checks import account, capacity, images
from muster.preflight.lines import Line

from tests.unit import planned
from tests.unit.aws import environment
from tests.unit.aws.environment import BLOCK
from tests.unit.preflight import cloud
from tests.unit.preflight.cloud import Cloud, Reply, eks, instance, reserved, running, subnet, version

RESERVATION = "cr-0a1b2c3d4e5f60718"
IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/deepspeed:1"
GIVEN = {
    "kind": "given",
    "vpc": "vpc-0a1b2c3d",
    "subnets": {
        "usw2-az1": {"id": "subnet-0a000001", "cidr": "10.0.32.0/19"},
        "usw2-az2": {"id": "subnet-0a000002", "cidr": "10.0.64.0/19"},
    },
}
FULL: Mapping[str, Any] = {"runtimes.ds.image": IMAGE, "cluster.network": GIVEN}
"""An environment of which every question is asked."""


def plan(edits: Mapping[str, Any] | None = None) -> Plan:
    return environment.plan({**FULL, **(edits or {})})


def asked(made: Plan, replies: Mapping[str, Reply], now: datetime = planned.NOW) -> tuple[tuple[Line, ...], Cloud]:
    """Every line about the account, and the cloud that was asked."""
    assert made.aws is not None
    world = Cloud({**cloud.well(made.aws), **replies})
    answers = aws.ask(made, made.aws, world, lambda _: None)
    found = (
        *account.check(made.aws, made.stack, answers, now),
        *capacity.check(made.aws, made.stack, answers, services.load(), now),
        *images.check_nodes(made.aws, answers),
        *images.check_pods(made, answers),
    )
    return found, world


def named(name: str, found: tuple[Line, ...]) -> Line:
    (line,) = [line for line in found if line.name == name]
    return line


def test_where_everything_is_right_every_line_is_ok() -> None:
    found, _ = asked(plan(), {})
    assert [line for line in found if line.state != "ok"] == []
    assert [(line.name, line.text) for line in found] == [
        ("credentials", f"{cloud.CALLER} of account 123456789012"),
        ("region us-west-2", "enabled"),
        ("zone usw2-az1", "available"),
        ("zone usw2-az2", "available"),
        ("EKS cluster muster-test", "not there yet, its name is free"),
        ("Kubernetes 1.35", "standard support until 2027-03-27"),
        ("add-on vpc-cni", "AWS's default version; the newest is v2"),
        ("add-on kube-proxy", "AWS's default version; the newest is v2"),
        ("add-on eks-pod-identity-agent", "AWS's default version; the newest is v2"),
        ("add-on coredns", "AWS's default version; the newest is v2"),
        ("add-on aws-ebs-csi-driver", "AWS's default version; the newest is v2"),
        ("add-on eks-node-monitoring-agent", "AWS's default version; the newest is v2"),
        ("add-on aws-fsx-csi-driver", "AWS's default version; the newest is v2"),
        ("m7i.xlarge for pool system", "sold in usw2-az1, usw2-az2"),
        ("p5.48xlarge for pool gpu", "sold in usw2-az2"),
        ("quota L-1216C47A", "8 vCPU for system, against 1000 of vCPU of L-1216C47A"),
        ("quota L-417A185B", "384 vCPU for gpu, against 1000 of vCPU of L-417A185B"),
        (f"reservation {RESERVATION} of pool gpu", "active, 2 x p5.48xlarge in usw2-az2, 2 free"),
        ("subnet subnet-0a000001", "4000 addresses are free, 25 are needed"),
        ("subnet subnet-0a000002", "4000 addresses are free, 75 are needed"),
        ("node image AL2023_x86_64_STANDARD 1.35.4-20261023", "there, for system; the newest is 1.35.6-20261119"),
        ("node image AL2023_x86_64_NVIDIA 1.35.4-20261023", "there, for gpu; the newest is 1.35.6-20261119"),
        (f"image {IMAGE}", "there"),
    ]


@dataclass(frozen=True)
class Case:
    """Replies and edits of the plan, and the line that comes of them."""

    id: str
    name: str
    state: str
    text: str
    remedy: str
    replies: Mapping[str, Reply] = field(default_factory=dict)
    edits: Mapping[str, Any] = field(default_factory=dict)
    now: datetime = planned.NOW


def quota(value: float) -> Mapping[str, Reply]:
    return {"servicequotas:GetServiceQuota": {"Quota": {"QuotaName": "Running P", "Value": value}}}


def zones(**states: str) -> Mapping[str, Reply]:
    rows = [
        {"ZoneId": zone.replace("_", "-"), "State": state, "OptInStatus": "opt-in-not-required"}
        for zone, state in states.items()
    ]
    return {"ec2:DescribeAvailabilityZones": {"AvailabilityZones": rows}}


def opted(status: str) -> Mapping[str, Reply]:
    return {"ec2:DescribeRegions": {"Regions": [{"RegionName": "us-west-2", "OptInStatus": status}]}}


def subnets(**other: Any) -> Mapping[str, Reply]:
    first = subnet("subnet-0a000001", "usw2-az1", "10.0.32.0/19", **other)
    return {"ec2:DescribeSubnets": {"Subnets": [first]}}


def released(newest: str, *, found: bool) -> Mapping[str, Reply]:
    def reply(params: cloud.Params) -> Reply:
        names = [name for name in params["Names"] if found or not name.endswith("image_id")]
        return {"Parameters": [{"Name": name, "Value": newest} for name in names]}

    return {"ssm:GetParameters": reply}


CREDENTIALS, REGION = "credentials", "region us-west-2"
CLUSTER, VERSION, ADDON = "EKS cluster muster-test", "Kubernetes 1.35", "add-on vpc-cni"
P5, QUOTA, RESERVED, SUBNET = (
    "p5.48xlarge for pool gpu",
    "quota L-417A185B",
    f"reservation {RESERVATION} of pool gpu",
    ("subnet subnet-0a000001"),
)
NODE, POD = "node image AL2023_x86_64_NVIDIA 1.35.4-20261023", f"image {IMAGE}"
RAISE = "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-417A185B --desired-value"
PUSH = f"docker push {IMAGE}"
BLOCKED = {"ReservationType": "capacity-block"}
ENDS = datetime(2026, 12, 1, 11, 30, tzinfo=UTC)

CASES = [
    Case(
        "credentials of another account",
        CREDENTIALS,
        "fail",
        "arn:x is of account 210987654321, the stack's is 123456789012",
        "credentials of the stack's account, or another cluster.account",
        {"sts:GetCallerIdentity": {"Account": "210987654321", "Arn": "arn:x"}},
    ),
    Case(
        "region not enabled",
        REGION,
        "fail",
        "the account has not enabled it",
        "aws account enable-region us-west-2",
        opted("not-opted-in"),
    ),
    Case("region enabled by choice", REGION, "ok", "enabled", "", opted("opted-in")),
    Case(
        "region unknown",
        REGION,
        "fail",
        "AWS knows no such region",
        "another cluster.region",
        {"ec2:DescribeRegions": "InvalidParameterValue"},
    ),
    Case("zone in trouble", "zone usw2-az1", "warn", "AWS says impaired", "look at the AWS Health Dashboard first",
         zones(usw2_az1="impaired", usw2_az2="available")),
    Case("zone that the account lacks", "zone usw2-az1", "fail", "the account has no such zone", "usw2-az2 instead",
         zones(usw2_az2="available")),
    Case("cluster of another stack", CLUSTER, "fail", "there already, made by stack other", "another cluster.name",
         {"eks:DescribeCluster": eks(tags={"muster:stack": "other"})}),
    Case("cluster of somebody", CLUSTER, "fail", "there already, made by somebody else", "another cluster.name",
         {"eks:DescribeCluster": eks(tags={})}),
    Case("cluster of this stack", CLUSTER, "ok", "ACTIVE, Kubernetes 1.35", "", {"eks:DescribeCluster": eks()}),
    Case("cluster one minor behind", CLUSTER, "ok", "ACTIVE, Kubernetes 1.34", "",
         {"eks:DescribeCluster": eks(version="1.34")}),
    Case("cluster two minors behind", CLUSTER, "fail", "it has Kubernetes 1.33",
         "1.34 first: EKS takes one minor at a time", {"eks:DescribeCluster": eks(version="1.33")}),
    Case("cluster ahead", CLUSTER, "fail", "it has Kubernetes 1.36", "no older version: EKS takes none back",
         {"eks:DescribeCluster": eks(version="1.36")}),
    Case("cluster being updated", CLUSTER, "warn", "AWS says UPDATING", "wait until it is ACTIVE",
         {"eks:DescribeCluster": eks(status="UPDATING")}),
    Case("cluster broken", CLUSTER, "fail", "AWS says FAILED", "look at it in the EKS console",
         {"eks:DescribeCluster": eks(status="FAILED")}),
    Case("version not offered", VERSION, "fail", "EKS does not offer it", "another cluster.kubernetesVersion",
         {"eks:DescribeClusterVersions": {"clusterVersions": []}}),
    Case("version past its end", VERSION, "fail", "EKS no longer supports it", "a newer cluster.kubernetesVersion",
         {"eks:DescribeClusterVersions": version("UNSUPPORTED")}),
    Case("version in extended support, unwanted", VERSION, "fail", "in extended support alone",
         "a newer version, or cluster.support: extended",
         {"eks:DescribeClusterVersions": version("EXTENDED_SUPPORT")}),
    Case("version in extended support, wanted", VERSION, "warn", "in extended support, which costs more",
         "a newer cluster.kubernetesVersion", {"eks:DescribeClusterVersions": version("EXTENDED_SUPPORT")},
         {"cluster.support": "extended"}),
    Case("version whose end is near", VERSION, "warn", "standard support until 2026-12-02",
         "plan the upgrade to a newer cluster.kubernetesVersion",
         {"eks:DescribeClusterVersions": version(until=datetime(2026, 12, 2, tzinfo=UTC))}),
    Case("add-on not for this version", ADDON, "fail", "none for Kubernetes 1.35", "another version of Kubernetes",
         {"eks:DescribeAddonVersions": {"addons": []}}),
    Case("add-on pinned", ADDON, "ok", "v1", "", {}, {"cluster.addons": {"vpc-cni": "v1"}}),
    Case("add-on pinned to what is not there", ADDON, "fail", "v0 is not for Kubernetes 1.35",
         "cluster.addons.vpc-cni: v2", {}, {"cluster.addons": {"vpc-cni": "v0"}}),
    Case("type sold elsewhere", P5, "fail", "usw2-az2, where AWS has no p5.48xlarge",
         "pools.gpu.zone: one of usw2-az3, usw2-az4",
         {"ec2:DescribeInstanceTypeOfferings": {"InstanceTypeOfferings": [
             {"Location": "usw2-az4", "InstanceType": "p5.48xlarge"},
             {"Location": "usw2-az3", "InstanceType": "p5.48xlarge"}]}}),
    Case("type sold nowhere", P5, "fail", "usw2-az2, where AWS has no p5.48xlarge",
         "pools.gpu.zone: another zone or instance type",
         {"ec2:DescribeInstanceTypeOfferings": {"InstanceTypeOfferings": []}}),
    Case("quota of a new account", QUOTA, "fail", "384 vCPU for gpu, against 0 of Running P", f"{RAISE} 384", quota(0)),
    Case("quota just enough", QUOTA, "ok", "384 vCPU for gpu, against 384 of Running P", "", quota(384)),
    Case("quota that others use", QUOTA, "fail",
         "384 vCPU for gpu, against 400 of Running P, 192 of them in use by others", f"{RAISE} 576",
         {**quota(400), "ec2:DescribeInstances": running(instance("p4d.24xlarge", 48), instance("p3.16xlarge", 48))}),
    Case("quota that this stack's own nodes use", QUOTA, "ok", "384 vCPU for gpu, against 400 of Running P", "",
         {**quota(400), "ec2:DescribeInstances": running(instance("p5.48xlarge", 96, stack="test", pool="gpu"))}),
    Case("quota of other machines", QUOTA, "ok", "384 vCPU for gpu, against 400 of Running P", "",
         {**quota(400), "ec2:DescribeInstances": running(
             instance("m7i.24xlarge", 48), instance("p5.48xlarge", 96, InstanceLifecycle="spot"),
             instance("p5.48xlarge", 96, InstanceLifecycle="capacity-block"), instance("trn1.32xlarge", 64))}),
    Case("quota that a block may count towards", QUOTA, "warn",
         "384 vCPU for gpu, against 0 of Running P; whether a capacity block counts is not documented", f"{RAISE} 384",
         {**quota(0), "ec2:DescribeCapacityReservations": reserved(**BLOCKED, EndDate=ENDS)},
         {"pools.gpu.capacity": BLOCK}),
    Case("quota too small, use unknown", QUOTA, "fail", "384 vCPU for gpu, against 383 of Running P", f"{RAISE} 384",
         {**quota(383), "ec2:DescribeInstances": "UnauthorizedOperation"}),
    Case("quota large enough, use unknown", QUOTA, "unknown",
         "384 vCPU for gpu, against 384 of Running P; what already runs was not counted: "
         "ec2:DescribeInstances is denied", "allow what muster preflight --iam-policy prints",
         {**quota(384), "ec2:DescribeInstances": "UnauthorizedOperation"}),
    Case("reservation not there", RESERVED, "fail", "not there, in this account and region",
         "pools.gpu.capacity.reservation: one that is",
         {"ec2:DescribeCapacityReservations": "InvalidCapacityReservationId.NotFound"}),
    Case("reservation of other machines elsewhere", RESERVED, "fail",
         "pools.gpu.instanceType is p5.48xlarge; pools.gpu.zone is usw2-az2; pools.gpu.nodes is 2",
         "pools.gpu.instanceType: p5e.48xlarge, the reservation's; pools.gpu.zone: usw2-az1, the reservation's; "
         "pools.gpu.nodes: at most 1, what is reserved",
         {"ec2:DescribeCapacityReservations": reserved(
             InstanceType="p5e.48xlarge", AvailabilityZoneId="usw2-az1", TotalInstanceCount=1)}),
    Case("reservation that is a block", RESERVED, "fail", "pools.gpu.capacity.mode is reservation",
         "pools.gpu.capacity.mode: capacity-block", {"ec2:DescribeCapacityReservations": reserved(**BLOCKED)}),
    Case("reservation cancelled", RESERVED, "fail", "it is cancelled",
         "pools.gpu.capacity.reservation: one that is active",
         {"ec2:DescribeCapacityReservations": reserved(State="cancelled")}),
    Case("reservation to come, nodes wanted", RESERVED, "fail", "it is scheduled, it starts 2026-11-30 11:30 UTC",
         "pools.gpu.nodes: 0 until then",
         {"ec2:DescribeCapacityReservations": reserved(
             State="scheduled", StartDate=datetime(2026, 11, 30, 11, 30, tzinfo=UTC))}),
    Case("reservation to come, no nodes yet", RESERVED, "warn", "it is pending", "nodes once it is active",
         {"ec2:DescribeCapacityReservations": reserved(State="pending")},
         {"pools.gpu.nodes": 0, "jobs": None}),
    Case("reservation that others use", RESERVED, "fail", "1 of 2 are free, this stack has 0, 2 are wanted",
         "pools.gpu.nodes: 1, or end what else uses it",
         {"ec2:DescribeCapacityReservations": reserved(AvailableInstanceCount=1)}),
    Case("reservation that this stack's own nodes use", RESERVED, "ok",
         "active, 2 x p5.48xlarge in usw2-az2, 0 free", "",
         {"ec2:DescribeCapacityReservations": reserved(AvailableInstanceCount=0),
          "ec2:DescribeInstances": running(*[
              instance("p5.48xlarge", 96, stack="test", pool="gpu", CapacityReservationId=RESERVATION)] * 2)}),
    Case("reservation used by nobody knows whom", RESERVED, "warn",
         "0 of 2 are free, 2 are wanted; whose the others are was not seen",
         "allow what muster preflight --iam-policy prints",
         {"ec2:DescribeCapacityReservations": reserved(AvailableInstanceCount=0),
          "ec2:DescribeInstances": "UnauthorizedOperation"}),
    Case("reservation of two pools", RESERVED, "fail", "2 of 2 are free, this stack has 0, 3 are wanted",
         "pools.gpu.nodes and pools.more.nodes: 2, or end what else uses it", {},
         {"pools.more": {"instanceType": "p5.48xlarge", "nodes": 1, "zone": "usw2-az2",
                         "capacity": environment.RESERVED}}),
    Case("block as planned", RESERVED, "ok",
         "active, 2 x p5.48xlarge in usw2-az2, 2 free, until 2026-12-01 11:30 UTC", "",
         {"ec2:DescribeCapacityReservations": reserved(**BLOCKED, EndDate=ENDS)}, {"pools.gpu.capacity": BLOCK}),
    Case("block that ends another day", RESERVED, "fail",
         "pools.gpu.capacity.ends is 2026-12-01 11:30 UTC, AWS says 2026-11-30 11:30 UTC",
         "pools.gpu.capacity.ends: 2026-11-30T11:30:00Z",
         {"ec2:DescribeCapacityReservations": reserved(
             **BLOCKED, EndDate=datetime(2026, 11, 30, 11, 30, tzinfo=UTC))}, {"pools.gpu.capacity": BLOCK}),
    Case("block that ends soon", RESERVED, "warn", "it ends 2026-12-01 11:30 UTC",
         "a checkpoint before, or a longer reservation",
         {"ec2:DescribeCapacityReservations": reserved(**BLOCKED, EndDate=ENDS)}, {"pools.gpu.capacity": BLOCK},
         datetime(2026, 11, 30, 12, tzinfo=UTC)),
    Case("reservation that ended", RESERVED, "fail", "it ended 2026-12-01 11:30 UTC", "another reservation",
         {"ec2:DescribeCapacityReservations": reserved(EndDate=ENDS)}, {}, ENDS),
    Case("subnet not there", "subnet subnet-0a000002", "fail", "not there, in this account and region",
         "cluster.network.subnets.usw2-az2.id: one that is", subnets()),
    Case("subnet that is another", SUBNET, "fail", "it is in vpc-1; it is in usw2-az3; it is 10.9.0.0/24",
         "a subnet of vpc-0a1b2c3d; a subnet in usw2-az1; cluster.network.subnets.usw2-az1.cidr: 10.9.0.0/24",
         subnets(VpcId="vpc-1", AvailabilityZoneId="usw2-az3", CidrBlock="10.9.0.0/24")),
    Case("subnet without room", SUBNET, "fail", "24 addresses are free, 25 are needed",
         "fewer nodes, or a subnet with more room", subnets(AvailableIpAddressCount=24)),
    Case("subnet without room, nodes unknown", SUBNET, "warn",
         "24 addresses are free, 25 are needed, unless its nodes run already: that was not seen",
         "allow what muster preflight --iam-policy prints",
         {**subnets(AvailableIpAddressCount=24), "ec2:DescribeInstances": "UnauthorizedOperation"}),
    Case("subnet whose nodes are there already", SUBNET, "ok", "0 addresses are free, 0 are needed", "",
         {**subnets(AvailableIpAddressCount=0), "ec2:DescribeInstances": running(
             instance("m7i.xlarge", 2, stack="test", pool="system", SubnetId="subnet-0a000001"))}),
    Case("node image not there", NODE, "fail", "AWS has no such release, for gpu",
         "pools.gpu.ami.release: 1.35.6-20261119", released("1.35.6-20261119", found=False)),
    Case("node image of another patch version", NODE, "fail", "that day's release is 1.35.5-20261023, for gpu",
         "pools.gpu.ami.release: 1.35.5-20261023", released("1.35.5-20261023", found=True)),
    Case("image not pushed", POD, "fail", "repository deepspeed has no such image", PUSH,
         {"ecr:DescribeImages": "ImageNotFoundException"}),
    Case("image without repository", POD, "fail", "there is no repository deepspeed", f"make it, then {PUSH}",
         {"ecr:DescribeImages": "RepositoryNotFoundException"}),
    Case("image in a repository that this stack makes", POD, "warn",
         "this stack makes repository deepspeed, and nothing is in it then", f"after the first up: {PUSH}",
         {"ecr:DescribeImages": "RepositoryNotFoundException"},
         {"platform": {"registry": {"repositories": ["deepspeed"]}}}),
    Case("image that says no version", "image docker.io/team/deepspeed:latest", "warn",
         "the name says no version: nodes may run different ones", "a digest, or a tag that is never moved",
         {}, {"runtimes.ds.image": "docker.io/team/deepspeed:latest"}),
    Case("image of a public registry", "image docker.io/team/deepspeed:1", "ok",
         "its name is pinned; its registry was not asked", "", {}, {"runtimes.ds.image": "docker.io/team/deepspeed:1"}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_line(case: Case) -> None:
    found, _ = asked(plan(case.edits), case.replies, case.now)
    assert named(case.name, found) == Line(case.name, case.state, case.text, case.remedy)  # type: ignore[arg-type]


DENIED = {
    "ec2:DescribeAvailabilityZones": {"zone usw2-az1", "zone usw2-az2"},
    "ec2:DescribeInstanceTypeOfferings": {"m7i.xlarge for pool system", P5},
    "servicequotas:GetServiceQuota": {"quota L-1216C47A", QUOTA},
    "ec2:DescribeInstances": {"quota L-1216C47A", QUOTA},
    "ec2:DescribeCapacityReservations": {RESERVED},
    "ec2:DescribeSubnets": {SUBNET, "subnet subnet-0a000002"},
    "ec2:DescribeRegions": {REGION},
    "eks:DescribeCluster": {CLUSTER},
    "eks:DescribeClusterVersions": {VERSION},
    "eks:DescribeAddonVersions": {
        ADDON,
        "add-on kube-proxy",
        "add-on eks-pod-identity-agent",
        "add-on coredns",
        "add-on aws-ebs-csi-driver",
        "add-on eks-node-monitoring-agent",
        "add-on aws-fsx-csi-driver",
    },
    "ssm:GetParameters": {"node image AL2023_x86_64_STANDARD 1.35.4-20261023", NODE},
    "ecr:DescribeImages": {POD},
}


@pytest.mark.parametrize("action", DENIED)
def test_what_is_denied_is_unknown_and_the_rest_is_checked(action: str) -> None:
    found, _ = asked(plan(), {action: "AccessDeniedException"})
    assert {line.name for line in found if line.state == "unknown"} == DENIED[action]
    assert {line.state for line in found} == {"ok", "unknown"}
    for line in found:
        if line.state == "unknown":
            assert f"{action} is denied" in line.text
            assert line.remedy == "allow what muster preflight --iam-policy prints"


@pytest.mark.parametrize(
    ("reply", "reason", "remedy"),
    [
        ("RequestLimitExceeded", "ec2:DescribeSubnets is throttled", "again in a minute"),
        ("ExpiredToken", "AWS does not accept the credentials (ExpiredToken)", "aws sso login, or set AWS_PROFILE"),
        ("InternalError", "ec2:DescribeSubnets failed: InternalError no", "see what AWS says"),
        (
            SSOTokenLoadError(error_msg="no token"),
            "the credentials can't be had: Error loading SSO Token: no token",
            "aws sso login, or set AWS_PROFILE",
        ),
    ],
)
def test_why_a_question_has_no_answer(reply: Reply, reason: str, remedy: str) -> None:
    found, _ = asked(plan(), {"ec2:DescribeSubnets": reply})
    assert named(SUBNET, found) == Line(SUBNET, "unknown", reason, remedy)


def test_a_service_that_does_not_answer_is_asked_once() -> None:
    found, world = asked(plan(), {"eks:DescribeCluster": ConnectTimeoutError(endpoint_url="https://eks")})
    silent = [line for line in found if line.text == "eks in us-west-2 does not answer"]
    assert {line.name for line in silent} == {CLUSTER, VERSION, *DENIED["eks:DescribeAddonVersions"]}
    assert [action for _, action, _ in world.asked if action.startswith("eks:")] == ["eks:DescribeCluster"]


@pytest.mark.parametrize(
    ("replies", "calls"),
    [
        ({"sts:GetCallerIdentity": "InvalidClientTokenId"}, {"sts:GetCallerIdentity"}),
        ({"sts:GetCallerIdentity": {"Account": "210987654321", "Arn": "arn:x"}}, {"sts:GetCallerIdentity"}),
        (opted("not-opted-in"), {"sts:GetCallerIdentity", "ec2:DescribeRegions"}),
    ],
    ids=["credentials refused", "another account", "region not enabled"],
)
def test_nothing_is_asked_that_depends_on_what_is_wrong(replies: Mapping[str, Reply], calls: set[str]) -> None:
    found, world = asked(plan(), replies)
    assert world.actions == calls
    assert {line.name for line in found if line.state == "ok"} <= {CREDENTIALS}
    assert {line.name for line in found if line.state == "fail"} <= {CREDENTIALS, REGION}


def test_only_the_stack_s_region_is_asked() -> None:
    _, world = asked(plan(), {})
    assert {region for region, _, _ in world.asked} == {"us-west-2"}


def test_a_region_that_is_not_enabled_takes_no_credentials_and_is_told_from_home() -> None:
    found, world = asked(plan(), {"us-west-2 sts:GetCallerIdentity": "InvalidClientTokenId", **opted("not-opted-in")})
    assert named(CREDENTIALS, found).state == "ok"
    assert named(REGION, found).text == "the account has not enabled it"
    assert named(P5, found).text == "the account has no region us-west-2"
    assert [(region, action) for region, action, _ in world.asked] == [
        ("us-west-2", "sts:GetCallerIdentity"),
        ("us-east-1", "sts:GetCallerIdentity"),
        ("us-east-1", "ec2:DescribeRegions"),
    ]


def test_credentials_that_nobody_takes_are_told_as_the_stack_s_region_does() -> None:
    replies: Mapping[str, Reply] = {"us-west-2 sts:GetCallerIdentity": "ExpiredToken"}
    found, _ = asked(plan(), {"sts:GetCallerIdentity": "InvalidClientTokenId", **replies})
    assert {line.text for line in found} == {"AWS does not accept the credentials (ExpiredToken)"}


def test_the_policy_allows_the_calls_that_are_made_and_no_other() -> None:
    made = plan()
    _, world = asked(made, {})
    allowed = [action for row in permissions.policy(made)["Statement"] for action in row["Action"]]
    # https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html needs no permission.
    assert sorted(allowed) == sorted(world.actions - {"sts:GetCallerIdentity"})
    assert [action for action in world.actions if re.match(r"[a-z0-9]+:(Describe|Get)[A-Z]", action) is None] == []


def test_the_policy_is_of_the_stack_s_own_things() -> None:
    rows = {row["Sid"]: row["Resource"] for row in permissions.policy(plan())["Statement"]}
    assert rows == {
        "Look": ["*"],
        "Cluster": ["arn:aws:eks:us-west-2:123456789012:cluster/muster-test"],
        "NodeImages": ["arn:aws:ssm:us-west-2::parameter/aws/service/*"],
        "Images": ["arn:aws:ecr:us-west-2:123456789012:repository/deepspeed"],
    }


def test_without_credentials_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    opened: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: opened.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: opened.append(address))
    said: list[str] = []
    made = plan()
    assert made.aws is not None
    found = aws.session()
    answers = aws.ask(made, made.aws, found, said.append)
    assert found == Unasked("no AWS credentials were found", "aws sso login, or set AWS_PROFILE")
    rows = (
        *account.check(made.aws, made.stack, answers, planned.NOW),
        *capacity.check(made.aws, made.stack, answers, services.load(), planned.NOW),
        *images.check_nodes(made.aws, answers),
        *images.check_pods(made, answers),
    )
    assert {(line.state, line.text) for line in rows} == {("unknown", "no AWS credentials were found")}
    assert {line.name for line in rows} == {CREDENTIALS, *(name for names in DENIED.values() for name in names)}
    assert lines.exit_code(rows, strict=False) == 0
    assert opened == said == []


def test_a_profile_that_is_not_there_is_no_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    assert aws.session() == Unasked(
        "no AWS credentials: The config profile (nowhere) could not be found", "aws sso login, or set AWS_PROFILE"
    )


@pytest.mark.parametrize(
    ("kind", "market", "code"),
    [
        ("p5.48xlarge", "on-demand", "L-417A185B"),
        ("p5.48xlarge", "capacity-block", None),
        ("p5en.48xlarge", "spot", "L-C4BD4855"),
        ("p4d.24xlarge", "spot", "L-7212CCBC"),
        ("p3.2xlarge", "spot", "L-7212CCBC"),
        ("g6e.8xlarge", "on-demand", "L-DB2E81BA"),
        ("gr6.4xlarge", "on-demand", "L-DB2E81BA"),
        ("vt1.3xlarge", "spot", "L-3819A6DF"),
        ("m7i.2xlarge", "on-demand", "L-1216C47A"),
        ("im4gn.large", "on-demand", "L-1216C47A"),
        ("t3.medium", "spot", "L-34B43A08"),
        ("trn1.32xlarge", "on-demand", None),
        ("inf2.xlarge", "on-demand", None),
        ("x2idn.16xlarge", "on-demand", None),
        ("hpc7a.96xlarge", "on-demand", None),
        ("mac2.metal", "on-demand", None),
    ],
)
def test_the_quota_of_a_machine(kind: str, market: Any, code: str | None) -> None:
    assert capacity.code_of(Instance(kind, 4, market, "", "", "", ""), services.load()) == code
