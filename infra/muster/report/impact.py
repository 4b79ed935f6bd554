"""Blast radius of an update: nodes and GPUs that go, jobs that are hit, and everything else that work stands on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from muster.catalog import Catalog, InstanceType
from muster.plan import Plan
from muster.plan.parts import POOL_LABEL
from muster.preview import Change, Operation, Preview
from muster.report.occupancy import Gang, Occupancy

NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
NODE = "kubernetes:core/v1:Node"
TRAINJOB = "TrainJob"
RUNTIMES = ("ClusterTrainingRuntime", "TrainingRuntime")
RELEASE = "kubernetes:helm.sh/v3:Release"
DISRUPTIVE = ("version", "releaseVersion", "launchTemplate")
"""Inputs of a node group whose change replaces its nodes one after another.

https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html
"""
DRAIN_MINUTES = 15
"""How long EKS waits for the pods of a node to leave, before the update fails, ibid."""
START_MINUTES = 10
"""A GPU machine from its request to the first pod that runs, images pulled: from a few minutes to ten.

https://github.com/aws-samples/comfyui-on-eks/issues/9
"""
NODE_MINUTES = DRAIN_MINUTES + START_MINUTES

PoolWhat = Literal["removed", "replaced", "emptied", "drained", "shrunk", "grown", "new"]
HURTFUL: tuple[PoolWhat, ...] = ("removed", "replaced", "emptied", "drained", "shrunk")
"""What takes nodes away, if only for a while; the worst first."""
JobWhat = Literal["ends", "starts again", "loses its nodes", "is interrupted", "may lose nodes", "holds the update up"]
JobState = Literal["running", "queued", "idle", "unknown"]
Area = Literal[
    "control plane",
    "network",
    "data",
    "CRDs",
    "namespace",
    "protection",
    "platform",
    "runtime",
    "mount",
    "secret",
    "access",
]
AREA_ORDER: tuple[Area, ...] = get_args(Area)
AREAS: Mapping[str, Area] = {
    "aws:eks/cluster:Cluster": "control plane",
    "aws:ec2/vpc:Vpc": "network",
    "aws:ec2/subnet:Subnet": "network",
    "aws:fsx/lustreFileSystem:LustreFileSystem": "data",
    "aws:ecr/repository:Repository": "data",
    "kubernetes:core/v1:Namespace": "namespace",
    "kubernetes:core/v1:Secret": "secret",
    "aws:eks/accessEntry:AccessEntry": "access",
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": "access",
}
"""What work stands on, by type token."""
CRDS = "-crds"
"""How the names of releases end that hold CRDs and nothing else."""
TAGS = ("tags", "tagsAll")


@dataclass(frozen=True)
class PoolImpact:
    """What becomes of a pool's nodes. `why` are the inputs that differ.

    `gpus_away` are away at once, for `minutes` at most in all; both are 0 where no node is away for a while.
    `gpus_before` and `gpus_after` tell what the pool has for good.
    """

    pool: str
    what: PoolWhat
    type_before: str
    type_after: str
    nodes_before: int
    nodes_after: int
    gpus_before: int
    gpus_after: int
    gpus_away: int = 0
    minutes: int = 0
    why: tuple[str, ...] = ()

    @property
    def gpus_gone(self) -> int:
        """GPUs that don't come back."""
        return max(0, self.gpus_before - self.gpus_after)


@dataclass(frozen=True)
class JobImpact:
    """What becomes of a job, and in which state it is as far as anybody has looked. `pool` is empty where unknown."""

    name: str
    """Namespace and name."""
    state: JobState
    what: JobWhat
    pool: str = ""


@dataclass(frozen=True)
class Touched:
    """Something that work stands on and that changes, replaced and deleted things above all."""

    area: Area
    name: str
    operation: Operation
    detail: str = ""


@dataclass(frozen=True)
class Impact:
    """Everything that an update hurts or may hurt."""

    pools: tuple[PoolImpact, ...]
    jobs: tuple[JobImpact, ...]
    touched: tuple[Touched, ...]

    def hurt(self) -> tuple[PoolImpact, ...]:
        """Pools that lose nodes, if only for a while."""
        return tuple(pool for pool in self.pools if pool.what in HURTFUL)


@dataclass(frozen=True)
class _Group:
    """Nodes of a pool on one side of the update."""

    nodes: int = 0
    type: str = ""
    gpus: int = 0
    """GPUs of each."""


def judge(preview: Preview, plan: Plan, catalog: Catalog, occupancy: Occupancy) -> Impact:
    """The blast radius of a preview. Types come from what is there, not from what the plan wants."""
    templates = {change.name: change for change in preview.changes if change.kind == LAUNCH_TEMPLATE}
    groups = [change for change in preview.changes if change.kind == NODE_GROUP]
    found = [_node_group(change, templates.get(change.name), catalog.types) for change in groups]
    found += _simulated([change for change in preview.changes if change.kind == NODE], catalog.types)
    pools = sorted((pool for pool in found if pool is not None), key=_by_harm)
    interruptible = {group.pool for group in plan.aws.groups if group.interrupt} if plan.aws else set()
    return Impact(
        pools=tuple(pools),
        jobs=tuple(_jobs(preview, pools, _declared(preview.changes, plan), occupancy, interruptible)),
        touched=tuple(sorted(_touched(preview.changed()), key=lambda one: (AREA_ORDER.index(one.area), one.name))),
    )


