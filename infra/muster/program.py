"""The whole stack in order: what a plan becomes on a cloud and a cluster, and what the stack exports."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pulumi

from muster.plan import JobPlan, Plan, summary
from muster.resources import fabric, platform, provider, training
from muster.resources.connection import Connection

if TYPE_CHECKING:
    from muster.resources.aws.environment import Environment


def declare(made: Plan, *, wait: bool = True) -> None:
    """Register every resource of the plan and export the stack's outputs. Without `wait` nothing is waited for.

    Raises muster.problems.SettingsError for what the cloud knows to be impossible.
    """
    for line in summary.lines(made):
        pulumi.log.info(line)
    for warning in made.warnings:
        pulumi.log.warn(warning)

    cloud = _cloud(made)
    connection = cloud.connection if cloud else Connection(made.cluster.kubeconfig, made.cluster.context)
    cluster = provider.connect(
        made.cluster,
        forget=lambda namespace, name: connection.reader().forget_release(namespace, name),
        is_foreign=lambda namespace: connection.reader().is_foreign(namespace),
        kubeconfig=cloud.kubeconfig if cloud else None,
        ready=cloud.ready if cloud else (),
    )

    installed_in = {release.namespace for release in made.releases} & set(made.namespaces)
    namespaces = {name: platform.namespace(name, cluster) for name in sorted(installed_in)}
    installed = platform.releases(made.releases, namespaces, cluster)
    everything: list[pulumi.Resource] = list(installed.values())
    # Deleted before the controllers: a namespace is gone only when every JobSet and pod in it is.
    namespaces |= {
        name: platform.namespace(name, cluster, everything) for name in made.namespaces if name not in installed_in
    }
    if cloud is not None:
        training.storage_class(cluster)
    nodes = training.nodes(made.nodes, cluster)
    queues = training.queues(made.queues, cluster, everything)
    file_systems = {name: vars(found) for name, found in cloud.file_systems.items()} if cloud else {}
    region = made.aws.eks.region if made.aws else ""
    claims = training.claims(made.claims, cluster, namespaces, file_systems, region)
    files = training.files(made.files, cluster, namespaces)
    values = pulumi.Config("muster").require_secret_object("secrets") if made.secrets else pulumi.Output.from_input({})
    secrets = training.secrets(made.secrets, cluster, namespaces, values)
    runtimes = training.runtimes(made.runtimes, cluster, namespaces, everything)
    training.services(made.services, cluster, namespaces)
    nodes_ready = _nodes_ready(made, cloud, list(installed.values())) if cloud and wait else None

    def needs(job: JobPlan) -> pulumi.Input[Sequence[pulumi.Resource]]:
        found = [runtimes[job.runtime], files[job.namespace, job.files], *nodes]
        found += [namespaces[job.namespace]] if job.namespace in namespaces else []
        found += [queues[job.queue]] if job.queue in queues else []
        found += [claims[key] for mount in job.mounts if (key := (job.namespace, mount.claim)) in claims]
        found += [secrets[job.namespace, name] for name in job.secrets.values()]
        return found if nodes_ready is None else nodes_ready.apply(lambda _: found)

    training.jobs(made.jobs, cluster, needs, connection.reader if wait else None)

    pulumi.export("cluster", made.aws.eks.name if made.aws else made.cluster.identity)
    pulumi.export("releases", {release.name: release.chart.rpartition("/")[2] for release in made.releases})
    pulumi.export("pools", {pool.name: pool.nodes for pool in made.pools})
    pulumi.export("runtimes", sorted(runtimes))
    pulumi.export("jobs", {job.name: f"{job.namespace}, run {job.run}" for job in made.jobs})
    if made.aws is not None:
        pulumi.export("region", made.aws.eks.region)
        pulumi.export("hourlyUsd", round(made.aws.cost.hourly, 2))
        pulumi.export("costLines", {name: round(usd, 4) for name, usd in made.aws.cost.lines})


def _cloud(made: Plan) -> "Environment | None":
    """What stands on AWS, None elsewhere."""
    if made.aws is None:
        return None
    from muster.resources.aws import environment  # noqa: PLC0415 - AWS's SDK takes a second that other stacks don't need

    return environment.make(made.aws, made.source)


def _nodes_ready(
    made: Plan, cloud: "Environment", releases: Sequence[pulumi.CustomResource]
) -> pulumi.Output[object] | None:
    """Resolved when every GPU node is as planned; None in a preview, which waits for nothing."""
    groups = made.aws.groups if made.aws else ()
    if pulumi.runtime.is_dry_run():
        return None

    async def settle(_: object) -> None:
        await fabric.settle(groups, cloud.connection.reader(), lambda text: pulumi.log.info(text, ephemeral=True))

    waited = [*(group.id for group in cloud.groups.values()), *(release.id for release in releases)]
    return pulumi.Output.all(*waited).apply(settle)
