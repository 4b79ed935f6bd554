"""A pod that looks into a job's checkpoints and ends: nothing else can read a claim."""

from pathlib import Path
from typing import Any

from muster.manifests import list_checkpoints
from muster.manifests.labels import JOB, MANAGED
from muster.manifests.runtime import literal
from muster.plan.parts import CheckpointsPlan, JobPlan, RuntimePlan
from muster.plan.taints import toleration
from muster.repository import NODE

LIMIT_S = 120
"""Seconds until Kubernetes ends the pod by itself."""


def build(job: JobPlan, checkpoints: CheckpointsPlan, runtime: RuntimePlan) -> dict[str, Any]:
    """The pod, on a node of the job's pool, with the job's image; it can't write."""
    text = Path(list_checkpoints.__file__).read_text()
    container = {
        "name": NODE,
        "image": job.image or runtime.image,
        "command": ["python3", "-c", literal(text), f"/checkpoints/{checkpoints.sub_path}"],
        "volumeMounts": [{"name": "checkpoints", "mountPath": "/checkpoints", "readOnly": True}],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        },
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{job.name[:40]}-checkpoints-",
            "namespace": job.namespace,
            "labels": {**MANAGED, JOB: job.name},
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": LIMIT_S,
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "nodeSelector": dict(runtime.pool.node_selector),
            "tolerations": [toleration(taint) for taint in runtime.pool.taints],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "runAsGroup": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [
                {"name": "checkpoints", "persistentVolumeClaim": {"claimName": checkpoints.claim, "readOnly": True}}
            ],
        },
    }
