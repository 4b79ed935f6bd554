"""Reports on prepared changes: verdict and blast radius."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import pytest
from muster import preview
from muster.policy.parts import Finding
from muster.report import change_report
from muster.report.change_report import ChangeReport
from muster.report.impact import NODE_MINUTES
from muster.report.occupancy import Gang, Occupancy

from tests.unit.aws import environment
from tests.unit.report import previews
from tests.unit.report.previews import (
    CLUSTER,
    GROUP,
    LUSTRE,
    NOBODY,
    QUEUED,
    RELEASE,
    RUNNING,
    RUNTIME,
    SYSTEM,
    TEMPLATE,
    TRAIN,
    TRAINJOB,
    UNSEEN,
    group,
    job,
    runtime,
    step,
)

ON_DEMAND = {"mode": "on-demand", "allowUnreserved": True}
BLOCK = {"mode": "capacity-block", "reservation": "cr-0a1b2c3d4e5f60718", "ends": "2026-12-01T11:30:00Z"}
PERMISSIVE = {"pools.gpu.interruptJobs": True}
VPC, SUBNET = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet"
CLAIM, SECRET = "kubernetes:core/v1:PersistentVolumeClaim", "kubernetes:core/v1:Secret"
RETAINED = {"metadata": {"name": "checkpoints"}, "spec": {"volumeName": "test-checkpoints"}}
FAST = {"metadata": {"name": "scratch"}, "spec": {"storageClassName": "gp3"}}
HELD = {"metadata": {"name": "hub"}, "data": "[secret]"}
QUEUE = "kubernetes:scheduling.volcano.sh/v1beta1:Queue"


class Case(NamedTuple):
    """A change, who is on the nodes, and the one line that is said of it."""

    steps: Sequence[Mapping[str, Any]]
    line: str
    occupancy: Occupancy = NOBODY
    edits: Mapping[str, Any] = {}


def groups(new: Mapping[str, Any], *fields: str, op: str = "update", **more: Any) -> list[Mapping[str, Any]]:
    replaces = fields if op == "replace" else ()
    return [step(op, GROUP, "pool-gpu", group(), new, fields=fields, replaces=replaces, **more)]


IMAGE = groups(group(releaseVersion="1.35.5-20261120"), "releaseVersion")
OTHER_TYPE = groups(group(kind="p4d.24xlarge"), "instanceTypes", op="replace")
P4D = {"pools.gpu.instanceType": "p4d.24xlarge"}
REMOVED = [
    step("delete", GROUP, "pool-gpu", group(), None),
    step("delete", TRAINJOB, "job-training-train", job(), None),
]
WITHOUT = {"pools.gpu": None, "runtimes.ds": None, "jobs.train": None}
DRAINED = (
    "needs care: pool gpu: 2 nodes are replaced one after another, 8 of 16 GPUs away at a time, up to 50 min in all"
)
CASES: Mapping[str, Case] = {
    "nothing": Case([], "safe: nothing changes"),
    "grow": Case(
        groups(group(3), "scalingConfig.desiredSize"),
        "needs care: it costs 50% more, $55.06/h",
        RUNNING,
        {"pools.gpu.nodes": 3},
    ),
    "new pool": Case(
        [step("create", GROUP, "pool-more", None, group(1, "g6e.xlarge", "more"))],
        "safe: nothing that runs is touched",
        RUNNING,
        {"pools.more": {"instanceType": "g6e.xlarge", "nodes": 1}},
    ),
    "shrink": Case(
        groups(group(1), "scalingConfig.desiredSize"),
        "needs care: pool gpu shrinks from 2 to 1: 8 GPUs go",
        NOBODY,
        {"pools.gpu.nodes": 1, "jobs.train.nodes": 1},
    ),
    "shrink under a job": Case(
        groups(group(1), "scalingConfig.desiredSize"),
        "needs care: pool gpu shrinks from 2 to 1: 8 GPUs go (and 1 more reason)",
        RUNNING,
        {"pools.gpu.nodes": 1, "jobs.train.nodes": 1},
    ),
    "scale to zero under a job": Case(
        groups(group(0), "scalingConfig.desiredSize"),
        "dangerous: pool gpu is scaled to zero under training/train, which runs there (and 2 more reasons)",
        RUNNING,
        {"pools.gpu.nodes": 0, "jobs": {}},
    ),
    "node image": Case(IMAGE, DRAINED),
    "node image under a job": Case(IMAGE, f"{DRAINED} (and 1 more reason)", RUNNING),
    "node image of the system pool": Case(
        [step("update", GROUP, "pool-system", SYSTEM, {**SYSTEM, "releaseVersion": "x"}, fields=["releaseVersion"])],
        "needs care: pool system: 2 nodes are replaced one after another, the new one first",
        RUNNING,
    ),
    "launch template": Case(
        [
            step("update", TEMPLATE, "pool-gpu", {}, {"userData": "x"}, fields=["userData"]),
            *groups(group(launchTemplate={"id": "lt-1", "version": "2"}), "launchTemplate.version"),
        ],
        DRAINED,
    ),
    "instance type": Case(
        OTHER_TYPE, "needs care: pool gpu is replaced: all 16 GPUs are away for up to 25 min", NOBODY, P4D
    ),
    "instance type under a job": Case(
        OTHER_TYPE,
        "dangerous: pool gpu is replaced under training/train, which runs there (and 2 more reasons)",
        RUNNING,
        P4D,
    ),
    "instance type under a queued job": Case(
        OTHER_TYPE,
        "needs care: pool gpu is replaced: all 16 GPUs are away for up to 25 min (and 1 more reason)",
        QUEUED,
        P4D,
    ),
    "instance type, nobody looked": Case(
        OTHER_TYPE,
        "dangerous: pool gpu is replaced, and nobody looked whether training/train runs there (and 2 more reasons)",
        UNSEEN,
        P4D,
    ),
    "pool and job removed": Case(
        REMOVED,
        "dangerous: pool gpu is removed under training/train, which runs there (and 2 more reasons)",
        RUNNING,
        WITHOUT,
    ),
    "pool and job removed, at rest": Case(
        REMOVED, "needs care: pool gpu is removed: 2 nodes and 16 GPUs go (and 1 more reason)", NOBODY, WITHOUT
    ),
    "Kubernetes minor": Case(
        [step("update", CLUSTER, "cluster", {"version": "1.34"}, {"version": "1.35"}, fields=["version"])],
        "needs care: cluster is updated: the control plane changes under everything that runs (1.34 to 1.35)",
    ),
    "tags of the cluster": Case(
        [step("update", CLUSTER, "cluster", {"tags": {}}, {"tags": {"a": "b"}}, fields=["tags.a", "tagsAll.a"])],
        "safe: nothing that runs is touched",
    ),
    "cluster replaced": Case(
        [step("replace", CLUSTER, "cluster", {}, {}, fields=["roleArn"], replaces=["roleArn"])],
        "dangerous: cluster is replaced: everything in the cluster goes too (roleArn)",
    ),
    "network": Case(
        [
            step("replace", VPC, "vpc", {}, {}, replaces=["cidrBlock"]),
            step("replace", SUBNET, "private-usw2-az2", {}, {}, replaces=["vpcId"]),
        ],
        "dangerous: private-usw2-az2, vpc are replaced: everything inside goes too",
    ),
    "file system": Case(
        [step("replace", LUSTRE, "storage-checkpoints", {}, {}, replaces=["subnetIds"])],
        "dangerous: storage-checkpoints is replaced: the data is lost (subnetIds)",
    ),
    "file system grows": Case(
        [step("update", LUSTRE, "storage-checkpoints", {}, {}, fields=["storageCapacity"])],
        "safe: nothing that runs is touched",
    ),
    "claim of its own volume": Case(
        [step("delete", CLAIM, "claim-scratch", FAST, None)], "dangerous: scratch is deleted: the data is lost"
    ),
    "claim of a kept volume": Case(
        [step("delete", CLAIM, "claim-checkpoints", RETAINED, None)],
        "needs care: volume checkpoints is deleted: no pod can mount it any more",
    ),
    "chart": Case(
        [step("update", RELEASE, "kubeflow-trainer", {"version": "2.3.0"}, {"version": "2.3.1"}, fields=["version"])],
        "needs care: release kubeflow-trainer is updated: jobs depend on it (2.3.0 to 2.3.1)",
        RUNNING,
    ),
    "CRDs deleted": Case(
        [step("delete", RELEASE, "trainer-crds", {}, None)],
        "dangerous: release trainer-crds is deleted: all objects of its kinds go too, jobs among them",
    ),
    "runtime": Case(
        [step("update", RUNTIME, "runtime-ds", runtime(), runtime(LEVEL="debug"), fields=["spec.template"])],
        "needs care: runtime ds is updated: jobs that start later get it; those that run go on from their snapshot",
        RUNNING,
    ),
    "job": Case(
        [
            step(
                "replace",
                TRAINJOB,
                "job-training-train",
                job(),
                job(lr="0.2"),
                fields=["spec.trainer.args[1]"],
                replaces=["spec.trainer.args[1]"],
            )
        ],
        "needs care: job training/train (running) starts again from its last checkpoint, or from its beginning",
        RUNNING,
    ),
    "job deleted": Case(
        [step("delete", TRAINJOB, "job-training-train", job(), None)],
        "needs care: job training/train (queued) ends",
        QUEUED,
        {"jobs": {}},
    ),
    "queue": Case(
        [
            step(
                "update",
                QUEUE,
                "queue-research",
                {"spec": {"weight": 1}},
                {"spec": {"weight": 2}},
                fields=["spec.weight"],
            )
        ],
        "safe: nothing that runs is touched",
        RUNNING,
    ),
    "queue deleted": Case(
        [step("delete", QUEUE, "queue-research", {"metadata": {"name": "research"}}, None)],
        "needs care: other resources are deleted: 1 Queue",
    ),
    "secret": Case(
        [step("update", SECRET, "secret-default-hub", HELD, HELD, fields=["data"])],
        "needs care: secret hub is updated: jobs that run keep the old value until they are run again",
        RUNNING,
    ),
    "protection": Case(
        [step("update", CLUSTER, "cluster", {}, {}, fields=["tags"], protect=True, protects=False)],
        "dangerous: Cluster cluster is protected no more",
    ),
    "spot": Case(
        groups(group(kind="g6e.xlarge", capacityType="SPOT"), "capacityType", op="replace"),
        "needs care: pool gpu is replaced: all 16 GPUs are away for up to 25 min (and 1 more reason)",
        NOBODY,
        {
            "pools.gpu": {"instanceType": "g6e.xlarge", "nodes": 2, "zone": "usw2-az2", "capacity": {"mode": "spot"}},
            "jobs.train.storage": None,
            "jobs.train.checkpoints": {"storage": "checkpoints"},
        },
    ),
}


def made(name: str) -> ChangeReport:
    case = CASES[name]
    return previews.report(*case.steps, edits=case.edits, occupancy=case.occupancy)


@pytest.mark.parametrize("name", CASES)
def test_verdict(name: str) -> None:
    assert made(name).verdict.line == CASES[name].line


@pytest.mark.parametrize(
    ("name", "what", "nodes", "gpus", "away", "minutes"),
    [
        ("grow", "grown", (2, 3), (16, 24), 0, 0),
        ("new pool", "new", (0, 1), (0, 1), 0, 0),
        ("shrink", "shrunk", (2, 1), (16, 8), 0, 0),
        ("scale to zero under a job", "emptied", (2, 0), (16, 0), 0, 0),
        ("node image", "drained", (2, 2), (16, 16), 8, 2 * NODE_MINUTES),
        ("node image of the system pool", "drained", (2, 2), (0, 0), 0, 0),
        ("instance type", "replaced", (2, 2), (16, 16), 16, NODE_MINUTES),
        ("pool and job removed", "removed", (2, 0), (16, 0), 0, 0),
        ("spot", "replaced", (2, 2), (16, 2), 16, NODE_MINUTES),
    ],
)
def test_what_becomes_of_a_pool(  # noqa: PLR0917 - a row of the table
    name: str, what: str, nodes: tuple[int, int], gpus: tuple[int, int], away: int, minutes: int
) -> None:
    (pool,) = made(name).impact.pools
    assert (pool.what, pool.gpus_away, pool.minutes) == (what, away, minutes)
    assert ((pool.nodes_before, pool.nodes_after), (pool.gpus_before, pool.gpus_after)) == (nodes, gpus)


@pytest.mark.parametrize(
    ("steps", "occupancy", "edits", "state", "what"),
    [
        (IMAGE, RUNNING, {}, "running", "holds the update up"),
        (IMAGE, RUNNING, PERMISSIVE, "running", "is interrupted"),
        (IMAGE, QUEUED, {}, "queued", "is interrupted"),
        (IMAGE, UNSEEN, {}, "unknown", "is interrupted"),
        (OTHER_TYPE, RUNNING, P4D, "running", "loses its nodes"),
        (REMOVED, RUNNING, WITHOUT, "running", "ends"),
        (CASES["job"].steps, NOBODY, {}, "idle", "starts again"),
    ],
)
def test_what_becomes_of_a_job(steps: Any, occupancy: Occupancy, edits: Any, state: str, what: str) -> None:
    (hit,) = previews.report(*steps, edits=edits, occupancy=occupancy).impact.jobs
    assert (hit.name, hit.pool, hit.state, hit.what) == (TRAIN, "gpu", state, what)


def test_jobs_that_the_stack_does_not_know_are_hit_as_well() -> None:
    by_hand = Occupancy({"team-a/own": Gang("team-a/own", "gpu", running=True), "b/c": Gang("b/c", "", running=True)})
    assert [hit.name for hit in previews.report(*IMAGE, occupancy=by_hand).impact.jobs] == ["team-a/own"]


def test_the_type_of_a_capacity_block_stands_in_its_launch_template() -> None:
    template = {"instanceType": "p5.48xlarge"}
    found = previews.report(
        step("same", TEMPLATE, "pool-gpu", template, template),
        step("update", GROUP, "pool-gpu", group(kind=None), group(kind=None, version="1.36"), fields=["version"]),
        edits={"pools.gpu.capacity": BLOCK},
    )
    (pool,) = found.impact.pools
    assert (pool.type_before, pool.gpus_before) == ("p5.48xlarge", 16)
    (risk,) = found.risks.pools
    assert risk.text == (
        "p5.48xlarge from capacity block cr-0a1b2c3d4e5f60718, which ends 2026-12-01 11:30 UTC; "
        "last safe checkpoint 2026-12-01 10:50 UTC"
    )


def test_jobs_are_known_where_a_preview_leaves_out_what_stays() -> None:
    document = previews.document(*IMAGE)
    document["steps"] = [made for made in document["steps"] if made["op"] != "same"]
    found = change_report.make(
        preview.load(json.dumps(document), "FILE"),
        environment.plan(),
        previews.CATALOG,
        previews.SERVICES,
        occupancy=UNSEEN,
        policies=(),
    )
    assert [(hit.name, hit.pool) for hit in found.impact.jobs] == [(TRAIN, "gpu")]


def test_jobs_of_one_fate_are_one_reason() -> None:
    names = [f"a/{number}" for number in range(5)]
    crowd = Occupancy({name: Gang(name, "gpu", running=True) for name in names})
    reasons = [reason.text for reason in previews.report(*IMAGE, occupancy=crowd).verdict.reasons]
    fate = "run on nodes that would go: the update is refused until they have ended"
    assert reasons[1:] == [f"jobs a/0, a/1, a/2 and 2 more (running) {fate}"]


def test_simulated_pools_are_counted_by_their_nodes() -> None:
    labels = {"muster.dev/pool": "sim", "node.kubernetes.io/instance-type": "p5.48xlarge"}
    node = {"metadata": {"labels": labels}}
    kind = "kubernetes:core/v1:Node"
    (pool,) = previews.report(
        step("same", kind, "node-sim-0", node, node),
        step("delete", kind, "node-sim-1", node, None),
        step("delete", kind, "node-sim-2", node, None),
    ).impact.pools
    assert (pool.pool, pool.what, pool.nodes_before, pool.nodes_after, pool.gpus_gone) == ("sim", "shrunk", 3, 1, 16)


def test_money_is_told_line_by_line() -> None:
    found = made("grow")
    bill = found.money
    assert bill is not None
    assert (bill.before, bill.after, round(bill.change, 2), round(bill.monthly)) == (111.06, 166.12, 55.06, 40194)
    assert [line.name for line in bill.changed()] == ["pool gpu", "root volumes"]
    assert [(quota.code, quota.before, quota.after) for quota in found.risks.quotas] == [("L-417A185B", 384, 576)]


def test_a_stack_that_is_not_there_yet_costs_nothing_before() -> None:
    bill = previews.report(before={}).money
    assert bill is not None
    assert (bill.before, bill.after) == (0.0, 111.06)
    assert len(bill.changed()) == 6


def test_a_stack_of_before_the_lines_tells_its_sum_alone() -> None:
    bill = previews.report(before={"hourlyUsd": 100.0}).money
    assert bill is not None
    assert (bill.before, bill.changed()) == (100.0, ())


@pytest.mark.parametrize(
    ("edits", "line"),
    [
        ({"budget.maxHourlyUsd": 112}, "safe: nothing changes"),
        (
            {"budget": {"monthlyUsd": 80_000, "alarmEmails": ["a@example.com"]}},
            "needs care: a month of it is more than budget.monthlyUsd, $80,000",
        ),
    ],
)
def test_budgets(edits: Any, line: str) -> None:
    assert previews.report(edits=edits).verdict.line == line


def test_a_preview_that_failed_is_dangerous() -> None:
    found = previews.report(diagnostics=[{"severity": "error", "message": "AccessDenied token=abcdefgh"}])
    assert found.verdict.line == "dangerous: the preview failed, so nobody knows what the update would do"
    assert found.errors == ("AccessDenied token=changed",)


def test_policies_that_block_are_dangerous_and_exempted_ones_are_not() -> None:
    broken = Finding("pinned-images", "mandatory", "runtime-ds", "image x has no tag: it moves", "pin it")
    excused = Finding("pinned-images", "mandatory", "runtime-b", "image y has no tag", "pin it", date(2027, 1, 1))
    found = previews.report(policies=[broken, excused])
    assert found.verdict.line == "dangerous: policy pinned-images: runtime-ds: image x has no tag: it moves"
    assert [one["exemptedUntil"] for one in found.document()["policies"]] == [None, "2027-01-01"]


def test_the_document_has_everything_that_the_comment_says() -> None:
    document = made("node image under a job").document()
    assert document["verdict"] == "needs care"
    assert document["counts"] == {"update": 1}
    assert document["changes"] == [
        {
            "operation": "update",
            "kind": "NodeGroup",
            "name": "pool-gpu",
            "fields": [{"path": "releaseVersion", "before": "1.35.4-20261023", "after": "1.35.5-20261120"}],
        }
    ]
    assert document["jobs"] == [{"name": TRAIN, "state": "running", "what": "holds the update up", "pool": "gpu"}]
    assert document["cost"]["hourlyChange"] == 0.0
