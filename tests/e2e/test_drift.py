"""Changes by hand, on the embedded cluster and on the double of AWS: found, sorted, and mended by what is told."""

import json
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pytest

from local import toolchain
from local.places import ROOT
from rehearsal import place as places
from rehearsal.double.world import World
from rehearsal.place import Place
from tests.e2e.checkout import Checkout
from tests.e2e.cluster_view import ClusterView, eventually
from tests.e2e.conftest import clear

Told = tuple[str, str, str]
"""What, field and severity of one difference."""
MUST, HARMLESS = "must-fix", "harmless"
CONTAINERS = "spec.template.spec.containers"
NODE_CONTAINER = "spec.template.spec.replicatedJobs[node].template.spec.template.spec.containers[node]"
RUNTIME_EDIT = json.dumps(
    [
        {
            "op": "replace",
            "path": "/spec/template/spec/replicatedJobs/0/template/spec/template/spec/containers/0/image",
            "value": "registry.invalid/deepspeed:9",
        }
    ]
)


def read(code: int, text: str) -> Mapping[str, Any]:
    """The document that `muster drift --json` printed, and its exit code as `code`."""
    document: dict[str, Any] = json.loads(text.splitlines()[-1])
    return {**document, "code": code}


def told(document: Mapping[str, Any]) -> set[Told]:
    return {(one["what"], one["field"], one["severity"]) for one in document["drifts"]}


