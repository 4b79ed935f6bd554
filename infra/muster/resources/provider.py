"""The one cluster that a stack's resources go to."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from muster.plan import ClusterPlan
from muster.resources.retries import ForgetRelease, release_blocked, webhook_not_ready


@dataclass(frozen=True)
class Cluster:
    """The explicit provider that every resource names, and which of its failures are worth another try."""

    provider: k8s.Provider
    webhook_not_ready: pulumi.ErrorHook
    release_blocked: pulumi.ErrorHook


def connect(plan: ClusterPlan, forget: ForgetRelease) -> Cluster:
    """Provider and error hooks of a stack.

    `cluster_identifier` never changes in the life of a stack, so that a kubeconfig unknown in a preview, or kept
    elsewhere on another machine, can't preview as "replace everything".
    https://github.com/pulumi/pulumi/issues/4326
    """
    provider = k8s.Provider(
        "kubernetes", kubeconfig=plan.kubeconfig, context=plan.context, cluster_identifier=plan.identity
    )
    return Cluster(provider, webhook_not_ready(), release_blocked(forget))
