"""TrainJobs: a workload's manifest completed with what the stack decides."""

import copy
from typing import Any

from muster.manifests import secret
from muster.manifests.labels import JOB, MANAGED, RUN
from muster.plan.parts import JobPlan
from muster.plan.volumes import WORKLOAD_PATH
from muster.repository import NODE

MANAGER = "muster.dev/stack"
"""Owner of the patch that mounts files and storage."""
FILES = "workload"


def build(job: JobPlan) -> dict[str, Any]:
    """The TrainJob as it is applied; the plan's manifest stays as it was."""
    document: dict[str, Any] = copy.deepcopy(dict(job.manifest))
    metadata = document.get("metadata", {})
    document["metadata"] = {
        **metadata,
        "name": job.name,
        "namespace": job.namespace,
        "labels": {**metadata.get("labels", {}), **MANAGED, JOB: job.name, RUN: str(job.run)},
        "annotations": {
            **metadata.get("annotations", {}),
            # Foreground deletion goes through a webhook that needs the runtime to be there still.
            # https://github.com/kubeflow/trainer/issues/3923
            "pulumi.com/deletionPropagationPolicy": "background",
        },
    }
    spec = document["spec"]
    spec["runtimeRef"] = {"name": job.runtime, "kind": job.runtime_kind}
    spec["trainer"] = _trainer(spec["trainer"], job)
    if job.suspend:
        spec["suspend"] = True
    if job.deadline_s is not None:
        spec["activeDeadlineSeconds"] = job.deadline_s
    others = [patch for patch in spec.get("runtimePatches", []) if patch["manager"] != MANAGER]
    spec["runtimePatches"] = [*others, _patch(job)]
    return document


def _trainer(own: dict[str, Any], job: JobPlan) -> dict[str, Any]:
    """Size, arguments, environment; the number of processes is always said, for Trainer guesses it from CPUs otherwise.

    https://github.com/kubeflow/trainer/blob/v2.3.0/pkg/runtime/framework/plugins/torch/torch.go
    """
    env = {variable["name"]: variable for variable in own.get("env", [])}
    env |= {name: {"name": name, "value": value} for name, value in job.env.items()}
    env |= {name: secret.variable(name, held) for name, held in job.secrets.items()}
    env |= {
        "MUSTER_JOB": {"name": "MUSTER_JOB", "value": job.name},
        "MUSTER_RUN": {"name": "MUSTER_RUN", "value": str(job.run)},
    }
    if job.checkpoints is not None:
        words = {"MUSTER_CHECKPOINTS": job.checkpoints.path, "MUSTER_CHECKPOINTS_KEEP": str(job.checkpoints.keep)}
        env |= {name: {"name": name, "value": value} for name, value in words.items()}
    made = {
        **own,
        "numNodes": job.nodes,
        "numProcPerNode": job.processes_per_node,
        "args": [*own["args"], *job.args],
        "env": list(env.values()),
    }
    if job.image is not None:
        made["image"] = job.image
    amounts = {"requests": dict(job.requests), "limits": dict(job.limits)}
    if job.requests or job.limits:
        made["resourcesPerNode"] = {part: values for part, values in amounts.items() if values}
    return made


def _patch(job: JobPlan) -> dict[str, Any]:
    """What is added to the runtime for this job alone: its files, its storage and its queue."""
    claims = {mount.claim: f"storage-{mount.storage}" for mount in job.mounts}
    volumes = [{"name": FILES, "configMap": {"name": job.files}}]
    volumes += [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for claim, name in claims.items()]
    mounts: list[dict[str, Any]] = [{"name": FILES, "mountPath": WORKLOAD_PATH, "readOnly": True}]
    mounts += [
        {
            "name": claims[mount.claim],
            "mountPath": mount.path,
            **({"readOnly": True} if mount.read_only else {"subPath": mount.sub_path}),
        }
        for mount in job.mounts
    ]
    pod = {"volumes": volumes, "containers": [{"name": NODE, "volumeMounts": mounts}]}
    template: dict[str, Any] = {
        "spec": {"replicatedJobs": [{"name": NODE, "template": {"spec": {"template": {"spec": pod}}}}]}
    }
    if job.queue_annotation is not None:
        template["metadata"] = {"annotations": {job.queue_annotation: job.queue}}
    return {"manager": MANAGER, "trainingRuntimeSpec": {"template": template}}
