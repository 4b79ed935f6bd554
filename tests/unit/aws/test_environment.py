"""Parts of an environment on AWS beyond the pitfalls: network, images, user data, cost, waiting for nodes."""

import asyncio
import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from muster import moments, networks
from muster.kube import Kube
from muster.manifests.aws import iam, kubeconfig, user_data
from muster.plan.aws.cluster import zone_prefix
from muster.plan.aws.parts import AwsPlan
from muster.plan.images import mirrored
from muster.report.reader import Unreachable
from muster.resources import fabric
from muster.resources.connection import Connection

from tests.unit.aws.environment import declared, group, inputs, plan, refused
from tests.unit.aws.test_pitfalls import Cluster, gpu_node, policy


def aws(edits: dict[str, Any] | None = None) -> AwsPlan:
    found = plan(edits or {}).aws
    assert found is not None
    return found


def test_another_zone_moves_no_subnet() -> None:
    before = {subnet.zone: subnet.cidr for subnet in aws().network.subnets}
    after = {
        subnet.zone: subnet.cidr
        for subnet in aws({"cluster.zones": ["usw2-az1", "usw2-az2", "usw2-az4"]}).network.subnets
    }
    assert before == {"usw2-az1": "10.0.32.0/19", "usw2-az2": "10.0.64.0/19"}
    assert after == {**before, "usw2-az4": "10.0.128.0/19"}


@given(st.integers(16, 20), st.integers(0, 255))
def test_subnets_of_a_vpc_never_overlap(prefix: int, octet: int) -> None:
    cidr = f"10.{octet}.0.0/{prefix}"
    private = [networks.part(cidr, prefix + 3, number) for number in range(1, 8)]
    public = [networks.part(cidr, prefix + 8, number) for number in range(1, 8)]
    from ipaddress import IPv4Network  # noqa: PLC0415 - only here

    nets = [IPv4Network(text) for text in (*private, *public)]
    assert all(net.subnet_of(IPv4Network(cidr)) for net in nets)
    assert not any(one.overlaps(other) for one in nets for other in nets if one is not other)


def test_a_vpc_has_only_so_many_subnets() -> None:
    with pytest.raises(IndexError, match=r"10\.0\.0\.0/16 has no subnet 8 of /19"):
        networks.part("10.0.0.0/16", 19, 8)


@pytest.mark.parametrize(("nat", "zones"), [("none", 0), ("one", 1), ("per-zone", 2)])
def test_nat_gateways(nat: str, zones: int) -> None:
    made = declared({"cluster.network.nat": nat})
    assert sum(one.kind == "aws:ec2/natGateway:NatGateway" for one in made) == zones
    assert sum(one.kind == "aws:ec2/vpcEndpoint:VpcEndpoint" for one in made) == (1 if zones else 9)
    assert sum(one.name.startswith("out-") for one in made) == (2 if zones else 0)


def test_a_given_network_is_left_alone() -> None:
    subnets = {"usw2-az1": {"id": "subnet-0a1b2c31", "cidr": "10.0.0.0/20"}}
    subnets["usw2-az2"] = {"id": "subnet-0a1b2c32", "cidr": "10.0.16.0/20"}
    made = declared({"cluster.network": {"kind": "given", "vpc": "vpc-0a1b2c3d", "subnets": subnets}})
    kinds = {one.kind for one in made}
    assert not kinds & {"aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:ec2/routeTable:RouteTable"}
    assert inputs(made, "aws:eks/nodeGroup:NodeGroup", "pool-gpu")["subnetIds"] == ["subnet-0a1b2c32"]


@pytest.mark.parametrize(
    ("region", "prefix"),
    [
        ("us-west-2", "usw2"),
        ("eu-central-1", "euc1"),
        ("ap-northeast-1", "apne1"),
        ("ap-southeast-2", "apse2"),
        ("ca-central-1", "cac1"),
        ("us-gov-west-1", "usgw1"),
    ],
)
def test_zone_ids_begin_with_their_region(region: str, prefix: str) -> None:
    assert zone_prefix(region) == prefix


def test_bottlerocket_has_settings_of_its_own() -> None:
    text = user_data.build(group({"pools.gpu.ami": {"type": "bottlerocket-nvidia", "release": "1.35.0-abcdef01"}}))
    assert "max-pods = 51" in text
    assert 'soft-limit = "unlimited"' in text
    assert "MIME" not in text


def test_system_nodes_keep_their_limits() -> None:
    text = user_data.build(group(pool="system"))
    assert "rlimits" not in text
    assert "localStorage" not in text


@pytest.mark.parametrize(
    ("image", "copy"),
    [
        ("docker.io/team/a:1", "example.com/m/docker.io/team/a:1"),
        ("team/a:1", "example.com/m/docker.io/team/a:1"),
        ("nvcr.io/nvidia", "example.com/m/nvcr.io/nvidia"),
        ("localhost:5000/a", "example.com/m/localhost:5000/a"),
        ("example.com/other/a:1", "example.com/other/a:1"),
    ],
)
def test_names_of_mirrored_images(image: str, copy: str) -> None:
    assert mirrored(image, "example.com/m") == copy
    assert mirrored(image, None) == image


