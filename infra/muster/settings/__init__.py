"""What a stack file may say: every key, its type and its meaning, and nothing about how the parts fit together."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from muster import documents, mistakes, schemas
from muster.problems import Problem, SettingsError, hint, one_of, shown
from muster.settings.aws import (
    S3,
    Ami,
    AwsCluster,
    Budget,
    Capacity,
    CapacityBlock,
    FsxLustre,
    GivenNetwork,
    OnDemand,
    OwnNetwork,
    Reserved,
    Spot,
)
from muster.settings.model import Model
from muster.settings.policies import Policies
from muster.settings.secrets import Sealed
from muster.texts import (
    AbsolutePath,
    Duration,
    EnvName,
    FileName,
    Image,
    Label,
    LabelKey,
    LabelValue,
    Line,
    Namespace,
    Quantity,
    QueueName,
    RepositoryName,
    ResourceName,
    Scheduler,
    StorageName,
    Subdomain,
    Zone,
)
from muster.texts import Registry as RegistryPath

__all__ = [
    "S3",
    "Ami",
    "AwsCluster",
    "Budget",
    "CapacityBlock",
    "Claim",
    "EmbeddedCluster",
    "ExistingClaim",
    "ExistingCluster",
    "FsxLustre",
    "GivenNetwork",
    "GpuOperator",
    "HostPath",
    "Job",
    "OnDemand",
    "OwnNetwork",
    "Platform",
    "Policies",
    "Pool",
    "Reserved",
    "Resources",
    "Runtime",
    "Settings",
    "Spot",
    "Storage",
    "parse",
    "read",
    "schema",
]

NAMESPACE = "muster:"
"""Prefix of this project's keys in a stack file; keys of other namespaces belong to their providers."""


class EmbeddedCluster(Model):
    """The Kubernetes that this project starts on the machine itself."""

    provider: Literal["embedded"]
    """Start and use the embedded cluster."""


class ExistingCluster(Model):
    """A cluster that is there already."""

    provider: Literal["existing"]
    """Use a cluster that is there already."""
    kubeconfig: Line | None = None
    """Path of the kubeconfig file; without it, the one that the environment variable KUBECONFIG names."""
    context: Line | None = None
    """Context within the kubeconfig; without it, its current one."""
    identity: Line | None = None
    """Name of the cluster in the stack's state, never changed in its life; without it, one made of the stack's."""


Cluster = Annotated[EmbeddedCluster | ExistingCluster | AwsCluster, Field(discriminator="provider")]


class Resources(Model):
    """Compute resources of one pod, as in Kubernetes."""

    requests: dict[ResourceName, Quantity] = {}
    """What is set aside for the pod."""
    limits: dict[ResourceName, Quantity] = {}
    """What the pod can't exceed."""


class ExistingNodes(Model):
    """Nodes that are there already."""

    node_selector: dict[LabelKey, LabelValue] = Field(min_length=1)
    """Labels by which the nodes are found."""


class Taint(Model):
    """A taint that the nodes of a pool carry; runtimes of the pool tolerate it."""

    key: LabelKey
    """Key of the taint."""
    value: LabelValue | None = None
    """Value of the taint; without it, any value is tolerated."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    """What the taint does to pods that don't tolerate it."""


class Pool(Model):
    """A set of equal nodes: either nodes that are there already, or machines of one instance type."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["existing"]}, {"required": ["instanceType"]}]},
    )

    existing: ExistingNodes | None = None
    """Nodes that are there already."""
    instance_type: Line | None = None
    """Instance type of the nodes, such as p5.48xlarge."""
    simulated: bool = False
    """Nodes that exist on the API server only: schedulers place pods on them, no container runs."""
    nodes: int = Field(ge=0, le=10_000)
    """How many nodes; 0 keeps a pool of machines that this stack makes, without any."""
    pods_per_node: int | None = Field(default=None, ge=1, le=1_000)
    """How many pods of a job one existing node takes; without it, one."""
    pod_resources: Resources | None = None
    """Resources of one pod; without it, those of a whole node of the instance type."""
    taints: Annotated[tuple[Taint, ...], Field(strict=False)] = ()
    """Taints of the nodes; GPU nodes carry nvidia.com/gpu without being told."""
    zone: Zone | None = None
    """Zone id of machines on AWS, such as usw2-az2; without it, all zones of the cluster. EFA needs one."""
    capacity: Capacity | None = None
    """Where machines on AWS come from; without it, on-demand."""
    efa: bool | None = None
    """Whether nodes on AWS get EFA interfaces; without it, as many as the instance type has."""
    ami: Ami = Ami()
    """What machines on AWS boot."""
    disk_gi_b: int = Field(default=200, ge=20, le=16_384, alias="diskGiB")
    """Root volume of a machine on AWS, in GiB."""
    repair: bool = True
    """Let EKS replace a node that it finds broken."""
    interrupt_jobs: bool = False
    """Let an update replace nodes on which jobs run; without it, such an update is refused."""


class Gang(Model):
    """How the pods of a job are placed."""

    scheduler: Scheduler = "volcano"
    """Gang scheduler: all pods of a job run or none; `none` serves jobs of one node."""


class GpuOperator(Model):
    """NVIDIA's GPU Operator, installed where AWS pools have GPUs."""

    monitoring: bool = False
    """Make ServiceMonitors for the GPUs' metrics; needs the Prometheus operator's CRDs on the cluster."""


