"""Rules that somebody added to a security group, on moto's EC2."""

import json

import boto3
import pytest
from moto import mock_aws
from muster import preview
from muster.aws_tags import NotAsked
from muster.drift import report, rules
from muster.preview import Preview

REGION = "us-west-2"


def state(group: str, rule: str) -> Preview:
    """A state that knows one rule of one group."""
    kind = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    old = {"inputs": {"securityGroupId": group}, "outputs": {"securityGroupRuleId": rule}}
    step = {"op": "refresh", "urn": f"urn:pulumi:dev::muster::{kind}::fabric", "oldState": old}
    return preview.load(json.dumps({"steps": [step]}), "refresh.json")


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")


def test_a_rule_that_the_state_does_not_know_is_named_with_what_takes_it_away() -> None:
    with mock_aws():
        ec2 = boto3.client("ec2", region_name=REGION)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        group = ec2.create_security_group(GroupName="fabric", Description="d", VpcId=vpc)["GroupId"]
        everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
        own, other = (
            ec2.authorize_security_group_ingress(
                GroupId=group,
                IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": cidr}]}],
            )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
            for cidr in ("10.0.0.0/16", "0.0.0.0/0")
        )
        seen = state(group, own)
        assert rules.groups(seen) == [group]
        found = list(rules.findings(seen, rules.asked(REGION, [group]), REGION))
    (told,) = report.make("dev", found).drifts
    assert (told.what, told.wanted, told.found) == (
        f"SecurityGroupIngressRule {other}",
        "nothing",
        "tcp 22 from 0.0.0.0/0",
    )
    assert (told.severity, told.reason) == ("must-fix", "traffic is let through, or held back, against the stack file")
    assert told.mend == (
        f"aws ec2 revoke-security-group-ingress --region {REGION} --group-id {group} --security-group-rule-ids {other}"
    )


def test_without_credentials_nothing_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(NotAsked, match=r"^rules of security groups: Unable to locate credentials$"):
        rules.asked(REGION, ["sg-1"])
