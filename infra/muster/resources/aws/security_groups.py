"""Security groups and their rules."""

import pulumi
import pulumi_aws as aws

from muster.resources.aws.account import Account

ANY = "-1"
"""Every protocol and port: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html"""


def make(name: str, description: str, vpc: pulumi.Input[str], account: Account) -> aws.ec2.SecurityGroup:
    """A group without rules."""
    return aws.ec2.SecurityGroup(
        name,
        name=f"{account.eks.name}-{name}",
        description=description,
        vpc_id=vpc,
        tags=account.tags(name),
        opts=account.options(),
    )


def inward(
    name: str,
    group: aws.ec2.SecurityGroup,
    account: Account,
    *,
    source: pulumi.Input[str] | None = None,
    cidr: str | None = None,
    ports: tuple[int, int] | None = None,
) -> pulumi.Resource:
    """Traffic into `group` from another group or a network: TCP to a range of ports, or everything without."""
    first, last = ports or (None, None)
    return aws.vpc.SecurityGroupIngressRule(
        name,
        security_group_id=group.id,
        referenced_security_group_id=source,
        cidr_ipv4=cidr,
        ip_protocol="tcp" if ports else ANY,
        from_port=first,
        to_port=last,
        tags=account.tags(name),
        opts=account.options(),
    )


def outward_to_itself(name: str, group: aws.ec2.SecurityGroup, account: Account) -> pulumi.Resource:
    """Everything from `group` to itself. Its tags differ from those of an inward rule of the same name."""
    return aws.vpc.SecurityGroupEgressRule(
        name,
        security_group_id=group.id,
        referenced_security_group_id=group.id,
        ip_protocol=ANY,
        tags=account.tags(f"{name}-egress"),
        opts=account.options(),
    )
