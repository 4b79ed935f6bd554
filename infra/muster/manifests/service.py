"""Services: the address of a job that serves."""

from typing import Any

from muster.manifests.labels import JOB, MANAGED
from muster.plan.parts import ServicePlan

PORT = 80


def build(service: ServicePlan) -> dict[str, Any]:
    """The Service in front of the pod of rank 0.

    https://github.com/kubernetes-sigs/jobset/blob/v0.12.0/api/jobset/v1alpha2/jobset_types.go
    https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service.name,
            "namespace": service.namespace,
            "labels": {**MANAGED, JOB: service.job},
        },
        "spec": {
            "selector": {
                "jobset.sigs.k8s.io/jobset-name": service.job,
                "batch.kubernetes.io/job-completion-index": "0",
            },
            "ports": [{"name": service.port, "port": PORT, "targetPort": service.port}],
        },
    }
