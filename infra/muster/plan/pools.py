"""Node pools: which nodes, and what one pod gets there."""

from muster.catalog import InstanceType
from muster.plan import resources
from muster.plan.inputs import Inputs
from muster.plan.notes import Notes
from muster.plan.parts import GPU, POOL_LABEL, NodePlan, PoolPlan
from muster.plan.taints import TaintPlan
from muster.settings import Pool, Resources

GPU_TAINT = TaintPlan(GPU, "true", "NoSchedule")
"""Keeps everything else off GPU nodes; the GPU Operator and the EFA plugin tolerate its key."""
AWS_FIELDS = ("zone", "capacity", "efa", "ami", "disk_gi_b", "repair", "interrupt_jobs")
"""Fields of a pool that mean something for machines that this stack makes on AWS."""
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
    if not pool.simulated and provider != "aws":
        expected = f"simulated: true, or existing: the provider {provider} makes no machines"
        notes.phrase(f"{key}.instanceType", "real machines", expected)
    elif pool.simulated and provider != "embedded":
        notes.problem(f"{key}.simulated", True, "false: only the embedded cluster simulates nodes")
    if pool.simulated and not pool.nodes:
        notes.problem(f"{key}.nodes", 0, "at least 1")
    if provider != "aws":
        _not_on_aws(key, pool, notes)
    if pool.pods_per_node is not None:
        notes.problem(
            f"{key}.podsPerNode", pool.pods_per_node, "nothing: one pod has a node of an instance type to itself"
        )
    return _typed(name, pool, kind, notes) if kind is not None else None


def nodes(pool: PoolPlan) -> tuple[NodePlan, ...]:
    """The simulated nodes of a pool, none where it has real ones."""
    if not pool.simulated or pool.type is None:
        return ()
    allocatable = {**resources.capacity(pool.type, pool.efa), "pods": "110"}
    return tuple(
        NodePlan(f"{pool.name}-{index}", pool.name, pool.type.name, pool.taints, allocatable)
        for index in range(pool.nodes)
    )


def _existing(name: str, pool: Pool, selector: dict[str, str], notes: Notes) -> PoolPlan | None:
    key = f"pools.{name}"
    _not_on_aws(key, pool, notes)
    if not pool.nodes:
        notes.problem(f"{key}.nodes", 0, "at least 1, what is there")
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
    efa = 0 if pool.efa is False else kind.efa_interfaces if kind.gpus else 0
    requests, limits = resources.whole_node(kind, efa)
    asked, most = resources.complete(own.requests, own.limits)
    requests, limits = {**requests, **asked}, {**limits, **most}
    resources.check(f"pools.{name}.podResources", requests, limits, kind, notes, efa=efa)
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
        efa=efa,
    )


def _not_on_aws(key: str, pool: Pool, notes: Notes) -> None:
    for field in AWS_FIELDS:
        if field in pool.model_fields_set:
            notes.phrase(
                f"{key}.{Pool.model_fields[field].alias}",
                "a key of machines on AWS",
                "nothing: the cluster's provider is not aws",
            )


def _taints(pool: Pool) -> tuple[TaintPlan, ...]:
    return tuple(TaintPlan(taint.key, taint.value, taint.effect) for taint in pool.taints)
