"""Answers to preflight's questions: data, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Unasked:
    """Why a question has no answer, and what would give one."""

    reason: str
    remedy: str


Answer: TypeAlias = T | Unasked


@dataclass(frozen=True)
class Identity:
    """Who the credentials are of."""

    account: str
    arn: str


@dataclass(frozen=True)
class Zone:
    """An availability zone as the account sees it."""

    id: str
    state: str
    usable: bool


@dataclass(frozen=True)
class Quota:
    """A quota as it is applied to the account."""

    name: str
    value: float


@dataclass(frozen=True)
class Instance:
    """A machine that runs or is about to; `stack` and `pool` are those of its tags, empty where it has none."""

    type: str
    vcpu: int
    market: Literal["on-demand", "spot", "capacity-block"]
    stack: str
    pool: str
    subnet: str
    reservation: str


@dataclass(frozen=True)
class Reservation:
    """A capacity reservation; `free` machines of it run nothing yet."""

    type: str
    zone: str
    state: str
    total: int
    free: int
    block: bool
    starts: datetime | None
    ends: datetime | None


@dataclass(frozen=True)
class Subnet:
    """A subnet that is there, with its free addresses."""

    vpc: str
    zone: str
    cidr: str
    free: int


@dataclass(frozen=True)
class Eks:
    """An EKS cluster that is there; `stack` is that of its tag, empty where it has none."""

    status: str
    version: str
    stack: str


@dataclass(frozen=True)
class Version:
    """A Kubernetes version of EKS: UNSUPPORTED, STANDARD_SUPPORT or EXTENDED_SUPPORT; when the standard one ends."""

    status: str
    standard_until: date | None


@dataclass(frozen=True)
class NodeImage:
    """Whether a release of node images is there, and the newest release where AWS says it."""

    found: bool
    newest: str | None


ImageState = Literal["there", "no image", "no repository"]


@dataclass(frozen=True)
class AwsAnswers:
    """Everything that AWS was asked about a plan. None stands for what is not there.

    `sold` are pairs of zone id and instance type, `addons` versions by add-on, newest first; quotas are by code,
    reservations and subnets by id, node images by their parameter, images by name.
    """

    identity: Answer[Identity]
    region: Answer[str | None]
    zones: Answer[Mapping[str, Zone]]
    sold: Answer[frozenset[tuple[str, str]]]
    quotas: Mapping[str, Answer[Quota]]
    instances: Answer[tuple[Instance, ...]]
    reservations: Mapping[str, Answer[Reservation | None]]
    subnets: Answer[Mapping[str, Subnet]]
    eks: Answer[Eks | None]
    version: Answer[Version | None]
    addons: Mapping[str, Answer[tuple[str, ...]]]
    node_images: Answer[Mapping[str, NodeImage]]
    images: Mapping[str, Answer[ImageState]]


@dataclass(frozen=True)
class Node:
    """A node of an existing pool."""

    name: str
    ready: bool
    allocatable: Mapping[str, str]


@dataclass(frozen=True)
class ClusterAnswers:
    """Everything that a cluster was asked: version, nodes by pool, namespaces of others, rights that are missing."""

    version: Answer[str]
    nodes: Mapping[str, Answer[tuple[Node, ...]]]
    foreign: Answer[tuple[str, ...]]
    missing: Answer[tuple[str, ...]]
