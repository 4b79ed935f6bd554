"""Rules of the stack's security groups that no resource of the stack is: a refresh reads what it knows, and no more."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from muster.aws_tags import NotAsked
from muster.drift.finding import ABSENT, Difference, Finding, Thing
from muster.preview import Change, Preview

KINDS = ("SecurityGroupIngressRule", "SecurityGroupEgressRule")
Rule = Mapping[str, Any]
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html"""


def groups(preview: Preview) -> list[str]:
    """Ids of the security groups whose rules are the stack's own."""
    return sorted({str(change.old["securityGroupId"]) for change in _known(preview)})


def findings(preview: Preview, there: Iterable[Rule], region: str) -> Iterator[Finding]:
    """Rules that are there beside those of the state."""
    known = {change.outputs.get("securityGroupRuleId") for change in _known(preview)}
    for rule in there:
        if rule["SecurityGroupRuleId"] not in known:
            kind = KINDS[bool(rule["IsEgress"])]
            thing = Thing(kind, rule["SecurityGroupRuleId"], "cloud", of=rule["GroupId"], home=region)
            yield Finding(thing, Difference((), ABSENT, _text(rule)))


def asked(region: str, ids: list[str]) -> list[Rule]:
    """Rules of groups as AWS has them, asked with the credentials of the environment. Raises NotAsked."""
    import boto3  # noqa: PLC0415 - a quarter of a second that only stacks on AWS take
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

    try:
        pages = boto3.client("ec2", region_name=region).get_paginator("describe_security_group_rules")
        wanted = [{"Name": "group-id", "Values": ids}]
        return [rule for page in pages.paginate(Filters=wanted) for rule in page["SecurityGroupRules"]]
    except (BotoCoreError, ClientError) as error:
        raise NotAsked(f"rules of security groups: {error}") from None


def _known(preview: Preview) -> Iterator[Change]:
    return (change for change in preview.changes if change.noun in KINDS and change.old.get("securityGroupId"))


def _text(rule: Rule) -> str:
    first, last, protocol = rule.get("FromPort", -1), rule.get("ToPort", -1), rule["IpProtocol"]
    ports = (
        "all traffic" if protocol == "-1" else f"{protocol} {first}" if first == last else f"{protocol} {first}-{last}"
    )
    group = (rule.get("ReferencedGroupInfo") or {}).get("GroupId")
    other = rule.get("CidrIpv4") or rule.get("CidrIpv6") or rule.get("PrefixListId") or group
    return f"{ports} {'to' if rule['IsEgress'] else 'from'} {other}"
