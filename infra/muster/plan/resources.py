"""Compute resources of pods: completed so that schedulers count right, and checked against each other and a node."""

from collections.abc import Mapping

from muster import quantities
from muster.catalog import InstanceType
from muster.plan.notes import Notes
from muster.plan.parts import EFA, GPU

NODE_SHARE_PERCENT = 90
"""Share of a known node's CPU and memory that one pod per node asks for; the rest is the kubelet's and the daemons'."""
OVERCOMMITTED = ("cpu", "memory", "ephemeral-storage")
"""Resources whose request may be below their limit.

https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#extended-resources
"""
SHARED_MEMORY_MAX_GIB = 64

Amounts = Mapping[str, str]


def complete(requests: Amounts, limits: Amounts) -> tuple[dict[str, str], dict[str, str]]:
    """Requests and limits with what Kubernetes would assume written out.

    Trainer sums up requests before the API server fills them in from limits, so a GPU that stands in `limits` alone is
    missing from the gang's minimum: https://github.com/kubeflow/trainer/blob/v2.3.0/pkg/runtime/runtime.go
    """
    devices = {name: amount for name, amount in requests.items() if name not in OVERCOMMITTED}
    return {**limits, **requests}, {**devices, **limits}


def whole_node(kind: InstanceType, efa: int) -> tuple[dict[str, str], dict[str, str]]:
    """Requests and limits of the one pod that has a node of that type, with so many EFA interfaces, to itself."""
    devices = {GPU: kind.gpus, EFA: efa}
    limits = {
        "memory": f"{kind.memory_gib * NODE_SHARE_PERCENT // 100}Gi",
        **{name: str(count) for name, count in devices.items() if count},
    }
    return {"cpu": str(max(1, kind.vcpu * NODE_SHARE_PERCENT // 100)), **limits}, limits


def capacity(kind: InstanceType, efa: int) -> dict[str, str]:
    """Everything that a node of that type, with so many EFA interfaces, has."""
    devices = {GPU: kind.gpus, EFA: efa}
    return {
        "cpu": str(kind.vcpu),
        "memory": f"{kind.memory_gib}Gi",
        **{name: str(count) for name, count in devices.items() if count},
    }


def check(
    key: str, requests: Amounts, limits: Amounts, kind: InstanceType | None, notes: Notes, *, efa: int = 0
) -> None:
    """Note what can't be: a request above its limit, devices shared, more than a node of that type has."""
    for name in sorted({*requests, *limits}):
        if name.startswith("hugepages-"):
            # https://github.com/awslabs/awsome-distributed-ai/blob/main/micro-benchmarks/nccl-tests/README.md
            found, expected = (
                requests.get(name, limits.get(name)),
                "nothing: nodes have no huge pages, the pod would wait",
            )
            notes.problem(f"{key}.{'requests' if name in requests else 'limits'}.{name}", found, expected)
    for name in sorted(requests.keys() & limits.keys()):
        asked, most = quantities.amount(requests[name]), quantities.amount(limits[name])
        if name not in OVERCOMMITTED and asked != most:
            notes.problem(
                f"{key}.requests.{name}", requests[name], f"{limits[name]}, the limit: devices are not shared"
            )
        elif asked > most:
            notes.problem(f"{key}.requests.{name}", requests[name], f"at most {limits[name]}, the limit")
    for name in sorted({*requests, *limits} - {*OVERCOMMITTED}):
        if quantities.amount(requests.get(name, limits.get(name, "0"))) % 1:
            notes.problem(f"{key}.requests.{name}", requests.get(name, limits.get(name)), "a whole number of devices")
    if kind is None:
        return
    have = capacity(kind, efa)
    for part, amounts in (("requests", requests), ("limits", limits)):
        for name, asked_text in sorted(amounts.items()):
            copied = part == "requests" and limits.get(name) == asked_text
            if copied or name not in ("cpu", "memory", GPU, EFA):
                continue
            if quantities.amount(asked_text) > quantities.amount(have.get(name, "0")):
                expected = f"at most {have.get(name, '0')}, what one {kind.name} of the pool has"
                notes.problem(f"{key}.{part}.{name}", asked_text, expected)


def gpus(limits: Amounts) -> int:
    """GPUs of one pod."""
    return int(quantities.amount(limits.get(GPU, "0")))


def shared_memory(requests: Amounts, limits: Amounts) -> str:
    """Size of /dev/shm: a quarter of the pod's memory, which it counts towards, at most 64 GiB, in whole MiB."""
    memory = quantities.amount(limits.get("memory") or requests.get("memory") or "1Gi")
    mebibytes = max(1, min(SHARED_MEMORY_MAX_GIB * 1024, int(memory / 4 / 1024**2)))
    return f"{mebibytes // 1024}Gi" if mebibytes % 1024 == 0 else f"{mebibytes}Mi"


def cores(requests: Amounts, limits: Amounts) -> int:
    """Whole cores that a pod may count on, at least one."""
    return max(1, int(quantities.amount(limits.get("cpu") or requests.get("cpu") or "1")))
