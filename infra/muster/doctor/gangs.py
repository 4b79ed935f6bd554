"""Jobs and gangs: failed ones, those that wait though they would fit, those that nobody owns."""

import json
from collections.abc import Mapping
from datetime import datetime

from muster import durations, moments
from muster.doctor.evidence import Document, Evidence
from muster.doctor.finding import Finding, up
from muster.plan import JobPlan, Plan, PoolPlan
from muster.plan.parts import GPU
from muster.report import gangs, pools
from muster.report import stack as report
from muster.report.gangs import Gang

PATIENCE_S = 60
"""Seconds that a gang may wait for the scheduler's next session and for nodes that just became free."""
SCHEDULER = "kubectl -n volcano-system rollout restart deployment/volcano-scheduler"


def findings(evidence: Evidence, plan: Plan, now: datetime) -> list[Finding]:
    """Everything that is wrong with jobs, gangs and queues."""
    return [*jobs(evidence, plan), *queues(evidence, plan), *waiting(evidence, plan, now), *orphans(evidence, plan)]


def jobs(evidence: Evidence, plan: Plan) -> list[Finding]:
    """Jobs that failed, that Trainer can't make, and that are not there."""
    ours = {(item.namespace, item.name) for item in plan.jobs}
    found = []
    for view in evidence.view.jobs:
        if view.state not in ("Failed", "Invalid") or (view.namespace, view.name) not in ours:
            continue
        again = f"raise jobs.{view.name}.run in {plan.source}, then: make up STACK={plan.stack}"
        mend = f"muster logs {view.name} --stack {plan.stack}; once mended, {again}"
        found.append(Finding(f"job-{view.state.lower()}", f"job {view.namespace}/{view.name}", view.reason, mend))
    return found


def queues(evidence: Evidence, plan: Plan) -> list[Finding]:
    """Queues that take no gangs."""
    there = {one["metadata"]["name"]: one for one in evidence.listed.queues}
    return [
        Finding(
            "queue-not-open",
            f"queue {view.name}",
            f"its state is {view.state}, so its gangs wait",
            _open(there[view.name]) if view.name in there else up(plan.stack),
        )
        for view in evidence.view.queues
        if view.state not in ("Open", "Unknown")
    ]


def waiting(evidence: Evidence, plan: Plan, now: datetime) -> list[Finding]:
    """Gangs that wait for longer than PATIENCE_S though their pool and their queue have room for them."""
    found = []
    by_key = {(gang.namespace, gang.name): gang for gang in map(gangs.gang, evidence.listed.podgroups)}
    since = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one["metadata"].get("creationTimestamp")
        for one in evidence.listed.podgroups
    }
    states = {(view.namespace, view.name): view.state for view in evidence.view.jobs}
    placed = _placed(evidence)
    known = list(by_key.values())
    held = report.held_gpus(plan, known, evidence.listed.pods, evidence.view.jobs)
    for item in plan.jobs:
        key = (item.namespace, item.name)
        gang, at = by_key.get(key), since.get(key)
        if gang is None or at is None or states.get(key) != "Queued" or gang.phase not in gangs.WAITING:
            continue
        waited = int((now - moments.parse(at)).total_seconds())
        pool = next(one for one in plan.pools if one.name == item.pool)
        fits = room(evidence, pool, placed, held)
        if waited > PATIENCE_S and fits >= item.nodes and _allowed(evidence, plan, item, gang):
            said = f"waits for {durations.rough(waited)} though {fits} pods would fit on pool {pool.name}"
            found.append(Finding("gang-waits", f"job {item.namespace}/{item.name}", said, SCHEDULER))
    return found


def room(evidence: Evidence, pool: PoolPlan, placed: Mapping[str, int], held: Mapping[str, int]) -> int:
    """Pods of a pool's own size that its ready nodes have room for, by GPUs where it has some, else by number.

    `placed` are pods of jobs and `held` the GPUs of gangs, by node.
    """
    plenty = 0
    for node in pools.members(pool, evidence.listed.nodes):
        if not pools.ready(node) or node.get("spec", {}).get("unschedulable"):
            continue
        name = str(node["metadata"]["name"])
        if pool.gpus:
            plenty += max(0, pools.allocatable(node, GPU) - held.get(name, 0)) // pool.gpus
        else:
            plenty += max(0, pool.pods_per_node - placed.get(name, 0))
    return plenty


def orphans(evidence: Evidence, plan: Plan) -> list[Finding]:
    """PodGroups of jobs that are gone: they still count in their queue."""
    spaces = {item.namespace for item in plan.jobs}
    known = {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in evidence.listed.trainjobs}
    found = []
    for one in evidence.listed.podgroups:
        meta = one["metadata"]
        owners = {owner["kind"] for owner in meta.get("ownerReferences") or ()}
        if meta["namespace"] in spaces and (meta["namespace"], meta["name"]) not in known and owners <= {"TrainJob"}:
            mend = f"kubectl -n {meta['namespace']} delete podgroup {meta['name']}"
            what = f"podgroup {meta['namespace']}/{meta['name']}"
            found.append(Finding("podgroup-without-job", what, "there is no TrainJob of that name", mend))
    return found


def _allowed(evidence: Evidence, plan: Plan, item: JobPlan, gang: Gang) -> bool:
    """Whether the job's queue is open and below what its gangs may hold together."""
    queue = next((one for one in plan.queues if one.name == item.queue), None)
    view = next((one for one in evidence.view.queues if one.name == item.queue), None)
    if view is not None and view.state != "Open":
        return False
    return queue is None or queue.gpus is None or view is None or view.gpus + gang.gpus <= queue.gpus


def _placed(evidence: Evidence) -> dict[str, int]:
    """Pods of jobs by node."""
    found: dict[str, int] = {}
    for row in evidence.listed.pods:
        if row.cells.get("Status") not in ("Completed", "Error"):
            node = str(row.cells.get("Node"))
            found[node] = found.get(node, 0) + 1
    return found


def _open(queue: Document) -> str:
    """Volcano opens a queue by a Command object: https://volcano.sh/en/docs/queue/ and vcctl's own source."""
    target = {
        "apiVersion": "scheduling.volcano.sh/v1beta1",
        "kind": "Queue",
        "name": queue["metadata"]["name"],
        "uid": queue["metadata"].get("uid", ""),
    }
    command = {
        "apiVersion": "bus.volcano.sh/v1alpha1",
        "kind": "Command",
        "metadata": {"generateName": "open-", "namespace": "default", "ownerReferences": [target]},
        "action": "OpenQueue",
        "target": target,
    }
    return f"echo '{json.dumps(command)}' | kubectl create -f -"
