"""The explicit Kubernetes provider of a stack's one cluster."""

import pulumi
import pulumi_kubernetes as k8s

from muster.plan import ClusterPlan


def kubernetes(cluster: ClusterPlan) -> k8s.Provider:
    """Provider that every in-cluster resource names.

    `cluster_identifier` never changes in the life of a stack, so that a kubeconfig unknown in a preview, or kept elsewhere
    on another machine, can't preview as "replace everything".
    https://github.com/pulumi/pulumi/issues/4326
    """
    return k8s.Provider(
        "kubernetes",
        kubeconfig=cluster.kubeconfig,
        context=cluster.context,
        cluster_identifier=cluster.identity,
        opts=pulumi.ResourceOptions(),
    )
