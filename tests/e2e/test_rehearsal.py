"""Environments on AWS in rehearsal: every stack from nothing to nothing, changes, failures, and interrupted ends."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from local import summary
from local.places import ROOT
from local.problem import Problem
from rehearsal import place as places
from rehearsal.double.faults import Fault
from rehearsal.double.provider import FOLDER
from rehearsal.place import Place, diagnostics

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.usefixtures("alone")]
GROUP = "aws:eks/nodeGroup:NodeGroup"
CRASHES = (
    "aws:ec2/vpc:Vpc",
    "aws:iam/role:Role",
    "aws:ec2/subnet:Subnet",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "aws:ec2/natGateway:NatGateway",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:ec2/route:Route",
    "aws:eks/cluster:Cluster",
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
    "aws:eks/addon:Addon",
    "aws:ec2/launchTemplate:LaunchTemplate",
    GROUP,
)
"""Kinds at whose first creation the engine dies."""
NO_CAPACITY = "We currently do not have sufficient capacity in the Availability Zone you requested."


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_an_environment_is_rehearsed_from_nothing_to_nothing(stack: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rehearsal", "--stack", stack], cwd=ROOT, check=False, capture_output=True, text=True
    )
    report = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, report["ok"]) == (0, True), done.stderr[-3000:]
    assert (report["noop_changes"], report["drift"], report["leftovers"]) == (0, 0, 0)
    assert report["created"] > 60
    assert report["edits"] >= 15


def census(place: Place) -> Counter[tuple[str, str]]:
    """What exists in the double's AWS, without what is random."""
    return Counter((thing.kind, thing.status) for thing in place.world().own())