class Mirror(Model):
    """A registry that holds copies of every image."""

    registry: RegistryPath
    """Host and path put before the name of each image, such as 123456789012.dkr.ecr.us-west-2.amazonaws.com/mirror."""


class Registry(Model):
    """The AWS account's own container registry."""

    repositories: Annotated[tuple[RepositoryName, ...], Field(strict=False)] = ()
    """Repositories to make; a tag in them can't be moved."""
    pull_through: bool = False
    """Cache the public registries that need no credentials: public.ecr.aws, quay.io, registry.k8s.io."""


class Platform(Model):
    """What is installed on the cluster."""

    gang: Gang = Gang()
    """Gang scheduling."""
    gpu_operator: GpuOperator = GpuOperator()
    """GPU drivers' companions."""
    mirror: Mirror | None = None
    """Where images are pulled from; without it, from where they are published."""
    registry: Registry = Registry()
    """The account's own registry, on AWS."""


class Queue(Model):
    """A queue of the gang scheduler."""

    weight: int = Field(default=1, ge=1, le=1_000_000)
    """Share of a contended cluster, relative to the other queues."""
    gpus: int | None = Field(default=None, ge=1)
    """The most GPUs that jobs of this queue hold together; without it, no bound."""


class HostPath(Model):
    """A folder of the node itself: for clusters of one machine."""

    kind: Literal["host-path"]
    """A folder of the node."""
    path: AbsolutePath
    """The folder; made when it is missing."""
    size: Quantity
    """Capacity that the volume claims to have."""


class Claim(Model):
    """A shared volume that a storage class makes."""

    kind: Literal["claim"]
    """A volume that a storage class makes."""
    storage_class: Subdomain | None = None
    """Storage class that can share a volume between nodes (ReadWriteMany); without it, the cluster's default."""
    size: Quantity
    """Capacity to ask for."""


class ExistingClaim(Model):
    """A PersistentVolumeClaim that is there already."""

    kind: Literal["existing-claim"]
    """A claim that is there already."""
    claim_name: Subdomain
    """Name of the claim."""
    namespace: Namespace | None = None
    """Where it is; jobs elsewhere can't use it. Without it, every namespace of a job that uses it has one."""


Storage = Annotated[HostPath | Claim | ExistingClaim | FsxLustre | S3, Field(discriminator="kind")]


class Runtime(Model):
    """A runtime template bound to a pool: jobs that name it get the pool's GPUs, fabric and shared memory."""

    template: FileName
    """File under runtimes/, without .yaml."""
    pool: Label
    """Pool on whose nodes its jobs run."""
    image: Image | None = None
    """Container image; without it, that of the template."""
    namespace: Namespace | None = None
    """Namespace whose jobs alone may use it, as a TrainingRuntime; without it, those of every namespace."""


class Checkpoints(Model):
    """Where all ranks of a job write its checkpoints, and how many stay."""

    storage: StorageName
    """Storage of this stack that every rank can write."""
    path: AbsolutePath = "/checkpoints"
    """Where pods find it; the script learns it from MUSTER_CHECKPOINTS."""
    keep: int = Field(default=3, ge=1, le=10_000)
    """How many whole checkpoints the script keeps; it learns it from MUSTER_CHECKPOINTS_KEEP."""


class Job(Model):
    """A training job: one TrainJob."""

    enabled: bool = True
    """Whether the stack has it; one that is not enabled is checked all the same, and its storage stays."""
    workload: FileName
    """Folder under workloads/ with the job's manifest and files."""
    runtime: Label
    """Runtime of this stack."""
    nodes: int = Field(ge=1, le=10_000)
    """How many pods, all placed together."""
    processes_per_node: int | None = Field(default=None, ge=1, le=1_000)
    """Processes in each pod; without it, one a GPU, or one."""
    queue: Label | None = None
    """Queue of this stack; without it, the gang scheduler's queue default."""
    namespace: Namespace = "training"
    """Kubernetes namespace."""
    image: Image | None = None
    """Container image; without it, that of the runtime."""
    args: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Arguments after those of the workload's manifest."""
    env: dict[EnvName, str] = {}
    """Environment variables of every process."""
    storage: dict[StorageName, AbsolutePath] = {}
    """Mount path by storage name; each run has a folder of its own there."""
    secrets: dict[EnvName, Label] = {}
    """Secret of this stack by environment variable of every process."""
    checkpoints: Checkpoints | None = None
    """Checkpoints of the job; each run has its own."""
    resources: Resources | None = None
    """Resources of one pod; without it, those of the runtime."""
    wait: Literal["none", "running", "complete"] = "none"
    """What `pulumi up` waits for."""
    timeout: Duration = "30m"
    """How long it waits before the update fails; the job itself goes on."""
    deadline: Duration | None = None
    """How long the job may take before Kubernetes stops it."""
    suspend: bool = False
    """Whether its pods are gone for now; they save before they go, and it resumes there."""
    run: int = Field(default=1, ge=1, le=1_000_000)
    """Raise it to run the job again."""

    @property
    def volumes(self) -> Mapping[str, str]:
        """Mount path by storage name, checkpoints included."""
        return {**self.storage, **({self.checkpoints.storage: self.checkpoints.path} if self.checkpoints else {})}

    def volume_key(self, storage: str) -> str:
        """Key under the job that names the storage."""
        own = self.checkpoints is not None and self.checkpoints.storage == storage
        return "checkpoints.storage" if own else f"storage.{storage}"


