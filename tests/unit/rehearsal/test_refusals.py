"""Every refusal of the double: something that it refuses, and the same thing put right."""

import base64
from pathlib import Path
from typing import Any

import pytest

from rehearsal.double import refusals, rules
from rehearsal.double.refusals import CHECKS, EKS, GROUP, RESERVATION, SUBNET, TEMPLATE, Case
from rehearsal.double.world import Ground, Thing, World

ROLE, VPC, ADDON = "aws:iam/role:Role", "aws:ec2/vpc:Vpc", "aws:eks/addon:Addon"
GATEWAY, ENTRY = "aws:ec2/internetGateway:InternetGateway", "aws:eks/accessEntry:AccessEntry"
OWN = "sg-of-the-cluster"
NODE_CONFIG = base64.b64encode(
    b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="B"\n\n--B\n\n--B--\n'
).decode()
ADMIN = "arn:aws:iam::123456789012:role/admin"


@pytest.fixture
def world(tmp_path: Path) -> World:
    ground = Ground("123456789012", "us-west-2", "https://x", "Q0E=", "/none", {"L-417A185B": 400.0, "addresses": 1})
    things = [
        Thing(VPC, "vpc-1", {"cidrBlock": "10.0.0.0/16"}, {}),
        Thing(SUBNET, "a", {"vpcId": "vpc-1", "cidrBlock": "10.0.0.0/24", "availabilityZoneId": "usw2-az1"}, {}),
        Thing(SUBNET, "b", {"vpcId": "vpc-1", "cidrBlock": "10.0.1.0/24", "availabilityZoneId": "usw2-az2"}, {}),
        Thing(SUBNET, "c", {"vpcId": "vpc-2", "cidrBlock": "10.9.0.0/24", "availabilityZoneId": "use1-az3"}, {}),
        Thing(SUBNET, "tiny", {"vpcId": "vpc-3", "cidrBlock": "10.8.0.0/29", "availabilityZoneId": "usw2-az2"}, {}),
        Thing(
            SUBNET,
            "open",
            {"cidrBlock": "10.7.0.0/24", "availabilityZoneId": "usw2-az2", "mapPublicIpOnLaunch": True},
            {},
        ),
        Thing(GATEWAY, "igw-1", {"vpcId": "vpc-1"}, {}),
        Thing("aws:ec2/eip:Eip", "eip-1", {}, {}),
        Thing(ROLE, "eks", {"assumeRolePolicy": "eks.amazonaws.com"}, {"arn": "role-eks"}),
        Thing(ROLE, "ec2", {"assumeRolePolicy": "ec2.amazonaws.com"}, {"arn": "role-ec2"}),
        Thing(EKS, "c", {"version": "1.35"}, {"vpcConfig": {"clusterSecurityGroupId": OWN}}),
        Thing(ADDON, "c:vpc-cni", {}, {}),
        Thing(ENTRY, f"c:{ADMIN}", {}, {}),
        Thing(GROUP, "c:system", {"clusterName": "c", "scalingConfig": {"desiredSize": 2}, "taints": []}, {}),
        Thing(RESERVATION, "cr-1", {"instanceType": "p5.48xlarge", "instanceCount": 2}, {"zoneId": "usw2-az2"}),
        Thing(TEMPLATE, "lt", template(), {}),
        Thing(TEMPLATE, "lt-typed", template(instanceType="p5.48xlarge"), {}),
        Thing(TEMPLATE, "lt-image", template(imageId="ami-1"), {}),
        Thing(TEMPLATE, "lt-profile", template(iamInstanceProfile={"name": "p"}), {}),
        Thing(TEMPLATE, "lt-block", block(), {}),
        Thing(TEMPLATE, "lt-block-untyped", {**block(), "instanceType": None}, {}),
        Thing(TEMPLATE, "lt-two-efa", template(networkInterfaces=[nic(0, 0), nic(0, 1, "efa"), nic(0, 2, "efa")]), {}),
        Thing(
            TEMPLATE, "lt-foreign-groups", template(networkInterfaces=[{**nic(0, 0), "securityGroups": ["sg-x"]}]), {}
        ),
        Thing(TEMPLATE, "lt-script", template(userData=base64.b64encode(b"#!/bin/sh\n").decode()), {}),
        Thing(TEMPLATE, "lt-reserved", template(capacityReservationSpecification=target()), {}),
        Thing(
            TEMPLATE,
            "lt-placed",
            template(capacityReservationSpecification=target(), placement={"groupName": "pg"}),
            {},
        ),
        Thing(
            refusals.RULE_KINDS["in"],
            "sgr-1",
            {"securityGroupId": "sg-l", "referencedSecurityGroupId": "sg-l", "ipProtocol": "tcp", "fromPort": 988},
            {},
        ),
    ]
    return World.begin(tmp_path / "world", ground, things)


def nic(card: int, device: int, kind: str = "interface") -> dict[str, Any]:
    return {"networkCardIndex": card, "deviceIndex": device, "interfaceType": kind, "securityGroups": [OWN]}


def template(**more: Any) -> dict[str, Any]:
    return {"networkInterfaces": [nic(0, 0), nic(0, 1, "efa-only")], "userData": NODE_CONFIG, **more}


