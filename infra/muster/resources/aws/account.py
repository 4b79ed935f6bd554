"""The one account and region that a stack's cloud resources go to."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from muster.plan.aws.parts import RESOURCE_TAG, EksPlan


@dataclass(frozen=True)
class Account:
    """The explicit provider, and the tags that every resource carries through it."""

    provider: aws.Provider
    eks: EksPlan

    def tags(self, name: str) -> dict[str, str]:
        """Tags of the resource of that logical name: one for people, one by which an interrupted run finds it again."""
        return {"Name": f"{self.eks.name}-{name}", RESOURCE_TAG: name}

    def options(self, *depends_on: pulumi.Resource, protect: bool | None = None) -> pulumi.ResourceOptions:
        """Options of a resource in this account that comes after `depends_on`."""
        return pulumi.ResourceOptions(provider=self.provider, depends_on=list(depends_on), protect=protect)


def connect(eks: EksPlan) -> Account:
    """The provider; credentials of any other account are refused before anything is made."""
    provider = aws.Provider(
        "aws", region=eks.region, allowed_account_ids=[eks.account], default_tags={"tags": dict(eks.tags)}
    )
    return Account(provider, eks)
