"""What a destroyed stack left, in a cluster and on AWS."""

from typing import Any

import pytest
from muster.doctor import cloud, evidence, leftovers
from muster.doctor.evidence import Thing

from tests.unit import planned
from tests.unit.report.cluster import Cluster

JOB = {"workload": "zero3-train", "runtime": "deepspeed-p5", "nodes": 2, "queue": "research", "namespace": "team-a"}
PLAN = planned.of({**planned.P5, "storage": {}, "jobs": {"pretrain": JOB}})


def thing(kind: str, name: str, namespace: str = "", **more: Any) -> Thing:
    return Thing(kind, {"name": name, **({"namespace": namespace} if namespace else {}), **more})


OURS = {"app.kubernetes.io/managed-by": "muster"}
BY_JOBSET = {"meta.helm.sh/release-name": "jobset", "meta.helm.sh/release-namespace": "jobset-system"}
BY_ANOTHER = {"meta.helm.sh/release-name": "jobset", "meta.helm.sh/release-namespace": "somebody-else"}


@pytest.mark.parametrize(
    ("left", "found", "mend"),
    [
        (
            thing("node", "p5-0", labels=OURS),
            "labelled as made by muster",
            "kubectl delete node p5-0",
        ),
        (
            thing("clusterrole", "jobset-manager", annotations=BY_JOBSET),
            "made by release jobset-system/jobset",
            "kubectl delete clusterrole jobset-manager",
        ),
        (
            thing(
                "secret", "sh.helm.release.v1.jobset.v1", "jobset-system", labels={"owner": "helm", "name": "jobset"}
            ),
            "Helm's record of release jobset",
            "kubectl delete -n jobset-system secret sh.helm.release.v1.jobset.v1",
        ),
        (
            thing("crd", "queues.scheduling.volcano.sh"),
            "a kind of the platform that no release owns; deleting it deletes every object of it",
            "kubectl delete crd queues.scheduling.volcano.sh",
        ),
        (
            thing("namespace", "volcano-system"),
            "a namespace of the stack",
            "kubectl delete namespace volcano-system",
        ),
        (
            thing("trainjob", "pretrain", "team-a", deletionTimestamp="2026-11-24T11:00:00Z", finalizers=["x.io/hold"]),
            "in a namespace of the stack, in deletion, held by x.io/hold",
            'kubectl patch -n team-a trainjob pretrain --type=merge -p \'{"metadata":{"finalizers":null}}\'',
        ),
    ],
    ids=lambda value: value.label if isinstance(value, Thing) else "",
)
def test_what_is_the_stacks_is_named_with_the_command_that_removes_it(left: Thing, found: str, mend: str) -> None:
    (only,) = leftovers.findings([left], PLAN)
    assert (only.kind, only.what, only.found, only.mend) == ("left-over", left.label, found, mend)


@pytest.mark.parametrize(
    "other",
    [
        thing("crd", "widgets.example.com"),
        thing("crd", "queues.notvolcano.sh"),
        thing("crd", "queues.scheduling.volcano.sh", annotations=BY_ANOTHER),
        thing("clusterrole", "jobset-manager", annotations=BY_ANOTHER),
        thing("secret", "sh.helm.release.v1.jobset.v1", "elsewhere", labels={"owner": "helm", "name": "jobset"}),
        thing("namespace", "kube-system"),
        thing("trainjob", "theirs", "their-team"),
        thing("configmap", "kube-root-ca.crt", "default"),
    ],
    ids=lambda other: other.label,
)
def test_what_is_somebody_elses_is_left_alone(other: Thing) -> None:
    assert leftovers.findings([other], PLAN) == []


def test_what_goes_with_its_namespace_is_not_named_besides_unless_it_holds_it() -> None:
    held = {"finalizers": ["x.io/hold"], "deletionTimestamp": "2026-11-24T11:00:00Z"}
    left = [
        thing("configmap", "files", "team-a", labels=OURS),
        thing("configmap", "held", "team-a", labels=OURS, **held),
        thing("namespace", "team-a", labels=OURS),
    ]
    assert [one.what for one in leftovers.findings(left, PLAN)] == ["configmap team-a/held", "namespace team-a"]


def test_every_kind_is_read_by_its_metadata_alone() -> None:
    found = Cluster({"/api/v1/nodes": [{"metadata": {"name": "p5-0", "labels": OURS}}]})
    assert evidence.things(found) == [thing("node", "p5-0", labels=OURS)]
    assert found.asked == [f"table {path}" for path in evidence.KINDS.values()]


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:us-west-2:111122223333:{rest}"


@pytest.mark.parametrize(
    ("left", "mend"),
    [
        (arn("ec2", "vpc/vpc-1"), "aws ec2 delete-vpc --vpc-id vpc-1"),
        (arn("ec2", "natgateway/nat-1"), "aws ec2 delete-nat-gateway --nat-gateway-id nat-1"),
        (arn("eks", "cluster/prod"), "aws eks delete-cluster --name prod"),
        (arn("eks", "nodegroup/prod/p5/aa-bb"), "aws eks delete-nodegroup --cluster-name prod --nodegroup-name p5"),
        (arn("fsx", "file-system/fs-1"), "aws fsx delete-file-system --file-system-id fs-1"),
        (
            arn("logs", "log-group:/aws/eks/prod/cluster:*"),
            "aws logs delete-log-group --log-group-name /aws/eks/prod/cluster",
        ),
        ("arn:aws:s3:::muster-data", "aws s3 rb s3://muster-data"),
        (
            arn("glue", "job/x"),
            "aws resourcegroupstaggingapi get-resources --resource-arn-list arn:aws:glue:us-west-2:111122223333:job/x",
        ),
    ],
)
def test_what_is_left_on_aws_has_its_command(left: str, mend: str) -> None:
    (only,) = cloud.findings([left], "us-west-2")
    assert (only.what, only.mend) == (left, f"{mend} --region us-west-2")


def test_the_network_goes_after_what_stands_in_it() -> None:
    left = [arn("ec2", "vpc/v"), arn("ec2", "subnet/s"), arn("eks", "cluster/c"), arn("eks", "nodegroup/c/g/u")]
    order = [one.what.rpartition(":")[2] for one in cloud.findings(left, "us-west-2")]
    assert order == ["nodegroup/c/g/u", "cluster/c", "subnet/s", "vpc/v"]
