"""Resources of AWS by their tags.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from collections.abc import Sequence

from muster.plan.aws.parts import RESOURCE_TAG, STACK_TAG

from local.problem import Problem
from local.recovery import Find


def finder(region: str) -> Find:
    """A search in one region, with the credentials that the environment has."""
    import boto3  # noqa: PLC0415 - half a second that only a recovery takes
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

    client = boto3.client("resourcegroupstaggingapi", region_name=region)

    def find(stack: str, name: str) -> Sequence[str]:
        wanted = [{"Key": STACK_TAG, "Values": [stack]}, {"Key": RESOURCE_TAG, "Values": [name]}]
        try:
            pages = client.get_paginator("get_resources").paginate(TagFilters=wanted)
            return [row["ResourceARN"] for page in pages for row in page["ResourceTagMappingList"]]
        except (BotoCoreError, ClientError) as error:
            raise Problem(f"AWS was not asked what an interrupted run left behind: {error}") from None

    return find
