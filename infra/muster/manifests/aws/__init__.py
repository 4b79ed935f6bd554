"""What a plan looks like to AWS: pure functions, parts of a plan in, documents out."""

from collections.abc import Iterator
from typing import Any

from muster.manifests.aws import launch_template, user_data
from muster.plan.aws.parts import AwsPlan
from muster.plan.parts import ClaimPlan

__all__ = ["documents", "file_system"]


def documents(plan: AwsPlan) -> Iterator[dict[str, Any]]:
    """Launch template and user data of each pool, for people to read."""
    for group in plan.groups:
        groups = ["<security group of the cluster>", "<security group of the fabric>"]
        name = f"{plan.eks.name}-{group.pool}"
        placement = name if group.capacity.placement_group else None
        made = launch_template.build(group, groups, dict(plan.eks.tags), placement)
        yield {"launchTemplate": name, **made, "user_data": user_data.build(group)}


def file_system(claim: ClaimPlan) -> dict[str, str]:
    """Stands for what a claim's file system will be."""
    return {key: f"<{key} of {claim.file_system}>" for key in ("id", "dns_name", "mount_name")}
