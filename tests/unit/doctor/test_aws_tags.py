"""What AWS lists under a stack's tag, asked of moto's double of it."""

import boto3
import pytest
from moto import mock_aws
from muster import aws_tags


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")


@pytest.mark.usefixtures("account")
def test_resources_of_the_stack_alone_are_found() -> None:
    with mock_aws():
        ec2 = boto3.client("ec2", region_name="us-west-2")
        ours, other = (ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(2))
        ec2.create_tags(Resources=[ours], Tags=[{"Key": "muster:stack", "Value": "prod"}])
        ec2.create_tags(Resources=[other], Tags=[{"Key": "muster:stack", "Value": "dev"}])
        found = aws_tags.find("us-west-2", "prod")
    assert [arn.rpartition("/")[2] for arn in found] == [ours]


def test_without_credentials_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3.Session, "get_credentials", lambda _: None)
    with pytest.raises(aws_tags.NotAsked, match="no AWS credentials were found"):
        aws_tags.find("us-west-2", "prod")
