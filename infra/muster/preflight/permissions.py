"""The IAM policy of preflight: the reads it makes, and nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

from muster.plan import Plan
from muster.preflight import images

ANYWHERE = (
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeCapacityReservations",
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeRegions",
    "ec2:DescribeSubnets",
    "eks:DescribeAddonVersions",
    "eks:DescribeClusterVersions",
    "servicequotas:GetServiceQuota",
)
"""Actions without a resource to narrow them to.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
sts:GetCallerIdentity needs no permission: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
"""


def policy(plan: Plan) -> Mapping[str, Any]:
    """The policy document for a stack; for one outside AWS, of any account and region."""
    eks = plan.aws.eks if plan.aws else None
    partition, region, account, name = (
        (eks.partition, eks.region, eks.account, eks.name) if eks else ("aws", "*", "*", "*")
    )
    repositories = {
        f"arn:{partition}:ecr:{image.region}:{image.account}:repository/{image.repository}"
        for image in images.in_ecr(images.named(plan))
    }
    statements = [
        _allow("Look", ANYWHERE, ["*"]),
        _allow("Cluster", ["eks:DescribeCluster"], [f"arn:{partition}:eks:{region}:{account}:cluster/{name}"]),
        _allow("NodeImages", ["ssm:GetParameters"], [f"arn:{partition}:ssm:{region}::parameter/aws/service/*"]),
    ]
    if repositories or eks is None:
        anything = [f"arn:{partition}:ecr:*:*:repository/*"]
        statements.append(_allow("Images", ["ecr:DescribeImages"], sorted(repositories) or anything))
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(sid: str, actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": list(resources)}
