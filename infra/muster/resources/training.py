"""Queues, shared volumes, runtimes and jobs: everything that stands on the installed platform."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from muster.resources.retries import webhook_not_ready

Document = Mapping[str, Any]

# Trainer's CRDs carry the JobSet's own immutability rules, so these paths of a live runtime can't be edited.
# https://github.com/kubeflow/trainer/blob/v2.3.0/manifests/base/crds/trainer.kubeflow.org_clustertrainingruntimes.yaml
RUNTIME_REPLACES = [
    f"spec.template.spec.{path}"
    for path in ("failurePolicy", "network", "startupPolicy", "successPolicy", "volumeClaimPolicies")
]


def custom(
    name: str,
    document: Document,
    provider: k8s.Provider,
    depends_on: Sequence[pulumi.Resource],
    **options: Any,
) -> k8s.apiextensions.CustomResource:
    """A custom resource from its manifest, created again while the webhook that admits it is still starting."""
    return k8s.apiextensions.CustomResource(
        name,
        api_version=document["apiVersion"],
        kind=document["kind"],
        metadata=document["metadata"],
        spec=document.get("spec"),
        opts=pulumi.ResourceOptions(
            provider=provider,
            depends_on=list(depends_on),
            hooks=pulumi.ResourceHookBinding(on_error=[webhook_not_ready]),
            **options,
        ),
    )
