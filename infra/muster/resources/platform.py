"""Namespaces and Helm releases: gang scheduler, JobSet, Kubeflow Trainer and their CRDs."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as k8s

from muster.plan import ReleasePlan
from muster.resources.provider import Cluster


def namespace(name: str, cluster: Cluster, depends_on: Sequence[pulumi.Resource] = ()) -> k8s.core.v1.Namespace:
    """One namespace under its own name. Its deletion waits until everything in it is gone."""
    return k8s.core.v1.Namespace(
        name,
        metadata={"name": name, "labels": {"app.kubernetes.io/managed-by": "muster"}},
        opts=pulumi.ResourceOptions(
            provider=cluster.provider,
            depends_on=list(depends_on),
            hooks=pulumi.ResourceHookBinding(before_create=[cluster.foreign_namespace]),
        ),
    )


def releases(
    plans: Sequence[ReleasePlan], namespaces: Mapping[str, pulumi.Resource], cluster: Cluster
) -> dict[str, k8s.helm.v3.Release]:
    """Helm releases in the order of their needs; those that need nothing of each other install side by side.

    `helm.v3.Release` and not `helm.v4.Chart`: hooks run, and a release is one resource of 0.3 s in a preview where its
    CRDs as resources of their own take 24 s. `atomic` stays off: a failed release keeps its evidence.
    """
    made: dict[str, k8s.helm.v3.Release] = {}
    for plan in plans:
        where = [namespaces[plan.namespace]] if plan.namespace in namespaces else []
        made[plan.name] = k8s.helm.v3.Release(
            plan.name,
            name=plan.name,
            namespace=plan.namespace,
            chart=plan.chart,
            values=plan.values,
            timeout=plan.timeout_s,
            opts=pulumi.ResourceOptions(
                provider=cluster.provider,
                depends_on=[*where, *(made[need] for need in plan.needs)],
                hooks=pulumi.ResourceHookBinding(on_error=[cluster.release_blocked]),
            ),
        )
    return made
