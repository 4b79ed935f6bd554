"""One screen for a whole stack: releases, pools, queues and jobs, read from the cluster.

However many jobs there are, they are read by a fixed number of lists. Only jobs of which the lists say too little are
looked at one by one, and only so many of them and of the logs as a person waits for.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from muster.plan import JobPlan, Plan
from muster.report import gangs, job, pools
from muster.report.gangs import Gang, QueueView
from muster.report.job import JobView
from muster.report.pools import PoolView
from muster.report.reader import Object, Reader, Row, items, rows

THREADS = 8
LOOKS = 24
"""Jobs that are looked at one by one: failed ones first, then those that start, then those that wait."""
LOGS = 24
"""Logs that are read for the last loss, unless all are asked for: those of running jobs first."""
RANKS: Mapping[job.State, int] = {"Failed": 0, "Restarting": 1, "Invalid": 2, "Starting": 3, "Queued": 4}
"""States whose reason is not in the lists, by how much a person wants it; a gang's PodGroup may say why it waits."""

Key = tuple[str, str]
"""Namespace and name of a job."""


@dataclass(frozen=True)
class StackView:
    """What a stack's cluster holds now."""

    stack: str
    releases: Mapping[str, str]
    """Name to Helm status, `absent` when there is no record."""
    pools: Sequence[PoolView]
    queues: Sequence[QueueView]
    jobs: Sequence[JobView]

    def document(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "stack": self.stack,
            "releases": dict(self.releases),
            "pools": {pool.name: pool.document() for pool in self.pools},
            "queues": {queue.name: queue.state for queue in self.queues},
            "gangs": {queue.name: queue.document() for queue in self.queues},
            "jobs": {
                view.name: {
                    "namespace": view.namespace,
                    "state": view.state,
                    "reason": view.reason,
                    "restarts": view.restarts,
                    "podsReady": view.pods_ready,
                    "pods": view.pods_wanted,
                    "firstLoss": view.losses[0][1] if view.losses else None,
                    "lastLoss": view.last_loss,
                    "lastStep": view.last_step,
                    "steps": view.total_steps,
                    "logRead": view.log_read,
                    "created": view.created,
                    "ended": view.ended,
                }
                for view in self.jobs
            },
        }


@dataclass(frozen=True)
class Listed:
    """What the lists of a cluster say, whoever asked for them."""

    records: Sequence[Row]
    nodes: Sequence[Mapping[str, Any]]
    queues: Sequence[Mapping[str, Any]]
    podgroups: Sequence[Mapping[str, Any]]
    trainjobs: Sequence[Mapping[str, Any]]
    jobsets: Sequence[Row]
    pods: Sequence[Row]


def read(cluster: Reader, plan: Plan, *, logs: int | None = LOGS) -> StackView:
    """Look at everything that `plan` put on the cluster. Raises muster.report.reader.Unreachable.

    `logs` bounds how many logs are read; None looks at every job and reads every log.
    """
    return examine(cluster, plan, logs)[1]


def examine(cluster: Reader, plan: Plan, logs: int | None) -> tuple[Listed, StackView]:
    """As `read`, with the lists that it was made from. Raises muster.report.reader.Unreachable."""
    with ThreadPoolExecutor(THREADS) as threads:
        listed = _list(cluster, plan, threads)
        found = glance(plan, listed)
        views = list(threads.map(lambda wanted: _look(cluster, *wanted), closer(plan, listed, found, logs)))
    found |= {(view.namespace, view.name): view for view in views}
    return listed, judge(plan, listed, list(found.values()))


def _list(cluster: Reader, plan: Plan, threads: ThreadPoolExecutor) -> Listed:
    """Ask for all lists at once. Raises muster.report.reader.Unreachable."""

    def ask(way: Callable[..., Object | None], path: str, **params: str) -> Any:
        return threads.submit(way, path, **params)

    nodes = ask(cluster.get, "/api/v1/nodes")
    pods = ask(cluster.table, "/api/v1/pods", labelSelector=job.JOBSET_LABEL)
    trainjobs = ask(cluster.get, "/apis/trainer.kubeflow.org/v1alpha1/trainjobs")
    jobsets = ask(cluster.table, "/apis/jobset.x-k8s.io/v1alpha2/jobsets")
    records = ask(cluster.table, "/api/v1/secrets", labelSelector="owner=helm")
    podgroups = ask(cluster.get, gangs.PODGROUPS)
    queues = ask(cluster.get, gangs.QUEUES) if plan.queues else None
    return Listed(
        records=rows(records.result()),
        nodes=items(nodes.result()),
        queues=items(queues.result()) if queues else (),
        podgroups=items(podgroups.result()),
        trainjobs=items(trainjobs.result()),
        jobsets=rows(jobsets.result()),
        pods=rows(pods.result()),
    )


