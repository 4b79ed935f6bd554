"""A plan in few words: one block for each pool and job, for previews and for people."""

from dataclasses import dataclass

from muster import durations, moments
from muster.catalog.services import HOURS_PER_MONTH
from muster.plan.aws.parts import AwsPlan, GroupPlan
from muster.plan.parts import JobPlan, Plan, PoolPlan


@dataclass(frozen=True)
class Block:
    """A titled list of facts."""

    title: str
    facts: tuple[tuple[str, str], ...]


def lines(plan: Plan) -> tuple[str, ...]:
    """What a preview tells of an environment on AWS: one line for each pool, then the cost of everything."""
    if plan.aws is None:
        return ()
    made = [f"pool {group.pool}: {' · '.join(_machine_facts(group, plan.aws))}" for group in plan.aws.groups]
    cost = plan.aws.cost
    parts = ", ".join(f"{name} ${usd:.2f}" for name, usd in cost.lines if round(usd, 2))
    total = f"${cost.hourly:.2f}/h, ${cost.hourly * 24:,.0f}/day, ${cost.hourly * HOURS_PER_MONTH:,.0f}/month"
    return (*made, f"cost: {total} at on-demand prices of {cost.date} ({parts})")


def _machine_facts(group: GroupPlan, aws: AwsPlan) -> list[str]:
    """Everything of a pool that decides whether it starts, how fast it is and what it costs."""
    kind, capacity = group.type, group.capacity
    gpus = f" = {group.nodes * kind.gpus} {kind.gpu_model}-{kind.gpu_memory_gib:g}" if kind.gpus else ""
    facts = [f"{group.nodes} x {kind.name}{gpus}", f"{aws.eks.region} {', '.join(group.zones)}"]
    match capacity.mode:
        case "on-demand":
            rare = kind.gpus and kind.family.startswith("p")
            facts.append("on-demand" + (", no reservation: may not start" if rare else ""))
            if capacity.placement_group:
                facts.append("cluster placement group")
        case "reservation":
            facts.append(f"reservation {capacity.reservation}, no placement group")
        case "capacity-block":
            starts = f" from {moments.text(capacity.starts)}" if capacity.starts else ""
            ends = moments.text(capacity.ends) if capacity.ends else ""
            safe = moments.text(capacity.safe_until) if capacity.safe_until else ""
            facts.append(f"capacity-block {capacity.reservation}{starts} ends {ends} (last checkpoint {safe})")
        case "spot":
            facts.append("spot: one node taken back restarts its gang")
    if group.efa:
        facts.append(f"{group.efa} EFA + 1 ENA per node ({group.interfaces} ENIs)")
    elif kind.gpus:
        facts.append("no EFA: gangs over several nodes talk over TCP")
    facts.append(f"{group.addresses} IPs, at most {group.max_pods} pods a node")
    facts.append(f"AMI {group.ami_eks} {group.release or 'latest'}")
    if group.quota is not None:
        facts.append(f"quota {group.quota.code}: {group.quota.vcpu} vCPU")
    if group.hourly is not None:
        kind_of = "on-demand-equivalent " if capacity.mode != "on-demand" else ""
        facts.append(f"{kind_of}${group.hourly:.2f}/h")
    else:
        facts.append("no on-demand price")
    if kind.nccl_floor and group.efa and group.nodes > 1:
        facts.append(f"NCCL bar >= {kind.nccl_floor} GB/s at 1 GiB")
    return facts


def blocks(plan: Plan) -> tuple[Block, ...]:
    """Pools, then jobs, in the order of the stack file."""
    return (*(_pool(pool) for pool in plan.pools), *(_job(job) for job in plan.jobs))


def _pool(pool: PoolPlan) -> Block:
    kind = pool.type
    facts = [
        ("nodes", f"{pool.nodes} x {kind.name if kind else 'existing'}{', simulated' if pool.simulated else ''}"),
        ("room", f"{pool.pods} pods of {_amounts(dict(pool.requests))}"),
    ]
    if pool.gpus:
        model = f" {kind.gpu_model} of {kind.gpu_memory_gib:g} GiB" if kind else ""
        facts.append(("GPUs", f"{pool.pods * pool.gpus}{model}, {pool.gpus} a pod"))
    if pool.efa:
        facts.append(("fabric", f"{pool.efa} EFA interfaces a node"))
    return Block(f"pool {pool.name}", tuple(facts))


def _job(job: JobPlan) -> Block:
    pods = "1 pod" if job.nodes == 1 else f"{job.nodes} pods"
    facts = [
        ("gang", f"{pods} x {job.processes_per_node} = {job.world_size} ranks on pool {job.pool}"),
        ("runtime", job.runtime),
        ("queue", job.queue or "none"),
    ]
    facts += [
        ("mount", f"{mount.path} on {mount.claim}, {'read only' if mount.read_only else f'folder {mount.sub_path}'}")
        for mount in job.mounts
    ]
    if job.checkpoints is not None:
        facts.append(("checkpoints", f"the last {job.checkpoints.keep} whole ones in {job.checkpoints.path}"))
    if job.service is not None:
        facts.append(("address", f"service {job.service.name}.{job.service.namespace}"))
    if job.suspend:
        facts.append(("suspended", "it has no pods until suspend is taken away"))
    if job.wait != "none":
        facts.append(("wait", f"until {job.wait}, at most {durations.text(job.timeout_s)}"))
    if job.deadline_s is not None:
        facts.append(("deadline", durations.text(job.deadline_s)))
    return Block(f"job {job.namespace}/{job.name}, run {job.run}", tuple(facts))


def _amounts(amounts: dict[str, str]) -> str:
    return ", ".join(f"{amount} {name.rpartition('/')[2]}" for name, amount in amounts.items())
