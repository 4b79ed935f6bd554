"""IAM roles, each for one service and one purpose."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from muster.manifests.aws import iam
from muster.resources.aws.account import Account


def role(
    name: str, trust: str, policies: Sequence[str], account: Account, inline: Mapping[str, str] | None = None
) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    """A role with managed policies by ARN and own ones by name, and everything to wait for before it is used."""
    made = aws.iam.Role(
        name,
        name=f"{account.eks.name}-{account.eks.region}-{name}"[:64],
        assume_role_policy=trust,
        opts=account.options(),
    )
    attached: list[pulumi.Resource] = [
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy.rpartition('/')[2]}", role=made.name, policy_arn=policy, opts=account.options()
        )
        for policy in policies
    ]
    attached += [
        aws.iam.RolePolicy(f"{name}-{own}", name=own, role=made.name, policy=document, opts=account.options())
        for own, document in (inline or {}).items()
    ]
    return made, attached


def for_pods(
    name: str, policies: Sequence[str], account: Account, inline: Mapping[str, str] | None = None
) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    """A role that pods of this cluster alone take by Pod Identity."""
    trust = iam.trust(iam.POD_IDENTITY, account=account.eks.account, cluster=account.eks.name)
    return role(name, trust, policies, account, inline)


def managed(account: Account, name: str) -> str:
    """ARN of a policy that AWS maintains."""
    return f"arn:{account.eks.partition}:iam::aws:policy/{name}"