class TestChanges:
    """What a change does, seen in a preview of an environment that is up."""

    @pytest.fixture(scope="class")
    @classmethod
    def up(cls) -> Iterator[Place]:
        place = places.prepare("staging")
        place.edit("cluster.kubernetesVersion", "1.34")
        place.edit("cluster.support", "extended")
        place.edit("pools.p4d.ami", {"release": "1.34.4-20261023"})
        place.edit("pools.p4d.nodes", 2)
        place.up()
        yield place
        place.destroy()
        assert place.leftovers() == []

    @pytest.fixture
    def environment(self, up: Place) -> Iterator[Place]:
        file = up.root / "stacks" / "Pulumi.staging.yaml"
        before = file.read_text()
        yield up
        file.write_text(before)

    def changes(self, environment: Place, **edits: Any) -> dict[str, str]:
        for path, value in edits.items():
            environment.edit(path.replace("__", "."), value)
        return environment.preview()

    def test_the_summary_reads_the_cluster_that_the_state_knows(
        self, environment: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in ("PATH", FOLDER):
            monkeypatch.setenv(name, environment.engine.environment[name])
        summary.show(environment.engine)
        said = capsys.readouterr().err
        assert "aws eks update-kubeconfig --region us-east-1 --name muster-staging" in said
        rows = [line.split() for line in said.splitlines()]
        assert ["p4d", "2/2", "16", "0", "16", "4", "EFA", "a", "node"] in rows

    def test_growing_a_pool_changes_one_node_group(self, environment: Place) -> None:
        assert self.changes(environment, pools__p4d__nodes=3) == {"NodeGroup pool-p4d": "update"}

    def test_adding_a_pool_touches_nothing_else(self, environment: Place) -> None:
        more = {"instanceType": "p4d.24xlarge", "nodes": 1, "zone": "use1-az4"}
        more["capacity"] = {"mode": "on-demand", "allowUnreserved": True}
        found = self.changes(environment, pools__more=more)
        assert found == {"LaunchTemplate pool-more": "create", "NodeGroup pool-more": "create"}

    def test_adding_a_runtime_touches_nothing_else(self, environment: Place) -> None:
        found = self.changes(environment, runtimes__more={"template": "deepspeed", "pool": "p4d"})
        assert found == {"ClusterTrainingRuntime runtime-more": "create"}

    def test_adding_a_job_touches_nothing_else(self, environment: Place) -> None:
        job = {"workload": "zero3-train", "runtime": "deepspeed-p4d", "nodes": 1}
        assert self.changes(environment, jobs__more=job) == {"TrainJob job-training-more": "create"}

    def test_a_minor_upgrade_updates_control_plane_and_nodes(self, environment: Place) -> None:
        found = self.changes(
            environment, cluster__kubernetesVersion="1.35", pools__p4d__ami={"release": "1.35.4-20261023"}
        )
        groups = {"NodeGroup pool-p4d": "update", "NodeGroup pool-system": "update"}
        assert found == {"Cluster cluster": "update", **groups}

    def test_a_new_node_image_updates_one_node_group(self, environment: Place) -> None:
        found = self.changes(environment, pools__p4d__ami={"release": "1.34.5-20261120"})
        assert found == {"NodeGroup pool-p4d": "update"}

    def test_another_capacity_mode_replaces_the_node_group(self, environment: Place) -> None:
        block = {"mode": "capacity-block", "reservation": "cr-0a1b2c3d4e5f60718", "ends": "2027-12-01T11:30:00Z"}
        found = self.changes(environment, pools__p4d__capacity=block)
        assert found.pop("NodeGroup pool-p4d") in ("replace", "create-replacement", "delete-replaced")
        assert found == {"LaunchTemplate pool-p4d": "update"}

    def test_another_instance_type_replaces_the_node_group(self, environment: Place) -> None:
        free = {"mode": "on-demand", "allowUnreserved": True}
        found = self.changes(environment, pools__p4d__instanceType="g6e.48xlarge", pools__p4d__capacity=free)
        assert found.pop("NodeGroup pool-p4d") in ("replace", "create-replacement", "delete-replaced")
        assert found == {
            "LaunchTemplate pool-p4d": "update",
            "ClusterTrainingRuntime runtime-deepspeed-p4d": "update",
            "Release efa-device-plugin": "update",
        }

    def test_an_upgrade_really_happens_and_jobs_are_not_run_again(self, environment: Place) -> None:
        environment.edit("cluster.kubernetesVersion", "1.35")
        environment.edit("pools.p4d.ami", {"release": "1.35.4-20261023"})
        assert environment.up() == {"update": 3}
        assert environment.preview() == {}
        assert {thing.get("version") for thing in environment.world().all(GROUP)} == {"1.35"}
        nodes = environment.kube.get("/api/v1/nodes", labelSelector="muster.dev/pool=p4d")
        assert nodes is not None
        allocatable = [node["status"]["allocatable"] for node in nodes["items"]]
        assert [(have["nvidia.com/gpu"], have["vpc.amazonaws.com/efa"]) for have in allocatable] == [("8", "4")] * 2


class TestFailures:
    """A failed run, and the one after it."""

    @pytest.fixture(scope="class")
    @classmethod
    def undisturbed(cls) -> Counter[tuple[str, str]]:
        place = places.prepare("dev")
        place.up()
        found = census(place)
        assert {status for _, status in found} == {"ACTIVE"}
        return found

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(GROUP, "create", "InsufficientInstanceCapacity", NO_CAPACITY, half=True),
            Fault(GROUP, "create", "InsufficientInstanceCapacity", NO_CAPACITY),
            Fault("aws:iam/role:Role", "create", "ThrottlingException", "Rate exceeded", times=2),
            Fault("aws:ec2/*", "create", "RequestLimitExceeded", "Request limit exceeded.", after=7),
            Fault("aws:*", "create", "ExpiredTokenException", "The security token is expired", times=999, after=30),
            Fault("aws:eks/addon:Addon", "create", "CREATE_FAILED", "InsufficientNumberOfReplicas", times=1),
        ],
        ids=["half-a-node-group", "no-capacity", "throttling", "request-limit", "expired-credentials", "addon"],
    )
    def test_a_second_up_ends_as_if_nothing_had_happened(
        self, undisturbed: Counter[tuple[str, str]], fault: Fault
    ) -> None:
        place = places.prepare("dev")
        place.faults.plan(fault)
        with pytest.raises(Problem, match=fault.code):
            place.up()
        place.faults.plan()
        place.up()
        assert census(place) == undisturbed
        assert place.preview() == {}

    def test_an_engine_that_was_killed_again_and_again(self, undisturbed: Counter[tuple[str, str]]) -> None:
        place = places.prepare("dev")
        place.faults.plan(*(Fault(kind, "create", "crash", "", crash=True) for kind in CRASHES))
        found: set[str] = set()
        while killed_after(place, 120.0, "up", "--yes", "--skip-preview"):
            found |= {urn.split("::")[2] for urn in place.recover()}
        assert found >= set(CRASHES)
        assert census(place) == undisturbed
        assert place.preview() == {}

    @pytest.mark.parametrize("seconds", [6.0, 12.0])
    def test_an_engine_that_was_killed_at_some_moment(
        self, undisturbed: Counter[tuple[str, str]], seconds: float
    ) -> None:
        place = places.prepare("dev")
        killed_after(place, seconds, "up", "--yes", "--skip-preview")
        place.recover()
        place.up()
        assert census(place) == undisturbed
        assert place.preview() == {}


def test_a_destroy_that_was_interrupted_five_times_ends_empty() -> None:
    place = places.prepare("dev")
    place.up()
    for seconds in sorted(random.Random(7).uniform(2.0, 12.0) for _ in range(5)):  # noqa: S311 - no secret
        killed_after(place, seconds, "destroy", "--yes", "--skip-preview")
        place.recover()
    place.destroy()
    assert place.leftovers() == []


def killed_after(place: Place, seconds: float, *words: str) -> bool:
    """Run the engine and kill it with SIGKILL after so many seconds; whether it was killed, by whomever."""
    command = place.engine.command(*words, "--non-interactive")
    said = place.folder / "killed.log"
    with said.open("w") as log:
        process = subprocess.Popen(command, env=dict(place.engine.environment), stdout=log, stderr=log)
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    code = process.wait()
    assert code in (0, -signal.SIGKILL), diagnostics(said.read_text())
    return code != 0
