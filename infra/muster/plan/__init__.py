"""What a stack file means: settings, catalog, releases and checkout together, with every mistake found first."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from muster import gang, names
from muster.catalog import Catalog
from muster.catalog.services import Services
from muster.plan import jobs, policies, pools, releases, runtimes, secrets, volumes
from muster.plan.aws import environment
from muster.plan.aws.parts import AwsPlan
from muster.plan.inputs import Inputs
from muster.plan.notes import Notes
from muster.plan.parts import (
    ClaimPlan,
    ClusterPlan,
    FilesPlan,
    JobPlan,
    MountPlan,
    NodePlan,
    Plan,
    PoolPlan,
    QueuePlan,
    ReleasePlan,
    RuntimePlan,
    SecretPlan,
    ServicePlan,
)
from muster.plan.taints import TaintPlan
from muster.problems import SettingsError
from muster.releases import Releases
from muster.repository import Repository
from muster.settings import S3, AwsCluster, ExistingCluster, FsxLustre, HostPath, Platform, Settings

__all__ = [
    "AwsPlan",
    "ClaimPlan",
    "ClusterPlan",
    "FilesPlan",
    "JobPlan",
    "MountPlan",
    "NodePlan",
    "Plan",
    "PoolPlan",
    "QueuePlan",
    "ReleasePlan",
    "RuntimePlan",
    "SecretPlan",
    "ServicePlan",
    "TaintPlan",
    "make",
]


T = TypeVar("T")


def make(
    settings: Settings,
    repository: Repository,
    catalog: Catalog,
    services: Services,
    locked: Releases,
    *,
    stack: str,
    source: str,
    now: datetime,
    kubeconfig: str | None = None,
    charts: str = "charts",
) -> Plan:
    """The plan of a stack.

    `source` is the stack file that mistakes name, `kubeconfig` the one to use where the stack file names none, `charts`
    the folder of materialised charts, `now` the moment by which dates are judged. Raises SettingsError with every
    mistake in how the parts fit together.
    """
    notes = Notes(source)
    backend = gang.BACKENDS[settings.platform.gang.scheduler]
    inputs = Inputs(settings, repository, catalog, services, now, backend, notes)
    if re.match(names.LABEL_1123, stack) is None:
        notes.phrase("", f'the stack name "{stack}"', "lower-case letters, digits and hyphens, as in Pulumi.dev.yaml")
    if settings.queues and backend.queue_annotation is None:
        notes.problem("queues", settings.queues, f"no queues: gang scheduler {backend.name} has none")

    made_pools = _known({name: pools.make(name, pool, inputs) for name, pool in settings.pools.items()})
    made_runtimes = _known(
        {name: runtimes.make(name, runtime, made_pools, inputs) for name, runtime in settings.runtimes.items()}
    )
    made_jobs = _known({name: jobs.make(name, job, made_runtimes, inputs) for name, job in settings.jobs.items()})
    claims = volumes.claims(stack, settings, notes)
    made_secrets = secrets.make(settings, notes)
    made_aws = environment.make(stack, made_pools, inputs)
    if made_aws is None:
        _not_on_aws(settings, notes)
    _doubts(settings, notes)
    if notes.problems:
        raise SettingsError(notes.problems)

    made_releases = releases.make(locked, backend, charts, made_aws, inputs)
    kept = tuple(made for name, made in made_jobs.items() if settings.jobs[name].enabled)
    files = {
        (made.namespace, made.name): made
        for job in settings.enabled_jobs.values()
        for made in [jobs.files(job.namespace, repository.workloads[job.workload])]
    }
    return Plan(
        stack=stack,
        source=source,
        cluster=_cluster(settings, stack, kubeconfig),
        namespaces=_namespaces(settings, made_releases),
        releases=made_releases,
        pools=tuple(made_pools.values()),
        nodes=tuple(node for pool in made_pools.values() for node in pools.nodes(pool)),
        queues=tuple(QueuePlan(name, queue.weight, queue.gpus) for name, queue in settings.queues.items()),
        claims=claims,
        files=tuple(files.values()),
        secrets=made_secrets,
        runtimes=tuple(made_runtimes.values()),
        services=tuple(made.service for made in kept if made.service is not None),
        jobs=kept,
        warnings=tuple(notes.warnings),
        aws=made_aws,
        policies=policies.make(settings.policies, now),
    )


def _known(made: Mapping[str, T | None]) -> dict[str, T]:
    return {name: part for name, part in made.items() if part is not None}


def _cluster(settings: Settings, stack: str, kubeconfig: str | None) -> ClusterPlan:
    identity = f"muster-{stack}"
    match settings.cluster:
        case ExistingCluster() as cluster:
            return ClusterPlan(
                "existing", cluster.kubeconfig or kubeconfig, cluster.context, cluster.identity or identity
            )
        case AwsCluster():
            return ClusterPlan("aws", kubeconfig, None, identity)
        case _:
            return ClusterPlan("embedded", kubeconfig, None, identity)


def _namespaces(settings: Settings, made: tuple[ReleasePlan, ...]) -> tuple[str, ...]:
    wanted = {release.namespace for release in made} | {job.namespace for job in settings.jobs.values()}
    wanted |= {runtime.namespace for runtime in settings.runtimes.values() if runtime.namespace is not None}
    return tuple(sorted(wanted - volumes.existing_namespaces(settings) - {*jobs.CLUSTER_NAMESPACES}))


def _not_on_aws(settings: Settings, notes: Notes) -> None:
    """Note what only AWS has."""
    for name, storage in settings.storage.items():
        if isinstance(storage, FsxLustre | S3):
            notes.problem(f"storage.{name}.kind", storage.kind, "another kind: the cluster's provider is not aws")
    if settings.budget.model_fields_set:
        notes.phrase("budget", "a budget", "none: the cluster's provider is not aws, nothing here has a price")
    for field in ("gpu_operator", "mirror", "registry"):
        if field in settings.platform.model_fields_set:
            notes.phrase(
                f"platform.{Platform.model_fields[field].alias}",
                "a key of AWS stacks",
                "nothing: the cluster's provider is not aws",
            )


def _doubts(settings: Settings, notes: Notes) -> None:
    used = {name for job in settings.jobs.values() for name in job.volumes}
    for name, storage in settings.storage.items():
        if isinstance(storage, HostPath) and isinstance(settings.cluster, ExistingCluster):
            notes.warning(f"storage.{name}", "a folder of each node is shared only where the cluster has one node")
        if name not in used:
            notes.warning(f"storage.{name}", "no job mounts it, so no claim is made")
        if isinstance(storage, HostPath) and isinstance(settings.cluster, AwsCluster):
            notes.problem(
                f"storage.{name}.kind", storage.kind, "fsx-lustre, s3 or a claim: nodes on AWS share no folder"
            )
    bound = {runtime.pool for runtime in settings.runtimes.values()}
    for name, pool in settings.pools.items():
        if pool.existing is not None and name not in bound:
            notes.warning(f"pools.{name}", "no runtime is bound to it, so nothing uses it")