class Settings(Model):
    """All keys of this project in a stack file."""

    cluster: Cluster
    """Where the stack runs."""
    pools: dict[Label, Pool] = {}
    """Node pools by name."""
    platform: Platform = Platform()
    """What is installed."""
    queues: dict[QueueName, Queue] = {}
    """Queues of the gang scheduler by name."""
    storage: dict[StorageName, Storage] = {}
    """Shared volumes for checkpoints and data by name."""
    secrets: dict[Label, Sealed] = Field(default={}, json_schema_extra={"writeOnly": True})
    """Secrets by name, sealed by Pulumi: tokens that jobs need."""
    runtimes: dict[Label, Runtime] = {}
    """Runtimes by name: what the Kubeflow SDK and the jobs of this stack run on."""
    jobs: dict[Label, Job] = {}
    """Training jobs by name."""
    budget: Budget = Budget()
    """What the stack may cost."""
    policies: Policies = Policies()
    """What `muster check` asks of the stack."""

    @property
    def enabled_jobs(self) -> Mapping[str, Job]:
        """Jobs that the stack has."""
        return {name: job for name, job in self.jobs.items() if job.enabled}


def parse(config: Mapping[str, object], source: str) -> Settings:
    """Settings from configuration keys such as `muster:pools`; keys of other namespaces are left alone.

    Raises SettingsError with every mistake, naming `source` as the file.
    """
    own = {key.removeprefix(NAMESPACE): value for key, value in config.items() if str(key).startswith(NAMESPACE)}
    bare = [
        Problem(
            source, f"config.{key}", "a key without a namespace", f"{NAMESPACE}{key}, or the namespace of a provider"
        )
        for key in map(str, config)
        if ":" not in key
    ]
    try:
        settings = Settings.model_validate(own)
    except ValidationError as error:
        raise SettingsError([*bare, *mistakes.problems(error, Settings, own, source)]) from None
    if bare:
        raise SettingsError(bare)
    return settings


def read(path: Path, source: str | None = None) -> Settings:
    """Settings of a stack file, which problems call `source`. Raises SettingsError with every mistake."""
    source = source or str(path)
    try:
        document = documents.load(path.read_bytes(), source)
    except FileNotFoundError:
        raise SettingsError([_no_file(path, source)]) from None
    except OSError as error:
        raise SettingsError([Problem(source, "", _lower(error.strerror), "a stack file that can be read")]) from None
    except SettingsError as error:
        raise SettingsError(dataclasses.replace(one, key=_short(one.key)) for one in error.problems) from None
    if document is None:
        raise SettingsError([Problem(source, "", "an empty file", "a map with the key config")])
    if not isinstance(document, dict):
        raise SettingsError([Problem(source, "", shown(document), "a map with the key config")])
    config = document.get("config")
    if not isinstance(config, dict):
        raise SettingsError([Problem(source, "config", shown(config), f"a map of keys such as {NAMESPACE}cluster")])
    return parse(config, source)


def schema() -> dict[str, Any]:
    """JSON Schema of a whole stack file."""
    own = schemas.of(Settings)
    definitions = own.pop("$defs")
    keys = {f"{NAMESPACE}{name}": part for name, part in own["properties"].items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Muster stack file",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "description": "Configuration of the stack; keys outside muster: belong to their providers.",
                "properties": keys,
                "patternProperties": {f"^{NAMESPACE}(?!({'|'.join(own['properties'])})$)": False},
                "required": [f"{NAMESPACE}{name}" for name in own["required"]],
            }
        },
        "required": ["config"],
        "$defs": definitions,
    }


def _short(key: str) -> str:
    """A key as problems name it: without the parts that every key has."""
    return key.removeprefix(f"config.{NAMESPACE}")


def _lower(text: str | None) -> str:
    return text[:1].lower() + text[1:] if text else "an unreadable file"


def _no_file(path: Path, source: str) -> Problem:
    beside = sorted(file.name for file in path.parent.glob("Pulumi.*.yaml"))
    return Problem(source, "", "no such file", (one_of(beside) or "a stack file") + hint(path.name, beside))