def _by_harm(pool: PoolImpact) -> tuple[int, str]:
    order: Sequence[str] = (*HURTFUL, "grown", "new")
    return order.index(pool.what), pool.pool


def _node_group(change: Change, template: Change | None, types: Mapping[str, InstanceType]) -> PoolImpact | None:
    old = _size(change.old, template.old if template else {}, types)
    new = _size(change.new, template.new if template else {}, types)
    labels = (change.old or change.new).get("labels") or {}
    pool = str(labels.get(POOL_LABEL) or change.name.removeprefix("pool-"))
    what = _what(change, old, new)
    if what is None:
        return None
    config = change.new.get("updateConfig") or change.old.get("updateConfig") or {}
    at_once = int(config.get("maxUnavailable") or 1)
    away = minutes = 0
    if what == "replaced" and old.gpus:
        # The old machines go before the new ones come.
        away, minutes = old.nodes, NODE_MINUTES
    elif what == "drained" and config.get("updateStrategy") == "MINIMAL":
        away = min(at_once, old.nodes)
        minutes = -(-old.nodes // at_once) * NODE_MINUTES
    return PoolImpact(
        pool=pool,
        what=what,
        type_before=old.type,
        type_after=new.type,
        nodes_before=old.nodes,
        nodes_after=new.nodes,
        gpus_before=old.nodes * old.gpus,
        gpus_after=new.nodes * new.gpus,
        gpus_away=away * old.gpus,
        minutes=minutes,
        why=_roots(change.replaces if what == "replaced" else change.fields),
    )


def _size(group: Mapping[str, Any], template: Mapping[str, Any], types: Mapping[str, InstanceType]) -> _Group:
    """Nodes and type; for a capacity block the type stands in the launch template."""
    named = (group.get("instanceTypes") or [template.get("instanceType")])[0]
    kind = types.get(str(named))
    nodes = int((group.get("scalingConfig") or {}).get("desiredSize") or 0)
    return _Group(nodes, str(named or ""), kind.gpus if kind else 0)


def _what(change: Change, old: _Group, new: _Group) -> PoolWhat | None:
    """The worst that happens to nodes that are there; None where nothing happens to any."""
    if old.nodes == 0:
        return ("grown" if change.old else "new") if new.nodes and change.operation != "same" else None
    match change.operation:
        case "delete":
            return "removed"
        case "replace":
            return "replaced"
        case "update" if new.nodes == 0:
            return "emptied"
        case "update" if any(change.old.get(key) != change.new.get(key) for key in DISRUPTIVE):
            return "drained"
        case "update" if new.nodes != old.nodes:
            return "shrunk" if new.nodes < old.nodes else "grown"
        case _:
            return None


def _simulated(nodes: Sequence[Change], types: Mapping[str, InstanceType]) -> list[PoolImpact]:
    """Pools whose nodes are resources of their own."""
    old: dict[str, list[str]] = defaultdict(list)
    new: dict[str, list[str]] = defaultdict(list)
    for change in nodes:
        for side, inputs in ((old, change.old), (new, change.new)):
            labels = (inputs.get("metadata") or {}).get("labels") or {}
            if POOL_LABEL in labels and (side is old or change.operation != "delete"):
                side[labels[POOL_LABEL]].append(str(labels.get("node.kubernetes.io/instance-type", "")))
    found = []
    for pool in sorted({*old, *new}):
        before, after = old[pool], new[pool]
        if before == after:
            continue
        what: PoolWhat = "shrunk" if len(after) < len(before) else "grown"
        if not before or not after:
            what = "new" if after else "removed"
        elif len(before) == len(after):
            what = "replaced"
        count = [sum(types[name].gpus for name in side if name in types) for side in (before, after)]
        one, other = (next(iter(side), "") for side in (before, after))
        found.append(PoolImpact(pool, what, one, other, len(before), len(after), count[0], count[1]))
    return found


def _jobs(
    preview: Preview,
    pools: Sequence[PoolImpact],
    declared: Mapping[str, str],
    occupancy: Occupancy,
    interruptible: set[str],
) -> Iterable[JobImpact]:
    """Jobs that are hit, each once, by the worst that happens to it."""
    hurt = {pool.pool: pool for pool in pools if pool.what in HURTFUL}
    there = declared if occupancy.unseen else {gang.name: gang.pool for gang in occupancy.gangs.values()}
    found = {
        name: JobImpact(
            name,
            _state(name, occupancy),
            _hit(hurt[pool], occupancy.gangs.get(name), interruptible=pool in interruptible),
            pool,
        )
        for name, pool in there.items()
        if pool in hurt
    }
    for change in preview.changes:
        if change.noun == TRAINJOB and change.operation in ("replace", "delete"):
            name = _job_name(change.old)
            what: JobWhat = "ends" if change.operation == "delete" else "starts again"
            # Nodes are updated before jobs are replaced or deleted, so one that holds them up holds up everything.
            if name not in found or found[name].what != "holds the update up":
                found[name] = JobImpact(name, _state(name, occupancy), what, declared.get(name, ""))
    return sorted(found.values(), key=lambda job: (job.state != "running", job.name))


def _hit(pool: PoolImpact, gang: Gang | None, *, interruptible: bool) -> JobWhat:
    """What becomes of a job on a pool that loses nodes.

    An update that takes nodes from a running job is refused, unless the pool says interruptJobs; a replacement or
    removal is not.
    """
    if pool.what in ("removed", "replaced"):
        return "loses its nodes"
    if gang is not None and gang.running and not interruptible:
        return "holds the update up"
    return {"emptied": "loses its nodes", "drained": "is interrupted"}.get(pool.what, "may lose nodes")  # type: ignore[return-value]


def _declared(changes: Sequence[Change], plan: Plan) -> dict[str, str]:
    """Pool by job, as the stack had them: each job's runtime says on which pool it is.

    A preview that leaves out what stays as it is leaves it to the plan.
    """
    pools = {made.name: made.pool.name for made in plan.runtimes}
    pools |= {
        str((change.old.get("metadata") or {}).get("name")): _pool_of(change.old)
        for change in changes
        if change.noun in RUNTIMES and change.old
    }
    jobs = [change for change in changes if change.noun == TRAINJOB]
    new = {_job_name(change.new) for change in jobs if change.operation == "create"}
    kept = {f"{job.namespace}/{job.name}": job.pool for job in plan.jobs}
    known = {name: pool for name, pool in kept.items() if name not in new}
    return known | {_job_name(change.old): pools.get(_runtime_of(change.old), "") for change in jobs if change.old}


def _pool_of(found: Any) -> str:
    """The pool that a runtime's pods ask for, wherever in it their node selector stands."""
    match found:
        case Mapping():
            if POOL_LABEL in found:
                return str(found[POOL_LABEL])
            return next(filter(None, map(_pool_of, found.values())), "")
        case list():
            return next(filter(None, map(_pool_of, found)), "")
        case _:
            return ""


def _runtime_of(job: Mapping[str, Any]) -> str:
    return str(((job.get("spec") or {}).get("runtimeRef") or {}).get("name", ""))


def _job_name(job: Mapping[str, Any]) -> str:
    meta = job.get("metadata") or {}
    return f"{meta.get('namespace', '')}/{meta.get('name', '')}"


def _state(name: str, occupancy: Occupancy) -> JobState:
    if occupancy.unseen:
        return "unknown"
    gang = occupancy.gangs.get(name)
    if gang is None:
        return "idle"
    return "running" if gang.running else "queued"


def _touched(changes: Sequence[Change]) -> Iterable[Touched]:
    installed_in = {str(change.old.get("namespace")) for change in changes if change.kind == RELEASE}
    for change in changes:
        if change.unprotected or (change.protected and change.operation in ("replace", "delete")):
            yield Touched("protection", f"{change.noun} {change.name}", change.operation)
        area = _area(change)
        # The namespace of a release goes with it, and held nothing else.
        follows = area == "namespace" and _called(change) in installed_in
        if area is None or follows or change.operation == "create":
            continue
        if change.operation == "update" and change.fields and not _roots(change.fields):
            continue
        yield Touched(area, _called(change), change.operation, _detail(change))


def _area(change: Change) -> Area | None:
    if change.kind == CLAIM:
        # A volume that a claim names outlives the claim; one that was made for it goes with it.
        # https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reclaiming
        return "mount" if (change.old.get("spec") or {}).get("volumeName") else "data"
    if change.noun in RUNTIMES:
        return "runtime"
    if change.kind == RELEASE:
        return "CRDs" if change.name.endswith(CRDS) else "platform"
    return AREAS.get(change.kind)


def _called(change: Change) -> str:
    """The name that people know: an object's own, else the logical one."""
    own = ((change.old or change.new).get("metadata") or {}).get("name")
    return str(own or change.name) if change.kind.startswith("kubernetes:") else change.name


def _detail(change: Change) -> str:
    """Versions before and after, where they differ; else which inputs of AWS's differ."""
    pairs = [(side.get("version") or side.get("chart")) for side in (change.old, change.new)]
    if change.operation == "update" and pairs[0] != pairs[1] and all(pairs):
        return f"{_short(pairs[0])} to {_short(pairs[1])}"
    return "" if change.kind.startswith("kubernetes:") else ", ".join(_roots(change.replaces or change.fields))


def _short(found: Any) -> str:
    return str(found).rpartition("/")[2]


def _roots(paths: Iterable[str]) -> tuple[str, ...]:
    """Inputs that paths are of, without tags."""
    return tuple(sorted({path.partition(".")[0].partition("[")[0] for path in paths} - {*TAGS}))
