"""Node pools: which nodes, and what one pod gets there."""

from muster.catalog import InstanceType
from muster.plan import resources
from muster.plan.inputs import Inputs
from muster.plan.notes import Notes
from muster.plan.parts import GPU, POOL_LABEL, NodePlan, PoolPlan, TaintPlan
from muster.settings import Pool, Resources

GPU_TAINT = TaintPlan(GPU, "true", "NoSchedule")
"""Keeps everything else off GPU nodes; the GPU Operator and the EFA plugin tolerate its key."""
SIMULATED_TAINT = TaintPlan("kwok.x-k8s.io/node", "fake", "NoSchedule")
"""Keeps what must really run off simulated nodes: https://kwok.sigs.k8s.io/docs/user/kwok-manage-nodes-and-pods/"""


def make(name: str, pool: Pool, inputs: Inputs) -> PoolPlan | None:
    """The pool as it will be, None after noting why it can't."""
    key, notes, provider = f"pools.{name}", inputs.notes, inputs.settings.cluster.provider
    if (pool.existing is None) == (pool.instance_type is None):
        found = "both existing and instanceType" if pool.existing else "neither existing nor instanceType"
        notes.phrase(key, found, "exactly one of them")
        return None
    if pool.existing is not None:
        return _existing(name, pool, pool.existing.node_selector, notes)
    kind = notes.lookup(f"{key}.instanceType", str(pool.instance_type), inputs.catalog.types, "instance type")
    if not pool.simulated:
        expected = f"simulated: true, or existing: the provider {provider} makes no machines"
        notes.phrase(f"{key}.instanceType", "real machines", expected)
    elif provider != "embedded":
        notes.problem(f"{key}.simulated", True, "false: only the embedded cluster simulates nodes")
    if pool.pods_per_node is not None:
        notes.problem(
            f"{key}.podsPerNode", pool.pods_per_node, "nothing: one pod has a node of an instance type to itself"
        )
    return _typed(name, pool, kind, notes) if kind is not None else None


def nodes(pool: PoolPlan) -> tuple[NodePlan, ...]:
    """The simulated nodes of a pool, none where it has real ones."""
    if not pool.simulated or pool.type is None:
        return ()
    allocatable = {**resources.capacity(pool.type), "pods": "110"}
    return tuple(
        NodePlan(f"{pool.name}-{index}", pool.name, pool.type.name, pool.taints, allocatable)
        for index in range(pool.nodes)
    )


def _existing(name: str, pool: Pool, selector: dict[str, str], notes: Notes) -> PoolPlan | None:
    key = f"pools.{name}"
    if pool.simulated:
        notes.problem(f"{key}.simulated", True, "false: nodes that are there already are no simulation")
    if pool.pod_resources is None:
        notes.problem(
            f"{key}.podResources", None, "requests and limits of one pod, for the size of existing nodes is unknown"
        )
        return None
    requests, limits = resources.complete(pool.pod_resources.requests, pool.pod_resources.limits)
    resources.check(f"{key}.podResources", requests, limits, None, notes)
    if "cpu" not in limits and GPU not in limits:
        # https://github.com/kubeflow/sdk/blob/main/kubeflow/trainer/backends/kubernetes/utils.py
        expected = f"cpu or {GPU}: the Kubeflow SDK takes no runtime without"
        notes.phrase(f"{key}.podResources.limits", "neither cpu nor GPUs", expected)
    return PoolPlan(
        name=name,
        type=None,
        simulated=False,
        nodes=pool.nodes,
        pods_per_node=pool.pods_per_node or 1,
        node_selector=selector,
        taints=_taints(pool),
        requests=requests,
        limits=limits,
        gpus=resources.gpus(limits),
        shared_memory=resources.shared_memory(requests, limits),
    )


def _typed(name: str, pool: Pool, kind: InstanceType, notes: Notes) -> PoolPlan:
    own = pool.pod_resources or Resources()
    requests, limits = resources.whole_node(kind)
    asked, most = resources.complete(own.requests, own.limits)
    requests, limits = {**requests, **asked}, {**limits, **most}
    resources.check(f"pools.{name}.podResources", requests, limits, kind, notes)
    taints = (*((GPU_TAINT,) if kind.gpus else ()), *((SIMULATED_TAINT,) if pool.simulated else ()), *_taints(pool))
    return PoolPlan(
        name=name,
        type=kind,
        simulated=pool.simulated,
        nodes=pool.nodes,
        pods_per_node=1,
        node_selector={POOL_LABEL: name},
        taints=taints,
        requests=requests,
        limits=limits,
        gpus=resources.gpus(limits),
        shared_memory=resources.shared_memory(requests, limits),
    )


def _taints(pool: Pool) -> tuple[TaintPlan, ...]:
    return tuple(TaintPlan(taint.key, taint.value, taint.effect) for taint in pool.taints)
