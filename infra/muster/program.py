"""The whole stack in order: what a plan becomes on a cluster, and what the stack exports."""

from functools import cache
from pathlib import Path

import pulumi

from muster.kube import Kube
from muster.plan import JobPlan, Plan
from muster.resources import platform, provider, training


def declare(made: Plan, *, wait: bool = True) -> None:
    """Register every resource of the plan and export the stack's outputs. Without `wait` no job is waited for."""
    for warning in made.warnings:
        pulumi.log.warn(warning)

    @cache
    def connect() -> Kube:
        return Kube(Path(str(made.cluster.kubeconfig)), made.cluster.context)

    cluster = provider.connect(
        made.cluster,
        forget=lambda namespace, name: connect().forget_release(namespace, name),
        is_foreign=lambda namespace: connect().is_foreign(namespace),
    )

    installed_in = {release.namespace for release in made.releases}
    namespaces = {name: platform.namespace(name, cluster) for name in sorted(installed_in)}
    installed = platform.releases(made.releases, namespaces, cluster)
    everything = list(installed.values())
    # Deleted before the controllers: a namespace is gone only when every JobSet and pod in it is.
    namespaces |= {
        name: platform.namespace(name, cluster, everything) for name in made.namespaces if name not in installed_in
    }
    nodes = training.nodes(made.nodes, cluster)
    queues = training.queues(made.queues, cluster, everything)
    claims = training.claims(made.claims, cluster, namespaces)
    files = training.files(made.files, cluster, namespaces)
    runtimes = training.runtimes(made.runtimes, cluster, everything)

    def needs(job: JobPlan) -> list[pulumi.Resource]:
        found = [runtimes[job.runtime], files[job.namespace, job.files], *nodes]
        found += [namespaces[job.namespace]] if job.namespace in namespaces else []
        found += [queues[job.queue]] if job.queue in queues else []
        return found + [claims[key] for mount in job.mounts if (key := (job.namespace, mount.claim)) in claims]

    training.jobs(made.jobs, cluster, needs, connect if wait else None)

    pulumi.export("cluster", made.cluster.identity)
    pulumi.export("releases", {release.name: release.chart.rpartition("/")[2] for release in made.releases})
    pulumi.export("pools", {pool.name: pool.nodes for pool in made.pools})
    pulumi.export("runtimes", sorted(runtimes))
    pulumi.export("jobs", {job.name: f"{job.namespace}, run {job.run}" for job in made.jobs})
