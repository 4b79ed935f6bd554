"""The one cluster that a stack's resources go to."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from muster.plan import ClusterPlan
from muster.resources import retries
from muster.resources.retries import ForgetRelease, IsForeign


@dataclass(frozen=True)
class Cluster:
    """The explicit provider that every resource names, and the hooks around its operations."""

    provider: k8s.Provider
    webhook_not_ready: pulumi.ErrorHook
    release_blocked: pulumi.ErrorHook
    foreign_namespace: pulumi.ResourceHook


def connect(
    plan: ClusterPlan,
    forget: ForgetRelease,
    is_foreign: IsForeign,
    kubeconfig: pulumi.Output[str] | None = None,
    ready: Sequence[pulumi.Resource] = (),
) -> Cluster:
    """Provider and hooks of a stack; `kubeconfig` is that of a cluster that the stack itself makes.

    Everything in the cluster comes after `ready` and goes before it, because it depends on its provider.

    `cluster_identifier` never changes in the life of a stack, so that a kubeconfig unknown in a preview, or kept
    elsewhere on another machine, can't preview as "replace everything".
    https://github.com/pulumi/pulumi/issues/4326
    """
    provider = k8s.Provider(
        "kubernetes",
        kubeconfig=plan.kubeconfig if kubeconfig is None else kubeconfig,
        context=plan.context,
        cluster_identifier=plan.identity,
        # Else a new value replaces a Secret, and pods that start meanwhile don't find it.
        # https://www.pulumi.com/registry/packages/kubernetes/api-docs/provider/#enablesecretmutable_python
        enable_secret_mutable=True,
        opts=pulumi.ResourceOptions(depends_on=list(ready)),
    )
    return Cluster(
        provider,
        webhook_not_ready=pulumi.ErrorHook("webhook-not-ready", retries.webhook_not_ready),
        release_blocked=pulumi.ErrorHook("release-blocked", lambda args: retries.release_blocked(args, forget)),
        foreign_namespace=pulumi.ResourceHook(
            "foreign-namespace", lambda args: retries.refuse_foreign_namespace(args, is_foreign)
        ),
    )