class TestCluster:
    """One embedded stack whose jobs have ended, changed in every way at once, and mended by what is told."""

    KUBECTL: Sequence[tuple[str, Told]] = (
        (
            "-n volcano-system scale deployment volcano-controllers --replicas=2",
            ("Deployment volcano-system/volcano-controllers", "spec.replicas", MUST),
        ),
        (
            "-n kubeflow-system set image deployment --all manager=registry.invalid/manager:9",
            ("Deployment kubeflow-system/kubeflow-trainer-controller-manager", f"{CONTAINERS}[manager].image", MUST),
        ),
        (
            "-n jobset-system set env deployment --all LEVEL=debug",
            ("Deployment jobset-system/jobset-controller", f"{CONTAINERS}[controller].env", MUST),
        ),
        (
            """-n volcano-system patch configmap volcano-scheduler-configmap --type merge -p '{"data":{"more":"x"}}'""",
            ("ConfigMap volcano-system/volcano-scheduler-configmap", "data.more", MUST),
        ),
        (
            "delete crd hypernodes.topology.volcano.sh",
            ("CustomResourceDefinition hypernodes.topology.volcano.sh", "", MUST),
        ),
        (
            "delete validatingwebhookconfiguration validator.trainer.kubeflow.org",
            ("ValidatingWebhookConfiguration validator.trainer.kubeflow.org", "", MUST),
        ),
        (
            "-n jobset-system delete secret -l owner=helm,name=jobset-crds",
            ("Release jobset-system/jobset-crds", "", MUST),
        ),
        ("""patch queue research --type merge -p '{"spec":{"weight":1}}'""", ("Queue research", "spec.weight", MUST)),
        ("label queue research team=a", ("Queue research", "metadata.labels.team", HARMLESS)),
        (
            f"patch clustertrainingruntime deepspeed-cpu --type json -p '{RUNTIME_EDIT}'",
            ("ClusterTrainingRuntime deepspeed-cpu", f"{NODE_CONTAINER}.image", MUST),
        ),
        (
            "annotate clustertrainingruntime serve-cpu note=hi",
            ("ClusterTrainingRuntime serve-cpu", "metadata.annotations.note", HARMLESS),
        ),
        ("-n training delete trainjob zero3-train", ("TrainJob training/zero3-train", "", MUST)),
        (
            "-n training delete pods -l jobset.sigs.k8s.io/jobset-name=hello",
            ("Pods training/hello", "", HARMLESS),
        ),
        ("delete node sim-0", ("Node sim-0", "", MUST)),
        ("cordon sim-1", ("Node sim-1", "spec.unschedulable", MUST)),
        ("taint node sim-1 mine=yes:NoSchedule", ("Node sim-1", "spec.taints[mine]", MUST)),
    )
    """Commands of kubectl, each with what it must be told as."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def stack(cls, checkout: Checkout) -> Iterator[None]:
        def edit(config: dict[str, Any]) -> None:
            jobs = config["muster:jobs"]
            jobs["zero3-train"]["wait"] = "none"
            del jobs["zero3-train"]["timeout"]
            jobs["hello"] = {**jobs["hello"], "enabled": True, "wait": "none"}

        checkout.restore()
        checkout.edit(edit)
        done = checkout.local("up")
        assert done.code == 0, done.text
        yield
        checkout.restore()

    def drift(self, checkout: Checkout, *words: str) -> Mapping[str, Any]:
        done = checkout.run(".venv/bin/muster", "drift", "--json", *words)
        return read(done.code, done.text)

    def test_an_untouched_stack_has_none_while_its_jobs_run_and_after(
        self, checkout: Checkout, view: ClusterView
    ) -> None:
        nothing = {"stack": "local", "mustFix": 0, "harmless": 0, "blind": [], "drifts": [], "code": 0}
        assert self.drift(checkout) == nothing
        for job in ("zero3-train", "hello"):
            eventually(f"the end of {job}", partial(has_ended, view, job), within=300)
        assert self.drift(checkout) == nothing

    def test_sixteen_changes_are_found_and_sorted(self, checkout: Checkout, view: ClusterView) -> None:
        for command, _ in self.KUBECTL:
            done = view.kubectl(*shlex.split(command))
            assert done.code == 0, f"{command}: {done.text}"
        expected = {one for _, one in self.KUBECTL}
        found = self.drift(checkout)
        assert told(found) == expected
        assert (found["code"], found["mustFix"], found["harmless"], found["blind"]) == (4, 13, 3, [])
        assert told(self.drift(checkout, "--cluster-only")) == expected

    def test_what_is_told_mends_it(self, checkout: Checkout) -> None:
        helm = toolchain.ensure(("helm",))["helm"].path.parent
        path = os.pathsep.join([str(helm), checkout.environment()["PATH"]])
        mends = dict.fromkeys(one["mend"] for one in self.drift(checkout)["drifts"])
        assert {"nothing to do", "make up STACK=local REFRESH=1", "kubectl uncordon sim-1"} <= mends.keys()
        for command in mends:
            if command.startswith(("kubectl ", "helm ")):
                done = checkout.run("bash", "-c", command, env={"PATH": path})
                assert done.code == 0, f"{command}: {done.text}"
        done = checkout.local("up", "--refresh")
        assert done.code == 0, done.text
        assert told(self.drift(checkout)) == {("Pods training/hello", "", HARMLESS)}


def has_ended(view: ClusterView, job: str) -> bool:
    return any(one["type"] == "Complete" for one in view.job(job).get("status", {}).get("conditions", ()))


class TestCloud:
    """An environment on the double of AWS, changed there and on its nodes."""

    @pytest.fixture(scope="class")
    @classmethod
    def up(cls) -> Iterator[Place]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MUSTER_NOW", "2026-11-23T00:00:00Z")
            clear()
            place = places.prepare("dev")
            place.up()
            yield place
            clear()

    def drift(self, place: Place) -> Mapping[str, Any]:
        """On this machine there are no credentials with which AWS itself could be asked."""
        env = {**place.engine.environment, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(place.folder)}
        for name in ("KUBECONFIG", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            env.pop(name, None)
        words = [str(ROOT / ".venv" / "bin" / "muster"), "drift", "--stack", place.stack, "--json"]
        done = subprocess.run(words, cwd=place.root, env=env, capture_output=True, text=True, check=False)
        document = read(done.returncode, done.stdout)
        assert document["blind"] == ["AWS: rules of security groups: Unable to locate credentials"]
        return document

    def test_an_untouched_environment_has_none(self, up: Place) -> None:
        found = self.drift(up)
        assert (found["drifts"], found["code"]) == ([], 1)

    def test_twelve_changes_are_found_sorted_and_mended(self, up: Place) -> None:
        change_cloud(up.world())
        nodes = change_nodes(up)
        found = self.drift(up)
        assert told(found) == {*CLOUD, *nodes}
        assert (found["code"], found["mustFix"], found["harmless"]) == (4, 10, 2)
        for one in found["drifts"]:
            if one["what"].startswith("Node "):
                in_cluster(up, *shlex.split(one["mend"])[1:])
        in_cluster(up, "delete", "node", "by-hand")
        left = self.drift(up)
        assert told(left) == CLOUD
        assert {one["mend"] for one in left["drifts"]} == {"make up STACK=dev REFRESH=1"}
        up.run("up", "--yes", "--skip-preview", "--refresh")
        assert self.drift(up)["drifts"] == []


CLOUD: set[Told] = {
    ("NodeGroup pool-g6e", "scalingConfig.desiredSize", MUST),
    ("NodeGroup pool-g6e", "tags.owner", HARMLESS),
    ("Vpc network", 'tags["cost.center"]', HARMLESS),
    ("SecurityGroupIngressRule lustre-nodes-988", "fromPort", MUST),
    ("Addon vpc-cni", "configurationValues", MUST),
    ("Cluster cluster", "vpcConfig.publicAccessCidrs", MUST),
    ("Budget budget", "limitAmount", MUST),
    ("RolePolicyAttachment node-AmazonEC2ContainerRegistryPullOnly", "", MUST),
}


def change_cloud(world: World) -> None:
    """What somebody did in AWS's console."""
    group = next(thing for thing in world.all("aws:eks/nodeGroup:NodeGroup") if "g6e" in thing.id)
    group.inputs["scalingConfig"]["desiredSize"] = 1
    group.inputs["tags"]["owner"] = "somebody"
    (network,) = world.all("aws:ec2/vpc:Vpc")
    network.inputs["tags"]["cost.center"] = "7"
    rules = world.all("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    rule = next(thing for thing in rules if thing.inputs["tags"]["muster:resource"] == "lustre-nodes-988")
    rule.inputs["fromPort"] = 0
    addon = next(thing for thing in world.all("aws:eks/addon:Addon") if thing.inputs["addonName"] == "vpc-cni")
    addon.inputs["configurationValues"] = "{}"
    (cluster,) = world.all("aws:eks/cluster:Cluster")
    cluster.inputs["vpcConfig"]["publicAccessCidrs"] = ["0.0.0.0/0"]
    (budget,) = world.all("aws:budgets/budget:Budget")
    budget.inputs["limitAmount"] = "9999"
    for thing in (group, network, rule, addon, cluster, budget):
        world.put(thing)
    attached = world.all("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    world.remove(next(thing for thing in attached if "ContainerRegistryPullOnly" in thing.inputs["policyArn"]))


def change_nodes(place: Place) -> set[Told]:
    """What somebody did to the nodes of the GPU pool: one node more, another that no pod finds or may use."""
    listed = json.loads(in_cluster(place, "get", "nodes", "-l", "muster.dev/pool=g6e", "-o", "json"))
    metadata, spec = (listed["items"][0][part] for part in ("metadata", "spec"))
    name, labels = metadata["name"], {"muster.dev/pool": "g6e", "muster.dev/instance-family": "g6e"}
    more = {"name": "by-hand", "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}}
    taints = [taint for taint in spec["taints"] if taint["key"] == "nvidia.com/gpu"]
    made = {"apiVersion": "v1", "kind": "Node", "metadata": more, "spec": {"taints": taints}}
    in_cluster(place, "create", "-f", "-", given=json.dumps(made))
    in_cluster(place, "cordon", name)
    in_cluster(place, "label", "node", name, "muster.dev/pool=mine", "--overwrite")
    in_cluster(place, "taint", "node", name, "nvidia.com/gpu-")
    return {
        ("Pool g6e", "nodes", MUST),
        (f"Node {name}", "spec.unschedulable", MUST),
        (f"Node {name}", 'metadata.labels["muster.dev/pool"]', MUST),
        (f"Node {name}", "spec.taints[nvidia.com/gpu]", MUST),
    }


def in_cluster(place: Place, *words: str, given: str | None = None) -> str:
    """What kubectl said on the embedded cluster that plays the EKS cluster."""
    kubectl = toolchain.ensure(("kubectl",))["kubectl"].path
    command = [str(kubectl), "--kubeconfig", place.world().ground.kubeconfig, *words]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
