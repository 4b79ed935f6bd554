"""What a stack file may say of AWS: cluster, network, capacity of pools, storage, budget."""

from typing import Annotated, Literal

from pydantic import Field

from muster.settings.model import Model
from muster.texts import (
    Account,
    Arn,
    BucketName,
    Cidr,
    ClusterName,
    Email,
    Line,
    Region,
    Release,
    Reservation,
    SubnetId,
    Timestamp,
    Version,
    VpcId,
    Zone,
)

LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""Retention that CloudWatch Logs takes, in days.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
"""


class OwnNetwork(Model):
    """A VPC that this stack makes: for each zone one private subnet, its place fixed by the zone's number."""

    kind: Literal["own"]
    """A VPC of the stack's own."""
    cidr: Cidr
    """Addresses of the VPC, a prefix of 16 to 20 bits."""
    nat: Literal["none", "one", "per-zone"] = "one"
    """NAT gateways: one for all zones, one a zone, or none where every image comes from the account's own registry."""
    endpoints: bool = False
    """Interface endpoints of the AWS services that nodes call; always made without NAT. S3 has one in any case."""


class GivenSubnet(Model):
    """A private subnet that is there already."""

    id: SubnetId
    """Its id."""
    cidr: Cidr
    """Its addresses."""


class GivenNetwork(Model):
    """A VPC that is there already, with routes and endpoints of its own."""

    kind: Literal["given"]
    """A VPC that is there already."""
    vpc: VpcId
    """Its id."""
    subnets: dict[Zone, GivenSubnet] = Field(min_length=2)
    """Private subnets by zone id."""


Network = Annotated[OwnNetwork | GivenNetwork, Field(discriminator="kind")]


class Access(Model):
    """Who may administer the cluster and from where its API server answers."""

    admins: Annotated[tuple[Arn, ...], Field(strict=False, min_length=1)]
    """IAM roles and users with full access; the one that runs Pulumi must be among them."""
    readers: Annotated[tuple[Arn, ...], Field(strict=False)] = ()
    """IAM roles and users that read everything in the cluster, Secrets included: Helm keeps its records in them."""
    public_cidrs: Annotated[tuple[Cidr, ...], Field(strict=False)] = ()
    """Networks outside the VPC from which the API server answers; without any, it answers within the VPC alone."""


class AwsCluster(Model):
    """A cluster of Amazon EKS that this stack makes."""

    provider: Literal["aws"]
    """Make a cluster on AWS."""
    account: Account
    """Account of 12 digits, as text: credentials of any other are refused."""
    region: Region
    """Region such as us-west-2."""
    name: ClusterName | None = None
    """Name of the cluster; without it, muster- and the stack's name."""
    kubernetes_version: Version
    """Minor version such as "1.35", as text."""
    zones: Annotated[tuple[Zone, ...], Field(strict=False, min_length=2)]
    """Zone ids, such as usw2-az1, for the control plane: two or more. Pools may be elsewhere."""
    network: Network
    """Where the nodes are."""
    access: Access
    """Who may reach the cluster."""
    support: Literal["standard", "extended"] = "standard"
    """What happens at the end of standard support: AWS upgrades the control plane, or charges for extended support."""
    protect: bool = False
    """For production: nothing that holds data is deleted before this is off again, and risky settings are errors."""
    log_retention_days: int = Field(default=30, json_schema_extra={"enum": list(LOG_DAYS)})
    """Days that the control plane's logs are kept."""
    kms_key: Arn | None = None
    """Key that encrypts Secrets; without it, one that AWS owns. It can't be taken away later."""
    addons: dict[Line, Line] = {}
    """Versions of EKS add-ons by name; without one, what AWS names the default when the add-on is made."""
    tags: dict[Line, str] = {}
    """Tags of everything that the stack makes."""


class OnDemand(Model):
    """Machines as AWS has them at the moment."""

    mode: Literal["on-demand"]
    """No reservation."""
    placement_group: bool = False
    """Keep the nodes close together in a cluster placement group."""
    allow_unreserved: bool = False
    """Try GPU types of family P without a reservation: they may never start."""


class Reserved(Model):
    """An On-Demand Capacity Reservation, targeted by its id."""

    mode: Literal["reservation"]
    """A capacity reservation."""
    reservation: Reservation
    """Its id."""


class CapacityBlock(Model):
    """A Capacity Block for ML, bought before; this project buys none."""

    mode: Literal["capacity-block"]
    """A capacity block."""
    reservation: Reservation
    """Id of the block's reservation."""
    starts: Timestamp | None = None
    """When it begins, in UTC; before that, `nodes` must be 0."""
    ends: Timestamp
    """When it ends, in UTC: always at 11:30."""


class Spot(Model):
    """Spare machines that AWS takes back with two minutes' notice."""

    mode: Literal["spot"]
    """Spot."""


Capacity = Annotated[OnDemand | Reserved | CapacityBlock | Spot, Field(discriminator="mode")]


class Ami(Model):
    """What the nodes boot."""

    type: Literal["al2023", "al2023-nvidia", "bottlerocket", "bottlerocket-nvidia"] | None = None
    """Family of the image; without it, Amazon Linux 2023, with NVIDIA's driver on GPU types."""
    release: Release | None = None
    """Release such as 1.35.4-20261023; without it, that of the locked set. A change replaces every node of the pool."""


class FsxLustre(Model):
    """A file system of FSx for Lustre: shared by all pods, fast enough for checkpoints."""

    kind: Literal["fsx-lustre"]
    """FSx for Lustre."""
    size_gi_b: int = Field(alias="sizeGiB")
    """Capacity: 1200, or a multiple of 2400."""
    throughput: Literal[125, 250, 500, 1000] = 250
    """MB/s for each TiB."""
    zone: Zone
    """Zone id; the pools that use it must be in it."""
    bucket: BucketName | None = None
    """Bucket that is kept in step with the folder /s3 of the file system."""


class S3(Model):
    """A bucket, mounted for reading: data sets, not checkpoints."""

    kind: Literal["s3"]
    """A bucket that is there already."""
    bucket: BucketName
    """Its name."""


class Budget(Model):
    """Ceiling and alarm for what the stack costs."""

    max_hourly_usd: float | None = Field(default=None, gt=0)
    """Ceiling of the on-demand price of everything in the plan, USD an hour: above it nothing is made."""
    monthly_usd: int | None = Field(default=None, ge=1)
    """Monthly bill of the stack's tags at which AWS sends an alarm."""
    alarm_emails: Annotated[tuple[Email, ...], Field(strict=False)] = ()
    """Who gets the alarm."""
