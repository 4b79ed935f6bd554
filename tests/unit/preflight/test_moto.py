"""The questions that moto answers, on the wire: what AWS sends is read as it is sent."""

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws
from muster.preflight import aws
from muster.preflight.answers import AwsAnswers, Identity, Unasked

from tests.unit.aws import environment

REGION = "us-west-2"
REGISTRY = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield


def answered(image: str, subnets: dict[str, dict[str, str]], vpc: str) -> AwsAnswers:
    made = environment.plan(
        {
            # moto has no capacity reservations.
            "pools.gpu.capacity": {"mode": "on-demand", "allowUnreserved": True},
            "runtimes.ds.image": image,
            "cluster.network": {"kind": "given", "vpc": vpc, "subnets": subnets},
        }
    )
    assert made.aws is not None
    session = aws.session()
    assert not isinstance(session, Unasked)
    return aws.ask(made, made.aws, session, lambda _: None)


def network() -> tuple[str, dict[str, dict[str, str]]]:
    """A VPC with a subnet in each zone of the environment."""
    ec2 = boto3.client("ec2", region_name=REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    cidrs = {"usw2-az1": "10.0.32.0/19", "usw2-az2": "10.0.64.0/19"}
    made = {
        zone: ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZoneId=zone)["Subnet"]["SubnetId"]
        for zone, cidr in cidrs.items()
    }
    return vpc, {zone: {"id": made[zone], "cidr": cidrs[zone]} for zone in cidrs}


def test_what_moto_knows_is_read() -> None:
    vpc, subnets = network()
    answers = answered(f"{REGISTRY}/deepspeed:1", subnets, vpc)
    assert isinstance(answers.identity, Identity)
    assert answers.identity.account == "123456789012"
    assert answers.region == "opt-in-not-required"
    assert not isinstance(answers.zones, Unasked)
    assert {name: (zone.state, zone.usable) for name, zone in answers.zones.items()} == {
        "usw2-az1": ("available", True),
        "usw2-az2": ("available", True),
    }
    assert not isinstance(answers.sold, Unasked)
    assert ("usw2-az2", "p5.48xlarge") in answers.sold
    assert {kind for _, kind in answers.sold} == {"p5.48xlarge", "m7i.xlarge"}
    assert answers.instances == ()
    assert not isinstance(answers.subnets, Unasked)
    assert {one.zone: (one.vpc, one.cidr, one.free) for one in answers.subnets.values()} == {
        "usw2-az1": (vpc, "10.0.32.0/19", 8187),
        "usw2-az2": (vpc, "10.0.64.0/19", 8187),
    }
    assert answers.eks is None


def test_machines_that_run_are_counted_with_their_tags() -> None:
    vpc, subnets = network()
    ec2 = boto3.client("ec2", region_name=REGION)
    tags = [{"Key": "muster:stack", "Value": "test"}, {"Key": "Name", "Value": "test-system"}]
    ec2.run_instances(
        ImageId=ec2.describe_images()["Images"][0]["ImageId"],
        InstanceType="m7i.xlarge",
        MinCount=2,
        MaxCount=2,
        SubnetId=subnets["usw2-az1"]["id"],
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )
    answers = answered(f"{REGISTRY}/deepspeed:1", subnets, vpc)
    assert not isinstance(answers.instances, Unasked)
    assert [(one.type, one.market, one.stack, one.pool, one.subnet) for one in answers.instances] == [
        ("m7i.xlarge", "on-demand", "test", "system", subnets["usw2-az1"]["id"])
    ] * 2


@pytest.mark.parametrize(("repository", "state"), [("other", "no repository"), ("deepspeed", "no image")])
def test_images_that_are_not_there(repository: str, state: str) -> None:
    ecr = boto3.client("ecr", region_name=REGION)
    ecr.create_repository(repositoryName=repository)
    vpc, subnets = network()
    image = f"{REGISTRY}/deepspeed:1"
    assert answered(image, subnets, vpc).images == {image: state}


def test_an_image_that_is_there() -> None:
    ecr = boto3.client("ecr", region_name=REGION)
    ecr.create_repository(repositoryName="deepspeed")
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": {}, "layers": []})
    ecr.put_image(repositoryName="deepspeed", imageManifest=manifest, imageTag="1")
    vpc, subnets = network()
    image = f"{REGISTRY}/deepspeed:1"
    assert answered(image, subnets, vpc).images == {image: "there"}