def glance(plan: Plan, listed: Listed) -> dict[Key, JobView]:
    """Every job of the plan as far as the lists tell; nobody read a log for it."""
    trainjobs = {(item["metadata"]["namespace"], item["metadata"]["name"]): item for item in listed.trainjobs}
    jobsets = {row.key: {"status": {"restarts": row.cells.get("Restarts")}} for row in listed.jobsets}
    why = {(item.namespace, item.name): item.why for item in map(gangs.gang, listed.podgroups)}
    pods = _pods_by_job(listed.pods)
    found = {}
    for item in plan.jobs:
        key = (item.namespace, item.name)
        if key not in trainjobs:
            found[key] = JobView(item.name, item.namespace, "Absent", job.ABSENT)
            continue
        mine = [job.as_listed(row) for row in pods.get(key, ())]
        view = job.judge(trainjobs[key], jobsets.get(key), mine, (), ())
        reason = why.get(key) or view.reason if view.state == "Queued" else view.reason
        found[key] = dataclasses.replace(view, reason=reason, log_read=False)
    return found


def closer(
    plan: Plan, listed: Listed, found: Mapping[Key, JobView], logs: int | None
) -> list[tuple[JobView, str | None]]:
    """Jobs that are worth requests of their own: with None, all of their objects; with a pod's name, its log."""
    pods = _pods_by_job(listed.pods)
    told = {(gang.namespace, gang.name) for gang in map(gangs.gang, listed.podgroups) if gang.why}
    unclear = sorted(
        (view for key, view in found.items() if view.state in RANKS and not (view.state == "Queued" and key in told)),
        key=lambda view: RANKS[view.state],
    )
    clear = [view for view in found.values() if view.state in ("Running", "Complete")]
    clear.sort(key=lambda view: view.ended, reverse=True)
    clear.sort(key=lambda view: view.over)
    silent = {(item.namespace, item.name) for item in plan.jobs if _simulated(plan, item)}
    shown = [
        (view, pod)
        for view in clear
        for key in [(view.namespace, view.name)]
        if key not in silent and (pod := job.pod_of_rank_0([job.as_listed(row) for row in pods.get(key, ())]))
    ]
    return [*((view, None) for view in unclear[: LOOKS if logs is not None else None]), *shown[:logs]]


def _look(cluster: Reader, view: JobView, pod: str | None) -> JobView:
    if pod is None:
        return job.read(cluster, view.namespace, view.name)
    return job.with_log(view, cluster.log(view.namespace, pod, job.LOG_TAIL))


def judge(plan: Plan, listed: Listed, jobs: Sequence[JobView]) -> StackView:
    """The whole screen from what was read."""
    found = [gangs.gang(item) for item in listed.podgroups]
    held = held_gpus(plan, found, listed.pods, jobs)
    return StackView(
        stack=plan.stack,
        releases={
            release.name: _release_status(listed.records, release.name, release.namespace) for release in plan.releases
        },
        pools=[pools.judge(pool, listed.nodes, held) for pool in plan.pools],
        queues=[gangs.queue(item.name, listed.queues, found) for item in plan.queues],
        jobs=jobs,
    )


def held_gpus(plan: Plan, found: Sequence[Gang], pods: Sequence[Row], jobs: Sequence[JobView]) -> dict[str, int]:
    """GPUs that pods of gangs hold, by node. A gang that is no job of this stack counts by its PodGroup."""
    sizes = {pool.name: pool.gpus for pool in plan.pools}
    each = {(item.namespace, item.name): sizes[item.pool] for item in plan.jobs}
    each |= {(item.namespace, item.name): item.gpus_per_pod for item in found if item.gpus}
    over = {(view.namespace, view.name) for view in jobs if view.over}
    held: dict[str, int] = {}
    for key, mine in _pods_by_job(pods).items():
        for row in mine if key not in over else ():
            node = str(row.cells.get("Node"))
            if row.cells.get("Status") not in ("Completed", "Error"):
                held[node] = held.get(node, 0) + each.get(key, 0)
    return held


def _simulated(plan: Plan, item: JobPlan) -> bool:
    """Whether a job's pods are only played: no container of theirs has a log."""
    return any(pool.simulated for pool in plan.pools if pool.name == item.pool)


def _pods_by_job(pods: Sequence[Row]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = {}
    for row in pods:
        key = (row.key[0], str((row.metadata.get("labels") or {}).get(job.JOBSET_LABEL)))
        found.setdefault(key, []).append(row)
    return found


def _release_status(records: Sequence[Row], name: str, namespace: str) -> str:
    mine = [
        record.metadata["labels"]
        for record in records
        if record.metadata["labels"].get("name") == name and record.metadata["namespace"] == namespace
    ]
    newest = max(mine, key=lambda labels: int(labels.get("version", 0)), default=None)
    return str(newest["status"]) if newest else "absent"
