"""Rules of what is kept: keys, logs, images, and protection from deletion."""

from collections.abc import Iterator, Sequence

from muster.policy.network import CLUSTER
from muster.policy.parts import UNKNOWN, Breach, Context, Resource, items, number, of_kind, unclear

LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
REPOSITORY = "aws:ecr/repository:Repository"
FILE_SYSTEM = "aws:fsx/lustreFileSystem:LustreFileSystem"
VPC = "aws:ec2/vpc:Vpc"
PROTECTED = (CLUSTER, FILE_SYSTEM, REPOSITORY, VPC)
"""What can't be had back once it is deleted."""
LOG_DAYS = 365
"""https://docs.aws.amazon.com/securityhub/latest/userguide/cloudwatch-controls.html#cloudwatch-16"""


def cluster_key(resource: Resource) -> Iterator[str]:
    """Secrets that a key of AWS's own encrypts."""
    if resource.kind == CLUSTER and resource.at("encryptionConfig") is None:
        yield "Secrets are encrypted with a key that AWS owns"


def log_retention(resources: Sequence[Resource], context: Context) -> Iterator[Breach]:
    """Logs that are kept for ever, or not long enough in production; 0 days are for ever."""
    for group in of_kind(resources, LOG_GROUP):
        days = group.at("retentionInDays")
        if days == UNKNOWN:
            continue
        if not days:
            yield group, "logs are kept for ever"
        elif context.production and (number(days) or LOG_DAYS) < LOG_DAYS:
            yield group, f"logs are kept for {days:g} days, in production {LOG_DAYS} are expected"


def audit_log(resource: Resource) -> Iterator[str]:
    """A control plane that doesn't write down who did what."""
    logs = resource.at("enabledClusterLogTypes")
    if resource.kind == CLUSTER and "audit" not in items(logs) and not unclear(logs):
        yield "the control plane writes no audit log"


def protection(resources: Sequence[Resource], context: Context) -> Iterator[Breach]:
    """What one wrong command takes away in production."""
    if not context.production:
        return
    for resource in of_kind(resources, *PROTECTED):
        if not resource.protected:
            yield resource, "not protected by Pulumi"
        if resource.kind == CLUSTER and resource.at("deletionProtection") not in (True, UNKNOWN):
            yield resource, "not protected by EKS"


def movable_tags(resource: Resource) -> Iterator[str]:
    """Repositories whose tags can be put on another image."""
    if resource.kind == REPOSITORY and resource.at("imageTagMutability") not in ("IMMUTABLE", UNKNOWN):
        yield "tags can be moved to another image"
