"""What an environment on AWS is made of, every name and number resolved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from muster.catalog import InstanceType
from muster.plan.taints import TaintPlan

STACK_TAG, RESOURCE_TAG = "muster:stack", "muster:resource"
"""Tags of everything that a stack makes: its name, and the logical name of the resource within it."""


@dataclass(frozen=True)
class Nic:
    """One network interface of a launch template: its card, its place on the card and its type."""

    card: int
    device: int
    kind: Literal["interface", "efa-only"]


@dataclass(frozen=True)
class SubnetPlan:
    """The private subnet of a zone: an existing one by `id`, or one to be made; `public` are the NAT's addresses."""

    zone: str
    cidr: str
    id: str | None = None
    public: str | None = None


@dataclass(frozen=True)
class NetworkPlan:
    """The VPC: an existing one by `vpc`, or one to be made. `endpoints` are services reached without NAT."""

    vpc: str | None
    cidr: str | None
    subnets: tuple[SubnetPlan, ...]
    nat_zones: tuple[str, ...]
    endpoints: tuple[str, ...]


@dataclass(frozen=True)
class AddonPlan:
    """An EKS add-on. `early` ones are there before the first node, the others need nodes to become active.

    `policy` names the policy, of those that AWS maintains, that its `service_account` gets by Pod Identity; both are
    None where it needs none. Without a `version` AWS takes its default.
    """

    name: str
    early: bool
    configuration: Mapping[str, Any] = field(default_factory=dict)
    service_account: str | None = None
    policy: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class EksPlan:
    """The control plane and who may reach it."""

    name: str
    account: str
    region: str
    partition: str
    version: str
    zones: tuple[str, ...]
    admins: tuple[str, ...]
    readers: tuple[str, ...]
    public_cidrs: tuple[str, ...]
    support: Literal["STANDARD", "EXTENDED"]
    protect: bool
    log_retention_days: int
    kms_key: str | None
    addons: tuple[AddonPlan, ...]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class CapacityPlan:
    """Where machines come from. `safe_until` is the last moment of a capacity block at which a checkpoint is sure."""

    mode: Literal["on-demand", "reservation", "capacity-block", "spot"]
    reservation: str | None = None
    placement_group: bool = False
    starts: datetime | None = None
    ends: datetime | None = None
    safe_until: datetime | None = None


@dataclass(frozen=True)
class QuotaPlan:
    """A service quota of EC2 that a pool draws on, and how much of it, in vCPU; `counted` where it surely counts."""

    code: str
    vcpu: int
    counted: bool


@dataclass(frozen=True)
class GroupPlan:
    """A managed node group and its launch template.

    `efa` and `nics` are those of one node, `addresses` the IPv4 addresses of all nodes, `interfaces` all their network
    interfaces. `hourly` is the on-demand price of all nodes in USD, None where the type has none.
    """

    pool: str
    type: InstanceType
    nodes: int
    zones: tuple[str, ...]
    capacity: CapacityPlan
    ami: str
    ami_eks: str
    release: str
    version: str
    disk_gib: int
    nics: tuple[Nic, ...]
    efa: int
    max_pods: int
    addresses: int
    interfaces: int
    labels: Mapping[str, str]
    taints: tuple[TaintPlan, ...]
    repair: bool
    interrupt: bool
    quota: QuotaPlan | None
    hourly: float | None
    price_region: str | None


@dataclass(frozen=True)
class FileSystemPlan:
    """An FSx for Lustre file system."""

    name: str
    zone: str
    size_gib: int
    throughput: int
    bucket: str | None
    monthly: float


@dataclass(frozen=True)
class BucketPlan:
    """A bucket that pods read."""

    name: str
    bucket: str


@dataclass(frozen=True)
class BudgetPlan:
    """An alarm on the monthly bill."""

    monthly_usd: int
    emails: tuple[str, ...]


@dataclass(frozen=True)
class RegistryPlan:
    """Repositories of the account's own registry, and public registries that it caches."""

    repositories: tuple[str, ...]
    upstreams: Mapping[str, str]


@dataclass(frozen=True)
class CostPlan:
    """What everything costs at on-demand prices, USD an hour, line by line; `ceiling` is what it may be at most."""

    lines: tuple[tuple[str, float], ...]
    date: str
    ceiling: float | None = None

    @property
    def hourly(self) -> float:
        """USD an hour."""
        return sum(usd for _, usd in self.lines)


@dataclass(frozen=True)
class AwsPlan:
    """Everything on AWS."""

    eks: EksPlan
    network: NetworkPlan
    groups: tuple[GroupPlan, ...]
    file_systems: tuple[FileSystemPlan, ...]
    buckets: tuple[BucketPlan, ...]
    budget: BudgetPlan | None
    registry: RegistryPlan
    cost: CostPlan
