"""What differs in a cluster, on a double of its API."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from muster.drift import cluster, objects, report
from muster.plan import Plan

from tests.unit import planned
from tests.unit.aws import environment
from tests.unit.drift.cluster_double import ClusterDouble, release_record
from tests.unit.drift.test_compare import DEPLOYMENT

PLAN = planned.of_stack("local")
AWS = environment.plan()
RELEASE = "volcano"


def deployment() -> dict[str, Any]:
    """As the chart has it, without a namespace."""
    return copy.deepcopy(DEPLOYMENT)


def untouched(plan: Plan) -> ClusterDouble:
    """A cluster on which everything is as the plan says."""
    found = [copy.deepcopy(dict(one)) for one in objects.declared(plan)]
    for release in plan.releases:
        own = [deployment()] if release.name == RELEASE else []
        found.append(release_record(release.name, release.namespace, own, release.values))
        found += [{**one, "metadata": {**one["metadata"], "namespace": release.namespace}} for one in own]
    for group in plan.aws.groups if plan.aws else ():
        for number in range(group.nodes):
            found.append(node(f"{group.pool}-{number}", dict(group.labels), [vars(taint) for taint in group.taints]))
    return ClusterDouble(found)


def node(name: str, labels: dict[str, str], taints: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**labels, "kubernetes.io/hostname": name}},
        "spec": {"taints": taints},
    }


def one(double: ClusterDouble, kind: str, name: str = "") -> dict[str, Any]:
    return next(item for item in double.objects if item["kind"] == kind and name in item["metadata"]["name"])


def remove(double: ClusterDouble, kind: str, name: str = "") -> None:
    double.objects.remove(one(double, kind, name))


def drifts(double: ClusterDouble, plan: Plan) -> list[tuple[str, str, str, str, str]]:
    found, blind = cluster.findings(double, plan)
    assert blind == []
    told = report.make(plan.stack, found).drifts
    return [(drift.what, drift.field, drift.wanted, drift.found, drift.severity) for drift in told]


@pytest.mark.parametrize("plan", [PLAN, AWS], ids=["local", "aws"])
def test_an_untouched_cluster_has_no_drift(plan: Plan) -> None:
    assert drifts(untouched(plan), plan) == []


def scale(double: ClusterDouble) -> None:
    one(double, "Deployment")["spec"]["replicas"] = 0


def image(double: ClusterDouble) -> None:
    one(double, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"] = "registry/manager:2"


def label(double: ClusterDouble) -> None:
    one(double, "Queue")["metadata"]["labels"]["team"] = "a"


def weight(double: ClusterDouble) -> None:
    one(double, "Queue")["spec"]["weight"] = 1


def runtime(double: ClusterDouble) -> None:
    spec = one(double, "ClusterTrainingRuntime", "deepspeed-cpu")["spec"]
    (job,) = spec["template"]["spec"]["replicatedJobs"]
    (container,) = job["template"]["spec"]["template"]["spec"]["containers"]
    container["image"] = "elsewhere/deepspeed:1"


def record(double: ClusterDouble) -> None:
    remove(double, "Secret", "sh.helm.release.v1.volcano.v1")


def ended(double: ClusterDouble) -> None:
    one(double, "TrainJob")["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}


def unlabel(double: ClusterDouble) -> None:
    del one(double, "Node", "sim")["metadata"]["labels"]["muster.dev/pool"]


IMAGE = "spec.template.spec.containers[manager].image"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (scale, ("Deployment volcano-system/manager", "spec.replicas", "1", "0", "must-fix")),
        (image, ("Deployment volcano-system/manager", IMAGE, "registry/manager:1", "registry/manager:2", "must-fix")),
        (
            lambda double: remove(double, "Deployment"),
            ("Deployment volcano-system/manager", "", "there", "nothing", "must-fix"),
        ),
        (label, ("Queue research", "metadata.labels.team", "nothing", "a", "harmless")),
        (weight, ("Queue research", "spec.weight", "3", "1", "must-fix")),
        (
            runtime,
            (
                "ClusterTrainingRuntime deepspeed-cpu",
                "spec.template.spec.replicatedJobs[node].template.spec.template.spec.containers[node].image",
                "docker.io/muster/deepspeed:cpu",
                "elsewhere/deepspeed:1",
                "must-fix",
            ),
        ),
        (
            lambda double: remove(double, "TrainJob"),
            ("TrainJob training/zero3-train", "", "there", "nothing", "must-fix"),
        ),
        (record, ("Release volcano-system/volcano", "", "there", "nothing", "must-fix")),
        (ended, ("Pods training/zero3-train", "", "there", "nothing", "harmless")),
        (unlabel, ("Node sim-0", 'metadata.labels["muster.dev/pool"]', "sim", "nothing", "must-fix")),
    ],
)
def test_a_change_by_hand_is_found_and_sorted(
    change: Callable[[ClusterDouble], None], expected: tuple[str, str, str, str, str]
) -> None:
    double = untouched(PLAN)
    change(double)
    assert drifts(double, PLAN) == [expected]


def cordon(double: ClusterDouble) -> None:
    one(double, "Node", "gpu-0")["spec"]["unschedulable"] = True


def taint(double: ClusterDouble) -> None:
    one(double, "Node", "gpu-0")["spec"]["taints"] = []


def guest(double: ClusterDouble) -> None:
    one(double, "Node", "system-0")["spec"]["taints"] = [{"key": "mine", "effect": "NoSchedule"}]


def more(double: ClusterDouble) -> None:
    another = copy.deepcopy(one(double, "Node", "gpu-0"))
    another["metadata"]["name"] = "gpu-9"
    double.objects.append(another)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (cordon, ("Node gpu-0", "spec.unschedulable", "nothing", "true", "must-fix")),
        (
            taint,
            (
                "Node gpu-0",
                "spec.taints[nvidia.com/gpu]",
                '{"effect": "NoSchedule", "key": "nvidia.com/gpu", "value": …',
                "nothing",
                "must-fix",
            ),
        ),
        (
            guest,
            (
                "Node system-0",
                "spec.taints[mine]",
                "nothing",
                '{"effect": "NoSchedule", "key": "mine"}',
                "must-fix",
            ),
        ),
        (more, ("Pool gpu", "nodes", "2", "3", "must-fix")),
        (lambda double: remove(double, "Node", "gpu-0"), ("Pool gpu", "nodes", "2", "1", "must-fix")),
        (
            lambda double: remove(double, "StorageClass"),
            ("StorageClass gp3", "", "there", "nothing", "must-fix"),
        ),
    ],
)
def test_changes_to_nodes_of_pools(
    change: Callable[[ClusterDouble], None], expected: tuple[str, str, str, str, str]
) -> None:
    double = untouched(AWS)
    change(double)
    assert drifts(double, AWS) == [expected]


def test_a_failed_upgrade_is_told_and_the_revision_before_it_compared() -> None:
    double = untouched(PLAN)
    double.objects.append(release_record("volcano", "volcano-system", [], {}, version=2, status="failed"))
    assert drifts(double, PLAN) == [("Release volcano-system/volcano", "status", "deployed", "failed", "must-fix")]


def test_other_values_of_a_release_are_told() -> None:
    double = untouched(PLAN)
    remove(double, "Secret", "sh.helm.release.v1.jobset.v1")
    release = next(item for item in PLAN.releases if item.name == "jobset")
    values = copy.deepcopy(dict(release.values))
    values["controller"]["leaderElection"]["enable"] = True
    double.objects.append(release_record("jobset", release.namespace, [], values))
    (found,) = drifts(double, PLAN)
    assert found == (
        "Release jobset-system/jobset",
        "values.controller.leaderElection.enable",
        "false",
        "true",
        "must-fix",
    )


def test_what_may_not_be_read_is_said_and_the_rest_is_looked_at() -> None:
    double = ClusterDouble(untouched(PLAN).objects, denied=("/secrets",))
    weight(double)
    found, blind = cluster.findings(double, PLAN)
    assert [one.thing.title for one in found] == ["Queue research"]
    assert blind == ["what Helm installed: /api/v1/secrets: 403 Forbidden"]
    made = report.make("local", found, blind)
    assert made.code == 4
    assert report.make("local", [], blind).code == 1
