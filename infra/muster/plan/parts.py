"""What a plan is made of: every name, number and reference resolved, nothing left to look up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from muster.catalog import InstanceType
from muster.gang import Backend
from muster.plan.aws.parts import AwsPlan
from muster.plan.policies import PoliciesPlan
from muster.plan.taints import TaintPlan

Document = Mapping[str, Any]
GPU = "nvidia.com/gpu"
EFA = "vpc.amazonaws.com/efa"
POOL_LABEL = "muster.dev/pool"


@dataclass(frozen=True)
class ClusterPlan:
    """The one cluster of the stack; `identity` names it in the stack's state and never changes."""

    provider: Literal["embedded", "existing", "aws"]
    kubeconfig: str | None
    context: str | None
    identity: str


@dataclass(frozen=True)
class ReleasePlan:
    """A Helm release; `needs` are releases of this plan that come first."""

    name: str
    namespace: str
    chart: str
    values: Mapping[str, Any]
    timeout_s: int
    needs: tuple[str, ...]


@dataclass(frozen=True)
class PoolPlan:
    """Equal nodes and what one pod of a job gets there: `gpus` are its own, `shared_memory` is the size of /dev/shm.

    `efa` are the EFA interfaces of a node.
    """

    name: str
    type: InstanceType | None
    simulated: bool
    nodes: int
    pods_per_node: int
    node_selector: Mapping[str, str]
    taints: tuple[TaintPlan, ...]
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    gpus: int
    shared_memory: str
    efa: int = 0

    @property
    def pods(self) -> int:
        """The most pods of jobs at once."""
        return self.nodes * self.pods_per_node


@dataclass(frozen=True)
class NodePlan:
    """A simulated node."""

    name: str
    pool: str
    instance_type: str
    taints: tuple[TaintPlan, ...]
    allocatable: Mapping[str, str]


@dataclass(frozen=True)
class QueuePlan:
    """A queue; `gpus` bounds what its jobs hold together."""

    name: str
    weight: int
    gpus: int | None


@dataclass(frozen=True)
class ClaimPlan:
    """A PersistentVolumeClaim of this stack: made by `storage_class`, or on a `volume` of this stack.

    The volume is a folder of the node (`host_path`), or the stack's file system or bucket of that storage name.
    """

    name: str
    namespace: str
    size: str
    storage_class: str | None = None
    volume: str | None = None
    host_path: str | None = None
    file_system: str | None = None
    bucket: str | None = None


@dataclass(frozen=True)
class FilesPlan:
    """The ConfigMap that holds a workload's files; its name changes with them."""

    name: str
    namespace: str
    workload: str
    data: Mapping[str, str]


@dataclass(frozen=True)
class SecretPlan:
    """A Secret in a namespace; its value is known to the engine alone."""

    name: str
    namespace: str


@dataclass(frozen=True)
class RuntimePlan:
    """A runtime template and everything that completes it. `template` is the manifest, `launcher` the PID-1 program."""

    name: str
    template: Document
    launcher: str
    pool: PoolPlan
    image: str
    backend: Backend
    namespace: str | None = None

    @property
    def kind(self) -> Literal["ClusterTrainingRuntime", "TrainingRuntime"]:
        """Kind of the manifest: for every namespace, or for one."""
        return "TrainingRuntime" if self.namespace else "ClusterTrainingRuntime"


@dataclass(frozen=True)
class ServicePlan:
    """The address of a job that serves: its first pod, as long as all of them are ready."""

    name: str
    namespace: str
    job: str
    port: str
    """Name of the container's port."""


@dataclass(frozen=True)
class CheckpointsPlan:
    """Where a job's pods find their checkpoints, in which claim's folder they lie, and how many stay."""

    path: str
    claim: str
    sub_path: str
    keep: int


@dataclass(frozen=True)
class MountPlan:
    """A claim in a job's pods: its folder `sub_path` at `path`; the whole of it, for reading, where that is empty."""

    storage: str
    claim: str
    path: str
    sub_path: str

    @property
    def read_only(self) -> bool:
        """Whether pods only read it."""
        return not self.sub_path


@dataclass(frozen=True)
class JobPlan:
    """A TrainJob manifest and everything that completes it.

    `requests` and `limits` hold only what the job changes of its runtime's resources. `secrets` are names of Secrets by
    environment variable. `queue` is where it waits, None without queues; `queue_annotation` is the key that says so,
    None where the runtime says it already. `service` is None unless the job serves.
    """

    name: str
    namespace: str
    manifest: Document
    runtime: str
    runtime_kind: str
    pool: str
    files: str
    nodes: int
    processes_per_node: int
    queue: str | None
    queue_annotation: str | None
    image: str | None
    args: tuple[str, ...]
    env: Mapping[str, str]
    secrets: Mapping[str, str]
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    mounts: tuple[MountPlan, ...]
    checkpoints: CheckpointsPlan | None
    service: ServicePlan | None
    suspend: bool
    wait: Literal["none", "running", "complete"]
    timeout_s: int
    deadline_s: int | None
    run: int

    @property
    def world_size(self) -> int:
        """Processes of the job."""
        return self.nodes * self.processes_per_node


@dataclass(frozen=True)
class Plan:
    """A stack as it shall be.

    `source` is the stack file as problems name it, `namespaces` are those to be made, `releases` stand in the order of
    their needs.
    """

    stack: str
    source: str
    cluster: ClusterPlan
    namespaces: tuple[str, ...]
    releases: tuple[ReleasePlan, ...]
    pools: tuple[PoolPlan, ...]
    nodes: tuple[NodePlan, ...]
    queues: tuple[QueuePlan, ...]
    claims: tuple[ClaimPlan, ...]
    files: tuple[FilesPlan, ...]
    secrets: tuple[SecretPlan, ...]
    runtimes: tuple[RuntimePlan, ...]
    services: tuple[ServicePlan, ...]
    jobs: tuple[JobPlan, ...]
    warnings: tuple[str, ...]
    aws: AwsPlan | None = None
    policies: PoliciesPlan = field(default_factory=PoliciesPlan)