def target() -> dict[str, Any]:
    return {"capacityReservationTarget": {"capacityReservationId": "cr-1"}}


def block() -> dict[str, Any]:
    market = {"marketType": "capacity-block"}
    spec = {"instanceMarketOptions": market, "capacityReservationSpecification": target()}
    return template(instanceType="p5.48xlarge", **spec)


def group(**more: Any) -> dict[str, Any]:
    made = {
        "clusterName": "c",
        "version": "1.35",
        "releaseVersion": "1.35.4-20261023",
        "amiType": "AL2023_x86_64_NVIDIA",
        "capacityType": "ON_DEMAND",
        "instanceTypes": ["p5.48xlarge"],
        "launchTemplate": {"id": "lt"},
        "subnetIds": ["b"],
        "scalingConfig": {"minSize": 0, "desiredSize": 2, "maxSize": 2},
    }
    return {**made, **more}


def cluster(**more: Any) -> dict[str, Any]:
    network = {"subnetIds": ["a", "b"], "endpointPrivateAccess": True, "endpointPublicAccess": False}
    return {"name": "new", "version": "1.35", "roleArn": "role-eks", "vpcConfig": network, **more}


def sizes(low: int, want: int, high: int) -> dict[str, Any]:
    return {"scalingConfig": {"minSize": low, "desiredSize": want, "maxSize": high}}


def uses(name: str, **more: Any) -> dict[str, Any]:
    return group(launchTemplate={"id": name}, **more)


BLOCK = {"capacityType": "CAPACITY_BLOCK", "instanceTypes": None}
SG = "aws:ec2/securityGroup:SecurityGroup"
LUSTRE = "aws:fsx/lustreFileSystem:LustreFileSystem"
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "vpc-size": (VPC, {"cidrBlock": "10.0.0.0/8"}, {"cidrBlock": "10.0.0.0/16"}),
    "subnet-range": (
        SUBNET,
        {"vpcId": "vpc-1", "cidrBlock": "10.1.0.0/24"},
        {"vpcId": "vpc-1", "cidrBlock": "10.0.9.0/24"},
    ),
    "subnet-conflict": (
        SUBNET,
        {"vpcId": "vpc-1", "cidrBlock": "10.0.0.128/25"},
        {"vpcId": "vpc-1", "cidrBlock": "10.0.9.0/24"},
    ),
    "zone-exists": (SUBNET, {"availabilityZoneId": "use1-az1"}, {"availabilityZoneId": "usw2-az4"}),
    "nat-needs-internet": ("aws:ec2/natGateway:NatGateway", {"subnetId": "c"}, {"subnetId": "a"}),
    "endpoint-service": (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        {"serviceName": "com.amazonaws.us-east-1.s3"},
        {"serviceName": "com.amazonaws.us-west-2.s3"},
    ),
    "template-interfaces-or-groups": (TEMPLATE, template(vpcSecurityGroupIds=["sg-x"]), template()),
    "role-name": (ROLE, {"name": "n" * 65}, {"name": "n" * 64}),
    "policy-exists": (
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        {"policyArn": "arn:aws:iam::aws:policy/AmazonEKSNodePolicy"},
        {"policyArn": "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"},
    ),
    "retention": ("aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 31}, {"retentionInDays": 30}),
    "cluster-version": (EKS, cluster(version="1.99"), cluster()),
    "cluster-zones": (EKS, cluster(vpcConfig={"subnetIds": ["a", "c"]}), cluster()),
    "cluster-endpoint": (
        EKS,
        cluster(vpcConfig={"endpointPrivateAccess": False, "endpointPublicAccess": False}),
        cluster(),
    ),
    "cluster-role-trust": (EKS, cluster(roleArn="role-ec2"), cluster()),
    "cluster-protected": (EKS, cluster(deletionProtection=True), cluster(deletionProtection=False)),
    "principal": (ENTRY, {"principalArn": "arn:aws:sts::123456789012:assumed-role/a/b"}, {"principalArn": ADMIN}),
    "association-needs-entry": (
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        {"clusterName": "c", "principalArn": "arn:aws:iam::123456789012:role/other"},
        {"clusterName": "c", "principalArn": ADMIN},
    ),
    "addon-name": (ADDON, {"addonName": "core-dns"}, {"addonName": "coredns"}),
    "addon-needs-nodes": (
        ADDON,
        {"clusterName": "without-nodes", "addonName": "coredns"},
        {"clusterName": "c", "addonName": "coredns"},
    ),
    "addon-configuration": (ADDON, {"configurationValues": "{"}, {"configurationValues": "{}"}),
    "group-sizes": (GROUP, group(**sizes(3, 2, 4)), group(**sizes(0, 2, 2))),
    "group-type-once": (GROUP, uses("lt-typed"), uses("lt")),
    "group-disk": (GROUP, group(diskSize=100), group()),
    "group-template-forbidden": (GROUP, uses("lt-profile"), uses("lt")),
    "group-image": (GROUP, uses("lt-image"), uses("lt-image", amiType=None, version=None, releaseVersion=None)),
    "group-ami-fits-type": (GROUP, group(amiType="AL2023_x86_64_STANDARD"), group()),
    "group-version": (GROUP, group(version="1.36", releaseVersion="1.36.1-20261023"), group()),
    "group-block": (GROUP, uses("lt-block-untyped", **BLOCK), uses("lt-block", **BLOCK)),
    "group-cni": (GROUP, group(clusterName="without-cni"), group()),
    "group-interfaces": (GROUP, uses("lt-two-efa"), uses("lt")),
    "group-public-address": (GROUP, group(subnetIds=["open"]), group()),
    "group-security-groups": (GROUP, uses("lt-foreign-groups"), uses("lt")),
    "group-user-data": (GROUP, uses("lt-script"), uses("lt")),
    "group-zone": (GROUP, group(instanceTypes=["p5e.48xlarge"], subnetIds=["a"]), group()),
    "group-quota": (GROUP, group(**sizes(0, 3, 3)), group()),
    "group-reservation": (GROUP, uses("lt-reserved", **sizes(0, 3, 3)), uses("lt-reserved")),
    "group-placement": (GROUP, uses("lt-placed"), uses("lt-reserved")),
    "group-addresses": (GROUP, group(subnetIds=["tiny"], **sizes(0, 4, 4)), group()),
    "lustre-size": (LUSTRE, {"storageCapacity": 2000}, {"storageCapacity": 4800}),
    "lustre-ports": (LUSTRE, {"securityGroupIds": ["sg-other"]}, {"securityGroupIds": ["sg-l"]}),
}
"""Name of the row: kind, inputs that are refused, inputs that are not."""
CHANGES: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "cluster-version-step": (EKS, cluster(version="1.33"), cluster(version="1.35"), cluster(version="1.34")),
    "group-block-change": (
        GROUP,
        {**uses("lt-block", **BLOCK), "launchTemplate": {"id": "lt-block", "version": "1"}},
        {**uses("lt-block", **BLOCK), "launchTemplate": {"id": "lt-block", "version": "2"}},
        {**uses("lt-block", **BLOCK), "launchTemplate": {"id": "lt-block", "version": "1"}},
    ),
    "lustre-shrink": (LUSTRE, {"storageCapacity": 4800}, {"storageCapacity": 2400}, {"storageCapacity": 7200}),
}
"""Name of the row: kind, inputs as they are, a change that is refused, one that is not."""


