"""Runtimes, for every namespace or for one: a template completed with what pool and gang backend decide."""

import copy
from typing import Any

from muster import gang
from muster.manifests.labels import MANAGED
from muster.plan import resources
from muster.plan.jobs import DEFAULT_QUEUE
from muster.plan.parts import PoolPlan, RuntimePlan
from muster.plan.taints import toleration
from muster.repository import node_container

LOST_NODE_S = 30
"""Seconds until a pod leaves a node that is gone; Kubernetes' own default of 300 would keep a gang's peers waiting."""
SHM = "shm"
PCIE_FAMILIES = ("g5", "g6")
"""Types whose GPUs meet over PCIe alone, where copies by the GPU itself are about twice as fast.

https://github.com/awslabs/awsome-distributed-training/blob/main/1.architectures/efa-cheatsheet.md
"""


def build(runtime: RuntimePlan) -> dict[str, Any]:
    """The runtime as it is applied; the plan's template stays as it was."""
    document: dict[str, Any] = copy.deepcopy(dict(runtime.template))
    metadata = document.setdefault("metadata", {})
    document["kind"] = runtime.kind
    metadata["name"] = runtime.name
    if runtime.namespace is not None:
        metadata["namespace"] = runtime.namespace
    metadata["labels"] = {**metadata.get("labels", {}), **MANAGED}
    _place(document["spec"], runtime.backend)
    (job,) = document["spec"]["template"]["spec"]["replicatedJobs"]
    _pod(job["template"]["spec"]["template"]["spec"], runtime)
    _container(node_container(document), runtime)
    return document


def literal(text: str) -> str:
    """`text` such that Kubernetes hands exactly it to the container.

    In a command, `$(NAME)` is expanded and `$$` becomes `$`, so every `$` is doubled.
    https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
    """
    return text.replace("$", "$$")


def _place(spec: dict[str, Any], backend: gang.Backend) -> None:
    """Gang policy, scheduler and queue."""
    if backend.pod_group_policy:
        spec["podGroupPolicy"] = copy.deepcopy(dict(backend.pod_group_policy))
    (job,) = spec["template"]["spec"]["replicatedJobs"]
    if backend.scheduler_name is not None:
        job["template"]["spec"]["template"]["spec"]["schedulerName"] = backend.scheduler_name
    if backend.queue_annotation is not None:
        metadata = spec["template"].setdefault("metadata", {})
        metadata["annotations"] = {**metadata.get("annotations", {}), backend.queue_annotation: DEFAULT_QUEUE}


def _pod(pod: dict[str, Any], runtime: RuntimePlan) -> None:
    """Nodes, tolerations and shared memory."""
    pod["nodeSelector"] = {**pod.get("nodeSelector", {}), **runtime.pool.node_selector}
    lost = [
        {
            "key": f"node.kubernetes.io/{state}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": LOST_NODE_S,
        }
        for state in ("not-ready", "unreachable")
    ]
    pod["tolerations"] = [*pod.get("tolerations", []), *map(toleration, runtime.pool.taints), *lost]
    shm = {"name": SHM, "emptyDir": {"medium": "Memory", "sizeLimit": runtime.pool.shared_memory}}
    pod["volumes"] = [*(volume for volume in pod.get("volumes", []) if volume["name"] != SHM), shm]


def _container(container: Any, runtime: RuntimePlan) -> None:
    """Image, launcher, resources and environment of the container `node`; what its template sets in `env` stays."""
    pool = runtime.pool
    container["image"] = runtime.image
    container["command"] = ["python3", "-u", "-c", literal(runtime.launcher)]
    container["resources"] = {"requests": dict(pool.requests), "limits": dict(pool.limits)}
    processes = pool.gpus or 1
    own = {
        "DS_ACCELERATOR": "cuda" if pool.gpus else "cpu",
        "OMP_NUM_THREADS": str(max(1, resources.cores(pool.requests, pool.limits) // processes)),
        **_nccl(pool),
    }
    env = container.get("env", [])
    named = {variable["name"] for variable in env}
    container["env"] = [*env, *({"name": name, "value": own[name]} for name in own if name not in named)]
    mounts = [mount for mount in container.get("volumeMounts", []) if mount["name"] != SHM]
    container["volumeMounts"] = [*mounts, {"name": SHM, "mountPath": "/dev/shm"}]  # noqa: S108 - a mount point


def _nccl(pool: PoolPlan) -> dict[str, str]:
    """NCCL and libfabric on a GPU pool, as little as needed: the plugin's tuner decides the rest.

    https://github.com/aws/aws-ofi-nccl/blob/master/doc/efa-env-var.md
    """
    if not pool.gpus:
        return {}
    made = {"NCCL_DEBUG": "WARN"}
    if pool.type is not None:
        # The one interface that a pod has; a list made for hosts may leave it out.
        made["NCCL_SOCKET_IFNAME"] = "eth0"
    if pool.efa:
        # An image without the plugin fails at once, where NCCL would silently fall back to TCP.
        made |= {"FI_PROVIDER": "efa", "FI_EFA_USE_HUGE_PAGE": "0", "NCCL_NET": "AWS Libfabric"}
    if pool.type is not None and pool.type.family in PCIE_FAMILIES:
        made["NCCL_SHM_USE_CUDA_MEMCPY"] = "1"
    return made
