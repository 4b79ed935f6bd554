"""What an interrupted run left unrecorded is found by what it was asked to be, or by its tags."""

from collections import Counter
from functools import partial

import boto3
import pytest
from moto import mock_aws
from muster.plan.aws.parts import RESOURCE_TAG, STACK_TAG

from local import recovery, tagged
from local.recovery import BUDGET, BY_INPUTS, BY_TAG, import_id
from rehearsal.double import rules
from tests.program.recorder import STACKS, run

ACCOUNT = "123456789012"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
VPC = "urn:pulumi:prod::muster::aws:ec2/vpc:Vpc::network"


@pytest.mark.parametrize("stack", STACKS)
def test_every_kind_of_the_environments_can_be_found(stack: str) -> None:
    kinds = {one.kind for one in run(stack)[1] if one.kind.startswith("aws:")}
    assert kinds <= {*BY_INPUTS, *BY_TAG, BUDGET}


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_found_by_tags_carries_its_own(stack: str) -> None:
    tagged_ones = [one for one in run(stack)[1] if one.kind in BY_TAG]
    # Rules of both directions are security-group-rule in their ARNs.
    found_by = Counter((BY_TAG[one.kind], one.inputs["tags"][RESOURCE_TAG]) for one in tagged_ones)
    assert len(found_by) == len(tagged_ones), found_by.most_common(3)
    for one in tagged_ones:
        assert one.inputs["tags"][RESOURCE_TAG] == one.name + ("-egress" if one.kind == EGRESS else ""), one.kind


def test_the_double_knows_the_same_ids() -> None:
    table = rules.load().resources
    given = {"name": "n", "role": "r", "policyArn": "p", "routeTableId": "rtb-1", "destinationCidrBlock": "0.0.0.0/0"}
    given |= {"subnetId": "subnet-1", "clusterName": "c", "addonName": "a", "principalArn": "arn", "repository": "e"}
    given |= {"ecrRepositoryPrefix": "x"}
    for kind, made in BY_INPUTS.items():
        rule = table[kind]
        assert made(given) == (rule.import_id or rule.id).format(**{"in": given}), kind


@mock_aws
def test_aws_is_asked_by_both_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    ec2 = boto3.client("ec2", region_name="us-west-2")
    made = {}
    for stack in ("prod", "dev"):
        made[stack] = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        tags = [{"Key": STACK_TAG, "Value": stack}, {"Key": RESOURCE_TAG, "Value": "network"}]
        ec2.create_tags(Resources=[made[stack]], Tags=tags)
    inputs = {"tags": {RESOURCE_TAG: "network"}}
    assert import_id(VPC, inputs, "prod", ACCOUNT, partial(tagged.find, "us-west-2")) == made["prod"]


def test_ids_of_arns() -> None:
    arns = {
        "network": ["arn:aws:ec2:us-west-2:1:vpc/vpc-1", "arn:aws:ec2:us-west-2:1:subnet/subnet-1"],
        "pool-gpu": ["arn:aws:eks:us-west-2:1:nodegroup/muster-prod/gpu-abc/uuid"],
    }

    def find(_: str, name: str) -> list[str]:
        return arns.get(name, [])

    def by_tag(kind: str, name: str) -> str | None:
        urn = f"urn:pulumi:prod::muster::{kind}::{name}"
        return import_id(urn, {"tags": {RESOURCE_TAG: name}}, "prod", ACCOUNT, find)

    assert by_tag("aws:ec2/vpc:Vpc", "network") == "vpc-1"
    assert by_tag("aws:ec2/subnet:Subnet", "network") == "subnet-1"
    assert by_tag("aws:eks/nodeGroup:NodeGroup", "pool-gpu") == "muster-prod:gpu-abc"
    assert by_tag("aws:ec2/vpc:Vpc", "elsewhere") is None
    budget = f"urn:pulumi:prod::muster::{BUDGET}::budget"
    assert import_id(budget, {"name": "muster-prod"}, "prod", ACCOUNT, find) == f"{ACCOUNT}:muster-prod"
    assert import_id("urn:pulumi:prod::muster::kubernetes:core/v1:Namespace::a", {}, "prod", ACCOUNT, find) is None


def test_two_of_one_name_are_not_guessed_between() -> None:
    twice = ["arn:aws:ec2:us-west-2:1:vpc/vpc-1", "arn:aws:ec2:us-west-2:1:vpc/vpc-2"]
    assert recovery.import_id(VPC, {"tags": {RESOURCE_TAG: "network"}}, "prod", ACCOUNT, lambda *_: twice) is None
