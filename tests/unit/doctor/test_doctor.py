"""Broken things of a stack that stands, each with the command that mends it."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from muster import doctor
from muster.doctor import evidence
from muster.doctor.finding import Finding

from tests.unit import planned
from tests.unit.report.cluster import Cluster, jobset, node, pod, podgroup, trainjob

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BEFORE = "2026-11-24T11:50:00Z"
WHOLE = {"nvidia.com/gpu": "8", "vpc.amazonaws.com/efa": "32"}
TRAINJOBS, JOBSETS = "/apis/trainer.kubeflow.org/v1alpha1/trainjobs", "/apis/jobset.x-k8s.io/v1alpha2/jobsets"
PODGROUPS, QUEUES = "/apis/scheduling.volcano.sh/v1beta1/podgroups", "/apis/scheduling.volcano.sh/v1beta1/queues"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
SLICES, DEPLOYMENTS = "/apis/discovery.k8s.io/v1/endpointslices", "/apis/apps/v1/deployments"
PLAN = planned.of(
    {
        **planned.P5,
        "storage": {"disk": {"kind": "host-path", "path": "/run/disk", "size": "1Gi"}},
        "jobs": {
            "train": {
                "workload": "zero3-train",
                "runtime": "deepspeed-p5",
                "nodes": 2,
                "queue": "research",
                "storage": {"disk": "/d"},
            },
        },
    }
)

SILENT = "Kubelet stopped posting node status"

Objects = dict[str, list[dict[str, Any]]]


def named(name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **({"namespace": namespace} if namespace else {})}, **more}


def healthy() -> Objects:
    """A stack whose one job runs on two of four nodes."""
    records = [
        {
            "metadata": {
                "name": f"sh.helm.release.v1.{release.name}.v1",
                "namespace": release.namespace,
                "labels": {"owner": "helm", "name": release.name, "version": "1", "status": "deployed"},
            }
        }
        for release in PLAN.releases
    ]
    controller = named("jobset-controller", "jobset-system", spec={"replicas": 1}, status={"readyReplicas": 1})
    hook = {"name": "v", "clientConfig": {"service": {"namespace": "jobset-system", "name": "jobset-webhook"}}}
    slices = named("jobset-webhook-x", "jobset-system", endpoints=[{"conditions": {"ready": True}}])
    slices["metadata"]["labels"] = {"kubernetes.io/service-name": "jobset-webhook"}
    group = podgroup("train", "research", "Running", 2, 16, namespace="training")
    group["metadata"]["creationTimestamp"] = BEFORE
    return {
        "/api/v1/secrets": records,
        "/api/v1/nodes": [node(f"p5-{index}", "p5", WHOLE) for index in range(4)],
        "/api/v1/namespaces": [named("jobset-system"), named("training")],
        QUEUES: [named("research", status={"state": "Open"})],
        PODGROUPS: [group],
        TRAINJOBS: [trainjob("train", 2, namespace="training")],
        JOBSETS: [jobset("train", namespace="training")],
        "/api/v1/pods": [pod("train", index, f"p5-{index}", namespace="training") for index in range(2)],
        DEPLOYMENTS: [controller],
        "/apis/apps/v1/daemonsets": [
            named("efa-device-plugin", "kube-system", status={"desiredNumberScheduled": 4, "numberReady": 4})
        ],
        SLICES: [slices],
        WEBHOOKS: [named("jobset-validating", webhooks=[hook])],
        "/api/v1/persistentvolumes": [],
        "/api/v1/persistentvolumeclaims": [],
        "/api/v1/configmaps": [],
    }


def found(objects: Objects) -> list[Finding]:
    return doctor.examine(evidence.read(Cluster(objects), PLAN), PLAN, NOW)


def test_the_plan_puts_its_job_where_the_objects_are() -> None:
    assert [(job.namespace, job.name, job.nodes) for job in PLAN.jobs] == [("training", "train", 2)]


def test_nothing_is_found_in_a_stack_that_is_well() -> None:
    assert found(healthy()) == []


def scaled_to_0(objects: Objects) -> None:
    objects[DEPLOYMENTS][0].update(spec={"replicas": 0}, status={})
    objects[SLICES][0]["endpoints"] = []


def crash_loop(objects: Objects) -> None:
    sick = pod(
        "x", 0, "p5-0", namespace="volcano-system", waiting={"reason": "CrashLoopBackOff", "message": "back-off"}
    )
    sick["metadata"] = {"name": "volcano-scheduler-1", "namespace": "volcano-system"}
    sick["status"]["containerStatuses"][0].update(restartCount=7, lastState={"terminated": {"exitCode": 2}})
    objects["/api/v1/pods"].append(sick)


def not_placed(objects: Objects) -> None:
    waits = pod("x", 0, "", "Pending", namespace="jobset-system")
    waits["metadata"] = {"name": "jobset-1", "namespace": "jobset-system"}
    waits["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "message": "0/4 nodes: too many pods"}]
    objects["/api/v1/pods"].append(waits)


def stuck_namespace(objects: Objects) -> None:
    message = "Some resources are remaining: configmaps. has 1 resource instances"
    gone = named(
        "old", status={"conditions": [{"type": "NamespaceContentRemaining", "status": "True", "message": message}]}
    )
    gone["metadata"]["deletionTimestamp"] = BEFORE
    objects["/api/v1/namespaces"].append(gone)
    held = named("keep", "old")
    held["metadata"].update(deletionTimestamp=BEFORE, finalizers=["example.com/hold"])
    objects["/api/v1/configmaps"].append(held)


def empty_namespace(objects: Objects) -> None:
    gone = named("old", status={})
    gone["metadata"]["deletionTimestamp"] = BEFORE
    objects["/api/v1/namespaces"].append(gone)


def stuck_trainjob(objects: Objects) -> None:
    objects[TRAINJOBS][0]["metadata"].update(deletionTimestamp=BEFORE, finalizers=["foregroundDeletion"])


def lost_pod(objects: Objects) -> None:
    objects["/api/v1/pods"][0]["metadata"]["deletionTimestamp"] = BEFORE


def pending_release(objects: Objects) -> None:
    next(one for one in objects["/api/v1/secrets"] if one["metadata"]["labels"]["name"] == "jobset")["metadata"][
        "labels"
    ]["status"] = "pending-install"


def no_efa(objects: Objects) -> None:
    del objects["/api/v1/nodes"][1]["status"]["allocatable"]["vpc.amazonaws.com/efa"]


def no_gpus(objects: Objects) -> None:
    objects["/api/v1/nodes"][1]["status"]["allocatable"]["nvidia.com/gpu"] = "7"


def not_ready(objects: Objects) -> None:
    objects["/api/v1/nodes"][3]["status"]["conditions"] = [{"type": "Ready", "status": "Unknown", "message": SILENT}]


def one_node_less(objects: Objects) -> None:
    objects["/api/v1/nodes"].pop()


def plugin_stopped(objects: Objects) -> None:
    objects["/apis/apps/v1/daemonsets"][0]["status"]["numberReady"] = 3


def waits_though_it_fits(objects: Objects) -> None:
    objects[PODGROUPS][0]["status"]["phase"] = "Inqueue"
    objects["/api/v1/pods"][:] = [pod("train", index, "", "Pending", namespace="training") for index in range(2)]


def orphan(objects: Objects) -> None:
    objects[PODGROUPS].append(podgroup("gone", "research", "Inqueue", 2, 16, namespace="training"))


def failed_job(objects: Objects) -> None:
    objects[TRAINJOBS][0] = trainjob("train", 2, "Failed", namespace="training")
    objects["/api/v1/pods"].clear()


def closed_queue(objects: Objects) -> None:
    objects[QUEUES][0]["status"]["state"] = "Closed"
    objects[QUEUES][0]["metadata"]["uid"] = "u-1"


def released_volume(objects: Objects) -> None:
    claim = {"namespace": "training", "name": "disk"}
    objects["/api/v1/persistentvolumes"].append(named("vol", spec={"claimRef": claim}, status={"phase": "Released"}))


def pending_claim(objects: Objects) -> None:
    objects["/api/v1/persistentvolumeclaims"].append(
        named("disk", "training", spec={"volumeName": "vol"}, status={"phase": "Pending"})
    )


ONLY_IF = "let it go only if nobody serves that finalizer any more"
AGAIN = "raise jobs.train.run in FILE, then: make up STACK=test"
RESTART = {where: f"kubectl -n {where} rollout restart" for where in ("volcano-system", "kube-system")}
LET_GO = '--type=merge -p \'{"metadata":{"finalizers":null}}\''


@pytest.mark.parametrize(
    ("hurt", "expected"),
    [
        (
            scaled_to_0,
            [
                (
                    "controller-stopped",
                    "deployment jobset-system/jobset-controller",
                    "kubectl -n jobset-system scale deployment/jobset-controller --replicas=1",
                ),
                (
                    "webhook-without-endpoints",
                    "webhook jobset-validating",
                    "kubectl -n jobset-system scale deployment/jobset-controller --replicas=1",
                ),
            ],
        ),
        (
            crash_loop,
            [
                (
                    "pod-not-running",
                    "pod volcano-system/volcano-scheduler-1",
                    "kubectl -n volcano-system delete pod volcano-scheduler-1",
                )
            ],
        ),
        (
            not_placed,
            [("pod-not-placed", "pod jobset-system/jobset-1", "kubectl -n jobset-system delete pod jobset-1")],
        ),
        (
            stuck_namespace,
            [
                ("stuck-in-deletion", "configmaps old/keep", f"kubectl patch -n old configmaps keep {LET_GO}"),
                ("stuck-in-deletion", "namespace old", f"kubectl patch -n old configmaps keep {LET_GO}"),
            ],
        ),
        (
            stuck_trainjob,
            [("stuck-in-deletion", "trainjob training/train", f"kubectl patch -n training trainjob train {LET_GO}")],
        ),
        (
            lost_pod,
            [
                (
                    "stuck-in-deletion",
                    "pod training/train-node-0-0",
                    "kubectl delete -n training pod train-node-0-0 --force --grace-period=0",
                )
            ],
        ),
        (pending_release, [("release-not-deployed", "release jobset-system/jobset", "make up STACK=test")]),
        (no_efa, [("node-lacks-efa", "node p5-1", f"{RESTART['kube-system']} daemonset/efa-device-plugin")]),
        (no_gpus, [("node-lacks-gpus", "node p5-1", "make up STACK=test")]),
        (not_ready, [("node-not-ready", "node p5-3", "kubectl delete node p5-3")]),
        (one_node_less, [("nodes-missing", "pool p5", "make up STACK=test")]),
        (
            plugin_stopped,
            [
                (
                    "device-plugin-stopped",
                    "daemonset kube-system/efa-device-plugin",
                    f"{RESTART['kube-system']} daemonset/efa-device-plugin",
                )
            ],
        ),
        (
            waits_though_it_fits,
            [("gang-waits", "job training/train", f"{RESTART['volcano-system']} deployment/volcano-scheduler")],
        ),
        (orphan, [("podgroup-without-job", "podgroup training/gone", "kubectl -n training delete podgroup gone")]),
        (failed_job, [("job-failed", "job training/train", f"muster logs train --stack test; once mended, {AGAIN}")]),
        (
            released_volume,
            [
                (
                    "volume-released",
                    "pv vol",
                    'kubectl patch pv vol --type=json -p \'[{"op":"remove","path":"/spec/claimRef"}]\'',
                )
            ],
        ),
        (pending_claim, [("claim-pending", "pvc training/disk", "make up STACK=test")]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_thing_is_named_with_the_command_that_mends_it(
    hurt: Any, expected: list[tuple[str, str, str]]
) -> None:
    objects = copy.deepcopy(healthy())
    hurt(objects)
    assert [(one.kind, one.what, one.mend) for one in found(objects)] == expected


@pytest.mark.parametrize(
    ("hurt", "said"),
    [
        (crash_loop, "container node: CrashLoopBackOff, 7 restarts, last exit code 2"),
        (not_placed, "0/4 nodes: too many pods"),
        (stuck_trainjob, f"deleted 10m ago, held by foregroundDeletion; {ONLY_IF}"),
        (no_efa, "of pool p5: offers 0 of 32 vpc.amazonaws.com/efa"),
        (no_gpus, "of pool p5: offers 7 of 8 nvidia.com/gpu"),
        (not_ready, f"of pool p5: not ready, {SILENT}; delete it if its machine is gone for good"),
        (waits_though_it_fits, "waits for 10m though 4 pods would fit on pool p5"),
        (empty_namespace, "in deletion, holds nothing any more"),
        (pending_release, "its state is pending-install"),
        (plugin_stopped, "3 of 4 pods are ready"),
        (closed_queue, "its state is Closed, so its gangs wait"),
        (released_volume, "released: it is kept for claim training/disk, which is gone"),
        (pending_claim, "pending: its volume vol is not there"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_reason_is_that_of_the_cluster(hurt: Any, said: str) -> None:
    objects = healthy()
    hurt(objects)
    assert [one.found for one in found(objects)] == [said]


def young(objects: Objects) -> None:
    waits_though_it_fits(objects)
    objects[PODGROUPS][0]["metadata"]["creationTimestamp"] = "2026-11-24T11:59:30Z"


def no_room(objects: Objects) -> None:
    waits_though_it_fits(objects)
    objects[PODGROUPS].append(podgroup("other", "research", "Running", 3, 24, namespace="team-b"))
    objects["/api/v1/pods"] += [pod("other", index, f"p5-{index}", namespace="team-b") for index in range(3)]


def queue_full(objects: Objects) -> None:
    waits_though_it_fits(objects)
    objects[PODGROUPS].append(podgroup("other", "research", "Running", 3, 24, namespace="team-b"))


def just_deleted(objects: Objects) -> None:
    objects[TRAINJOBS][0]["metadata"].update(
        deletionTimestamp="2026-11-24T11:59:50Z", finalizers=["foregroundDeletion"]
    )


def pods_still_save(objects: Objects) -> None:
    objects[TRAINJOBS][0]["metadata"].update(
        deletionTimestamp="2026-11-24T11:58:00Z", finalizers=["foregroundDeletion"]
    )
    emptied = named("old", status={})
    emptied["metadata"]["deletionTimestamp"] = "2026-11-24T11:58:00Z"
    objects["/api/v1/namespaces"].append(emptied)


def starting(objects: Objects) -> None:
    fresh = pod("x", 0, "p5-0", "Pending", namespace="jobset-system", waiting={"reason": "ContainerCreating"})
    fresh["metadata"] = {"name": "jobset-1", "namespace": "jobset-system"}
    objects["/api/v1/pods"].append(fresh)


def somebody_elses_group(objects: Objects) -> None:
    other = podgroup("mpi", "research", "Inqueue", 2, 0, namespace="training")
    other["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "mpi"}]
    objects[PODGROUPS].append(other)


def claim_without_consumer(objects: Objects) -> None:
    objects["/apis/storage.k8s.io/v1/storageclasses"] = [named("gp3", volumeBindingMode="WaitForFirstConsumer")]
    objects["/api/v1/persistentvolumeclaims"].append(
        named("disk", "training", spec={"storageClassName": "gp3"}, status={"phase": "Pending"})
    )


@pytest.mark.parametrize(
    "change",
    [young, no_room, queue_full, just_deleted, pods_still_save, starting, somebody_elses_group, claim_without_consumer],
    ids=lambda change: change.__name__,
)
def test_what_may_still_come_right_or_is_not_ours_is_not_named(change: Any) -> None:
    objects = healthy()
    change(objects)
    assert found(objects) == []


def test_a_closed_queue_is_opened_as_volcano_wants_it() -> None:
    objects = healthy()
    closed_queue(objects)
    (only,) = found(objects)
    assert only.mend.startswith('echo \'{"apiVersion": "bus.volcano.sh/v1alpha1", "kind": "Command"')
    assert '"action": "OpenQueue"' in only.mend
    assert only.mend.count('"uid": "u-1"') == 2
    assert only.mend.endswith("| kubectl create -f -")