@pytest.mark.parametrize("name", CASES)
def test_refused_and_put_right(name: str, world: World) -> None:
    kind, wrong, right = CASES[name]
    assert CHECKS[name](Case(world, kind, wrong)), "accepted"
    assert CHECKS[name](Case(world, kind, right)) is None
    assert name in {*rules.load().resources[kind].refuse, *rules.load().resources[kind].refuse_delete}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_refused_and_another_not(name: str, world: World) -> None:
    kind, before, wrong, right = CHANGES[name]
    old = Thing(kind, "old", before, {})
    assert CHECKS[name](Case(world, kind, wrong, old)), "accepted"
    assert CHECKS[name](Case(world, kind, right, old)) is None
    assert name in rules.load().resources[kind].refuse


def test_one_address_too_many(world: World) -> None:
    kind = "aws:ec2/eip:Eip"
    assert CHECKS["addresses-quota"](Case(world, kind, {}))
    world.remove(next(world.all(kind)))
    assert CHECKS["addresses-quota"](Case(world, kind, {})) is None


def test_every_row_has_a_function_and_a_case() -> None:
    table = rules.load()
    assert set(table.refusals) == set(CHECKS) == {*CASES, *CHANGES, "addresses-quota"}
    assert all(row.source.startswith("https://") for row in (*table.refusals.values(), *table.resources.values()))


@pytest.mark.parametrize(
    ("interfaces", "reason"),
    [
        ([nic(0, 1)], "primary"),
        ([nic(0, 0, "efa-only")], "can't be the primary"),
        ([nic(0, 0), nic(32, 0, "efa-only")], "exceeds the limit"),
        ([nic(0, 0), nic(1, 2, "efa-only")], "maximum devices for this network card is 2"),
        ([nic(0, 0), nic(1, 0, "efa"), nic(1, 1, "efa")], "one EFA per network card"),
        ([nic(0, 0), nic(1, 0, "efa"), nic(1, 0)], "unique device index"),
    ],
)
def test_interfaces_of_a_p5(interfaces: list[dict[str, Any]], reason: str, world: World) -> None:
    world.put(Thing(TEMPLATE, "lt-nics", template(networkInterfaces=interfaces), {}))
    assert reason in str(CHECKS["group-interfaces"](Case(world, GROUP, uses("lt-nics"))))


def test_card_0_of_a_b300_has_no_efa(world: World) -> None:
    nics = [nic(0, 0), nic(0, 1, "efa-only")]
    world.put(Thing(TEMPLATE, "lt-nics", template(networkInterfaces=nics), {}))
    b300 = uses("lt-nics", instanceTypes=["p6-b300.48xlarge"])
    assert "does not support EFA" in str(CHECKS["group-interfaces"](Case(world, GROUP, b300)))
