"""The account's own container registry: repositories, and caches of public ones."""

import json

import pulumi_aws as aws

from muster.plan.aws.parts import RegistryPlan
from muster.resources.aws.account import Account

UNTAGGED_DAYS = 14


def make(plan: RegistryPlan, account: Account) -> None:
    """Repositories whose tags can't be moved, scanned on push; a stack that is not protected takes its images along."""
    for name in plan.repositories:
        logical = name.replace("/", "-")
        repository = aws.ecr.Repository(
            f"images-{logical}",
            name=name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            encryption_configurations=[{"encryption_type": "AES256"}],
            force_delete=not account.eks.protect,
            opts=account.options(protect=account.eks.protect),
        )
        aws.ecr.LifecyclePolicy(
            f"images-{logical}",
            repository=repository.name,
            policy=json.dumps(
                {
                    "rules": [
                        {
                            "rulePriority": 1,
                            "description": "images that no tag names any more",
                            "selection": {
                                "tagStatus": "untagged",
                                "countType": "sinceImagePushed",
                                "countUnit": "days",
                                "countNumber": UNTAGGED_DAYS,
                            },
                            "action": {"type": "expire"},
                        }
                    ]
                }
            ),
            opts=account.options(),
        )
    for prefix, upstream in plan.upstreams.items():
        aws.ecr.PullThroughCacheRule(
            f"cache-{prefix}", ecr_repository_prefix=prefix, upstream_registry_url=upstream, opts=account.options()
        )