def test_times_as_the_engine_prints_them() -> None:
    assert moments.unprinted("2026-12-01 11:30:00 +0000 UTC") == "2026-12-01T11:30:00Z"
    assert moments.unprinted(7) == 7
    assert moments.parse("2026-12-01T11:30:00Z") == datetime(2026, 12, 1, 11, 30, tzinfo=UTC)
    assert "expected a time in UTC" in refused({"pools.gpu.capacity": {"mode": "capacity-block", "ends": "soon"}})


def test_roles_trust_one_cluster_and_read_one_bucket() -> None:
    document = json.loads(iam.trust(iam.POD_IDENTITY, account="1", cluster="c"))
    (statement,) = document["Statement"]
    assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert statement["Condition"]["StringEquals"]["aws:RequestTag/eks-cluster-name"] == "c"
    actions = {action for part in json.loads(iam.read_bucket("aws", "b"))["Statement"] for action in part["Action"]}
    assert actions == {"s3:ListBucket", "s3:GetObject"}
    made = declared({"storage.corpus": {"kind": "s3", "bucket": "corpus"}, "jobs.train.storage": {"corpus": "/corpus"}})
    policy_ = inputs(made, "aws:iam/rolePolicy:RolePolicy", "aws-mountpoint-s3-csi-driver-read-corpus")["policy"]
    assert "arn:aws:s3:::corpus" in policy_
    volume = inputs(made, "kubernetes:core/v1:PersistentVolume", "volume-training-corpus")["spec"]
    assert volume["accessModes"] == ["ReadOnlyMany"]


def test_a_growing_file_system_touches_no_claim() -> None:
    small, big = ({"storage.checkpoints.sizeGiB": size} for size in (1200, 4800))
    assert plan(small).claims == plan(big).claims


def test_no_policy_of_a_node_may_touch_the_network() -> None:
    made = declared()
    attached = [
        one.inputs["policyArn"]
        for one in made
        if one.kind.endswith("RolePolicyAttachment") and one.inputs["role"] == "node-id"
    ]
    names = [one.inputs for one in made if one.kind == "aws:iam/role:Role"]
    assert len(names) >= 4
    assert not [arn for arn in attached if "CNI" in arn or "Admin" in arn]


def test_the_kubeconfig_holds_no_credential() -> None:
    text = kubeconfig.build(aws().eks, "https://eks", "Q0E=")
    assert "token" not in text.replace("get-token", "")
    assert "client-key-data" not in text
    (user,) = json.loads(text)["users"]
    assert user["user"]["exec"]["args"][:4] == ["--region", "us-west-2", "eks", "get-token"]


def test_a_connection_says_that_the_cluster_is_not_there_yet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("muster.resources.connection.LEARN_S", 0.01)
    with pytest.raises(Unreachable, match="not known yet"):
        Connection(None, None).reader()
    with pytest.raises(Unreachable, match="no kubeconfig"):
        Connection(str(tmp_path / "none"), None).reader()
    with pytest.raises(Unreachable, match="the cluster's kubeconfig"):
        Kube.from_text("{}")


def test_up_waits_for_the_devices_of_every_node() -> None:
    devices = {"gpus": "8", "efa": "32"}
    slow = Cluster(nodes=[gpu_node("a", **devices)], clusterpolicies=[policy("OperandNotReady")])
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        slow.listings = {
            "nodes": [gpu_node("a", **devices), gpu_node("b", **devices)],
            "clusterpolicies": [policy("Reconciled")],
        }

    asyncio.run(fabric.settle(aws().groups, slow, tell))
    assert told[0].startswith("pool gpu: 1 of 2 nodes are ready")


def test_up_fails_when_the_fabric_does_not_come() -> None:
    never = Cluster(nodes=[gpu_node(name, gpus="8") for name in "ab"], clusterpolicies=[policy("Reconciled")])
    with pytest.raises(fabric.NotAsPlanned, match=r"(?s)no job was started:.*node a has 0 of 32 vpc") as caught:
        asyncio.run(fabric.settle(aws().groups, never, lambda _: None, limit_s=0.0))
    assert isinstance(caught.value, pulumi.RunError)


def test_pools_of_size_0_lack_nothing() -> None:
    groups = aws({"pools.gpu.nodes": 0}).groups
    assert fabric.lacks(groups, Cluster(nodes=[], clusterpolicies=[])) == []


def test_user_data_of_the_template_is_that_of_the_group() -> None:
    text = inputs(declared(), "aws:ec2/launchTemplate:LaunchTemplate", "pool-gpu")["userData"]
    assert base64.b64decode(text).decode() == user_data.build(group())


def test_cost_names_every_part() -> None:
    cost = aws().cost
    names = [name for name, _ in cost.lines]
    assert names == ["pool system", "pool gpu", "control plane", "NAT gateways", "root volumes", "storage checkpoints"]
    assert cost.hourly == pytest.approx(sum(usd for _, usd in cost.lines))
    assert dict(cost.lines)["pool gpu"] == pytest.approx(2 * 55.04)


def test_readers_see_the_whole_cluster_and_change_nothing() -> None:
    drift = "arn:aws:iam::123456789012:role/drift"
    made = declared({"cluster.access.readers": [drift]})
    kind = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
    association = inputs(made, kind, "reader-role-drift")
    assert association["principalArn"] == drift
    assert association["policyArn"] == "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminViewPolicy"
    assert association["accessScope"] == {"type": "cluster"}
    assert inputs(made, "aws:eks/accessEntry:AccessEntry", "reader-role-drift")["principalArn"] == drift
