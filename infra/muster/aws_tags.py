"""Resources of AWS by the tag of their stack.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from muster.plan.aws.parts import STACK_TAG


class NotAsked(Exception):  # noqa: N818 - a state of the world, not a programming error
    """AWS was not asked; the text says why."""


def find(region: str, stack: str) -> list[str]:
    """ARNs of what a region holds of a stack, asked with the credentials of the environment. Raises NotAsked."""
    import boto3  # noqa: PLC0415 - a quarter of a second that only stacks on AWS take
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

    try:
        session = boto3.Session(region_name=region)
        if session.get_credentials() is None:
            raise NotAsked("no AWS credentials were found: set AWS_PROFILE, or log in with aws sso login")
        pages = session.client("resourcegroupstaggingapi").get_paginator("get_resources")
        wanted = [{"Key": STACK_TAG, "Values": [stack]}]
        return [
            row["ResourceARN"] for page in pages.paginate(TagFilters=wanted) for row in page["ResourceTagMappingList"]
        ]
    except (BotoCoreError, ClientError) as error:
        raise NotAsked(f"AWS refused or did not answer: {error}") from None
