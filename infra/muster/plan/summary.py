"""A plan in few words: one block for each pool and job, for previews and for people."""

from dataclasses import dataclass

from muster import durations
from muster.plan.parts import JobPlan, Plan, PoolPlan


@dataclass(frozen=True)
class Block:
    """A titled list of facts."""

    title: str
    facts: tuple[tuple[str, str], ...]


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
    if kind is not None and kind.efa_interfaces:
        facts.append(("fabric", f"{kind.efa_interfaces} EFA interfaces a node"))
    return Block(f"pool {pool.name}", tuple(facts))


def _job(job: JobPlan) -> Block:
    pods = "1 pod" if job.nodes == 1 else f"{job.nodes} pods"
    facts = [
        ("gang", f"{pods} x {job.processes_per_node} = {job.world_size} ranks on pool {job.pool}"),
        ("runtime", job.runtime),
        ("queue", job.queue or "none"),
    ]
    facts += [("mount", f"{mount.path} on {mount.claim}, folder {mount.sub_path}") for mount in job.mounts]
    if job.wait != "none":
        facts.append(("wait", f"until {job.wait}, at most {durations.text(job.timeout_s)}"))
    if job.deadline_s is not None:
        facts.append(("deadline", durations.text(job.deadline_s)))
    return Block(f"job {job.namespace}/{job.name}, run {job.run}", tuple(facts))


def _amounts(amounts: dict[str, str]) -> str:
    return ", ".join(f"{amount} {name.rpartition('/')[2]}" for name, amount in amounts.items())
