"""A whole stack on one screen, from lists; jobs of which those say too little are looked at one by one."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from muster.plan import Plan
from muster.report import job, text
from muster.report import stack as report
from muster.report.reader import Row
from rich.console import Console

from tests.unit import planned
from tests.unit.report.cluster import Cluster, jobset, node, pod, podgroup, trainjob

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
WHOLE = {"nvidia.com/gpu": "8", "vpc.amazonaws.com/efa": "32"}
TRAINJOBS, JOBSETS = "/apis/trainer.kubeflow.org/v1alpha1/trainjobs", "/apis/jobset.x-k8s.io/v1alpha2/jobsets"
PODGROUPS, QUEUES = "/apis/scheduling.volcano.sh/v1beta1/podgroups", "/apis/scheduling.volcano.sh/v1beta1/queues"


def stack(*names: str) -> Plan:
    """A stack with jobs of two pods on 4 nodes that could be real."""
    jobs = {
        name: {"workload": "zero3-train", "runtime": "deepspeed-p5", "nodes": 2, "queue": "research"} for name in names
    }
    pools = {"p5": {"existing": {"nodeSelector": {"muster.dev/pool": "p5"}}, "nodes": 4}}
    amounts = {
        "requests": {"cpu": 1, "memory": "1Gi", "nvidia.com/gpu": 8},
        "limits": {"cpu": 1, "memory": "1Gi", "nvidia.com/gpu": 8},
    }
    pools["p5"]["podResources"] = amounts
    return planned.of({**planned.P5, "storage": {}, "pools": pools, "jobs": jobs})


def line(step: int, loss: float, **more: int) -> str:
    return json.dumps({"event": "step", "step": step, "loss": loss, **more})


def one_of_each() -> Cluster:
    """Jobs that run, wait, failed, completed and are not there, on 4 nodes of which one is not ready."""
    ended = {"exitCode": 3, "reason": "Error", "message": json.dumps({"rank": 1, "reason": "ValueError: bad"})}
    return Cluster(
        {
            "/api/v1/secrets": [
                {
                    "metadata": {
                        "name": f"sh.helm.release.v1.volcano.v{version}",
                        "namespace": "volcano-system",
                        "labels": {"owner": "helm", "name": "volcano", "version": version, "status": status},
                    }
                }
                for version, status in (("9", "superseded"), ("10", "pending-upgrade"))
            ],
            "/api/v1/nodes": [
                node("n0", "p5", WHOLE),
                node("n1", "p5", WHOLE),
                node("n2", "p5", {"nvidia.com/gpu": "8"}),
                node("n3", "p5", WHOLE, ready=False),
                node("other", "cpu", {}),
            ],
            QUEUES: [{"metadata": {"name": "research"}, "status": {"state": "Open"}}],
            PODGROUPS: [
                podgroup("runs", "research", "Running", 2, 16),
                podgroup("waits", "research", "Inqueue", 2, 16, why="2/2 tasks in gang unschedulable"),
                podgroup("done", "research", "Completed", 2, 16),
            ],
            TRAINJOBS: [
                trainjob("runs", 2),
                trainjob("waits", 2),
                trainjob("failed", 2, "Failed"),
                trainjob("done", 2, "Complete"),
            ],
            JOBSETS: [jobset("runs", 1), jobset("waits"), jobset("failed", 3), jobset("done")],
            "/api/v1/pods": [
                pod("runs", 0, "n0"),
                pod("runs", 1, "n1"),
                pod("waits", 0, "", "Pending"),
                pod("waits", 1, "", "Pending"),
                pod("failed", 0, "n0", "Failed", terminated=ended),
                pod("done", 0, "n0", "Succeeded", terminated={"exitCode": 0, "reason": "Completed"}),
            ],
        },
        {"runs-node-0-0": [line(7, 4.5), line(8, 4.25, of=30)], "done-node-0-0": [line(0, 5.0), line(29, 1.5)]},
    )


JOBS = ("runs", "waits", "failed", "done", "missing")


@pytest.mark.parametrize(
    ("name", "state", "reason", "restarts", "loss"),
    [
        ("runs", "Running", "", 1, 4.25),
        ("waits", "Queued", "2/2 tasks in gang unschedulable", 0, None),
        ("failed", "Failed", "pod failed-node-0-0, rank 1 ended first with exit code 3: ValueError: bad", 3, None),
        ("done", "Complete", "", 0, 1.5),
        ("missing", "Absent", "no such TrainJob in the cluster", 0, None),
    ],
)
def test_every_state_is_told(name: str, state: str, reason: str, restarts: int, loss: float | None) -> None:
    found = report.read(one_of_each(), stack(*JOBS)).document()["jobs"][name]
    assert (found["state"], found["reason"], found["restarts"], found["lastLoss"]) == (state, reason, restarts, loss)


def test_pools_queues_and_releases_are_counted() -> None:
    found = report.read(one_of_each(), stack(*JOBS)).document()
    assert found["pools"]["p5"] == {
        "nodes": 4,
        "ready": 3,
        "gpus": 24,
        "gpusHeld": 16,
        "gpusFree": 8,
        "efaPerNode": 0,
        "nodesLackingGpus": [],
        "nodesLackingEfa": [],
    }
    assert found["queues"] == {"research": "Open"}
    assert found["gangs"] == {"research": {"running": 1, "pending": 1, "gpus": 16}}
    assert found["releases"]["volcano"] == "pending-upgrade"
    assert found["releases"]["jobset"] == "absent"


def test_nodes_that_lack_what_their_type_has_are_named() -> None:
    nodes = [
        node("p5-0", "p5", WHOLE),
        node("p5-1", "p5", {"nvidia.com/gpu": "8"}),
        node("p5-2", "p5", {"nvidia.com/gpu": "7", "vpc.amazonaws.com/efa": "32"}),
    ]
    (pool,) = report.read(Cluster({"/api/v1/nodes": nodes}), planned.of(planned.P5)).pools
    assert (pool.gpus, pool.no_gpus, pool.no_efa) == (23, ("p5-2",), ("p5-1",))
    assert pool.fabric == "1 of 3 nodes lack EFA"


def many(count: int, **states: Any) -> tuple[Plan, Cluster]:
    """`count` jobs of two running pods each; those of `states` have a condition."""
    names = [f"job-{index:03}" for index in range(count)]
    plan = stack(*names)
    logs = {f"{name}-node-0-0": [line(1, 2.0)] for name in names}
    objects = {
        TRAINJOBS: [trainjob(name, 2, states.get(name.replace("-", "_"), "")) for name in names],
        JOBSETS: [jobset(name) for name in names],
        "/api/v1/pods": [pod(name, index, f"n{index}") for name in names for index in range(2)],
    }
    return plan, Cluster(objects, logs)


def lists(found: Cluster) -> int:
    return sum(1 for asked in found.asked if not asked.startswith("log"))


def test_the_number_of_lists_does_not_grow_with_the_jobs() -> None:
    counts = []
    for size in (3, 200):
        plan, found = many(size)
        report.read(found, plan)
        counts.append(lists(found))
    assert counts == [7, 7]


def test_logs_are_read_of_as_many_jobs_as_asked() -> None:
    for logs, expected in ((0, 0), (5, 5), (None, 40)):
        plan, found = many(40)
        views = report.read(found, plan, logs=logs).jobs
        assert sum(1 for asked in found.asked if asked.startswith("log")) == expected
        assert sum(1 for view in views if view.log_read) == expected
        assert sum(1 for view in views if view.last_loss == 2.0) == expected


def test_jobs_that_run_are_read_before_those_that_are_done() -> None:
    plan, found = many(3, job_000="Complete", job_001="Complete")
    read = [view.name for view in report.read(found, plan, logs=1).jobs if view.log_read]
    assert read == ["job-002"]


def test_of_many_failed_jobs_a_bounded_number_is_looked_at() -> None:
    names = {f"job_{index:03}": "Failed" for index in range(100)}
    plan, found = many(100, **names)
    views = report.read(found, plan).jobs
    assert {view.state for view in views} == {"Failed"}
    looked = {asked.rpartition("/")[2] for asked in found.asked if asked.startswith(f"get {job_path('')}")}
    assert len(looked) == report.LOOKS
    assert views[99].reason == "R: M"


def test_a_gang_whose_podgroup_says_nothing_is_asked_for_its_pods_reason() -> None:
    found = one_of_each()
    found.objects[PODGROUPS].clear()
    found.objects["/api/v1/pods"][2]["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "message": "0/5 nodes are available"}
    ]
    views = {view.name: view for view in report.read(found, stack(*JOBS)).jobs}
    assert views["waits"].reason == "0/5 nodes are available"


def job_path(name: str) -> str:
    return f"/apis/trainer.kubeflow.org/v1alpha1/namespaces/training/trainjobs/{name}"


def test_pods_of_simulated_nodes_have_no_log_to_read() -> None:
    config = {
        **planned.P5,
        "storage": {},
        "jobs": {"one": {"workload": "zero3-train", "runtime": "deepspeed-p5", "nodes": 2, "queue": "research"}},
    }
    objects = {
        TRAINJOBS: [trainjob("one", 2)],
        JOBSETS: [jobset("one")],
        "/api/v1/pods": [pod("one", 0, "p5-0"), pod("one", 1, "p5-1")],
    }
    found = Cluster(objects)
    (view,) = report.read(found, planned.of(config)).jobs
    assert (view.state, view.log_read) == ("Running", False)
    assert [asked for asked in found.asked if asked.startswith("log")] == []


@pytest.mark.parametrize(
    ("cells", "node", "phase", "ready"),
    [
        (("Running", "1/1", "n0"), "n0", "Running", "True"),
        (("Running", "0/1", "n0"), "n0", "Running", "False"),
        (("Completed", "0/1", "n0"), "n0", "Succeeded", "False"),
        (("Pending", "0/1", "<none>"), "", "Pending", "False"),
        (("ErrImagePull", "0/1", "n0"), "n0", "ErrImagePull", "False"),
    ],
)
def test_a_row_tells_where_a_pod_is_and_whether_it_is_ready(
    cells: tuple[str, str, str], node: str, phase: str, ready: str
) -> None:
    found = job.as_listed(Row({"name": "p"}, dict(zip(("Status", "Ready", "Node"), cells, strict=True))))
    assert found["spec"]["nodeName"] == node
    assert found["status"] == {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}


def screen(view: report.StackView, *, every: bool = False) -> str:
    drawn = io.StringIO()
    Console(width=160, file=drawn).print(text.stack_screen(view, NOW, every=every))
    return drawn.getvalue()


def test_the_screen_shows_progress_time_and_fabric() -> None:
    shown = screen(report.read(one_of_each(), stack(*JOBS)))
    rows = {words[0]: words for row in shown.splitlines() if (words := row.split())}
    assert rows["training/runs"] == ["training/runs", "Running", "2/2", "8/30", "4.250000", "1", "2h"]
    assert rows["training/done"] == ["training/done", "Complete", "0/2", "29", "1.500000", "0", "30m"]
    assert rows["p5"] == ["p5", "3/4", "24", "16", "8"]
    assert rows["research"] == ["research", "Open", "1", "1", "16"]
    assert "pending-upgrade" in shown


def test_many_completed_jobs_are_folded_unless_all_are_asked_for() -> None:
    plan, found = many(15, **{f"job_{index:03}": "Complete" for index in range(14)})
    view = report.read(found, plan)
    assert "… and 4 more that completed: --all shows them" in screen(view)
    assert screen(view).count("training/job-") == 11
    assert "training/job-014" in screen(view)
    assert screen(view, every=True).count("training/job-") == 15
