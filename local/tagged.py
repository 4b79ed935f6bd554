"""Resources of AWS by their tags.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from muster.plan.aws.parts import RESOURCE_TAG, STACK_TAG

from local.problem import Problem


def find(region: str, stack: str, name: str) -> list[str]:
    """ARNs of what one region has under both tags, asked with the credentials of the environment. Raises Problem."""
    import boto3  # noqa: PLC0415 - half a second that only a recovery takes
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

    wanted = [{"Key": STACK_TAG, "Values": [stack]}, {"Key": RESOURCE_TAG, "Values": [name]}]
    try:
        pages = boto3.client("resourcegroupstaggingapi", region_name=region).get_paginator("get_resources")
        return [
            row["ResourceARN"] for page in pages.paginate(TagFilters=wanted) for row in page["ResourceTagMappingList"]
        ]
    except (BotoCoreError, ClientError) as error:
        raise Problem(f"AWS was not asked what an interrupted run left behind: {error}") from None
