"""Manifests against golden files, and the rules that no golden file shows."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from muster.manifests import node, queue, runtime, service, storage, trainjob, workload
from muster.manifests.runtime import literal

from tests.unit import planned


def local() -> dict[str, Any]:
    made = planned.of_stack("local")
    return {
        "local-runtime": runtime.build(made.runtimes[0]),
        "local-trainjob": trainjob.build(made.jobs[0]),
        "local-queue": queue.build(made.queues[0]),
        "local-volume": storage.volume(made.claims[0]),
        "local-claim": storage.claim(made.claims[0]),
        "local-files": workload.build(made.files[0]),
        "local-node": node.build(made.nodes[0]),
    }


def p5() -> dict[str, Any]:
    made = planned.of(planned.P5)
    return {
        "p5-runtime": runtime.build(made.runtimes[0]),
        "p5-trainjob": trainjob.build(made.jobs[0]),
        "p5-queue": queue.build(made.queues[0]),
    }


@pytest.mark.parametrize(("name", "document"), {**local(), **p5()}.items())
def test_golden(name: str, document: dict[str, Any]) -> None:
    assert document == yaml.safe_load((planned.GOLDEN / f"{name}.yaml").read_text())


def test_the_address_of_a_server_is_its_first_pod() -> None:
    config = {
        **planned.P5,
        "storage": {},
        "runtimes": {"server": {"template": "deepspeed-serve", "pool": "p5", "image": "example.com/own:1"}},
        "jobs": {"chat": {"workload": "serve", "runtime": "server", "nodes": 2}},
    }
    (address,) = planned.of(config).services
    made = service.build(address)
    assert made["metadata"]["name"] == "chat-http"
    assert made["spec"]["selector"] == {
        "jobset.sigs.k8s.io/jobset-name": "chat",
        "batch.kubernetes.io/job-completion-index": "0",
    }
    assert made["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http"}]


def test_a_runtime_of_one_namespace_is_of_another_kind() -> None:
    config = {
        **planned.P5,
        "runtimes": {"deepspeed-p5": {"template": "pinned", "pool": "p5", "namespace": "team-a"}},
    }
    made = planned.of(config)
    document = runtime.build(made.runtimes[0])
    assert (document["kind"], document["metadata"]["namespace"]) == ("TrainingRuntime", "team-a")
    assert trainjob.build(made.jobs[0])["spec"]["runtimeRef"] == {"name": "deepspeed-p5", "kind": "TrainingRuntime"}


def test_only_a_suspended_job_says_so() -> None:
    suspended = {**planned.P5["jobs"]["pretrain"], "suspend": True}
    for job, said in ((planned.P5["jobs"]["pretrain"], None), (suspended, True)):
        made = trainjob.build(planned.of({**planned.P5, "jobs": {"pretrain": job}}).jobs[0])
        assert made["spec"].get("suspend") == said


def test_every_golden_file_is_compared() -> None:
    assert {path.stem for path in planned.GOLDEN.glob("*.yaml")} == {*local(), *p5()}


def expand(text: str, environ: Mapping[str, str]) -> str:
    """What the kubelet makes of a command's text.

    https://github.com/kubernetes/kubernetes/blob/v1.35.4/third_party/forked/golang/expansion/expand.go
    """
    made, cursor = "", 0
    while cursor < len(text):
        if text[cursor] != "$" or cursor + 1 == len(text):
            made, cursor = made + text[cursor], cursor + 1
        elif text[cursor + 1] == "$":
            made, cursor = made + "$", cursor + 2
        elif text[cursor + 1] == "(" and ")" in text[cursor + 2 :]:
            end = text.index(")", cursor + 2)
            name = text[cursor + 2 : end]
            made, cursor = made + environ.get(name, f"$({name})"), end + 1
        else:
            made, cursor = made + text[cursor : cursor + 2], cursor + 2
    return made


@given(st.text(alphabet="$()A \n"))
def test_the_kubelet_gives_back_a_literal(text: str) -> None:
    assert expand(literal(text), {"A": "expanded", "": "expanded"}) == text


@pytest.mark.parametrize("checkout", [planned.CHECKOUT, planned.ROOT], ids=["fixture", "own"])
def test_the_launcher_arrives_as_it_is(checkout: Path) -> None:
    made = runtime.build(planned.of_stack("local", checkout=checkout).runtimes[0])
    container = made["spec"]["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
    command = container["containers"][0]["command"]
    text = (checkout / "runtimes" / "launcher" / "entrypoint.py").read_text()
    assert command[:3] == ["python3", "-u", "-c"]
    assert expand(command[3], {"HOME": "/root"}) == text


def test_building_leaves_the_plan_alone() -> None:
    made = planned.of(planned.P5)
    before = json.dumps([made.runtimes[0].template, made.jobs[0].manifest])
    runtime.build(made.runtimes[0])
    trainjob.build(made.jobs[0])
    assert json.dumps([made.runtimes[0].template, made.jobs[0].manifest]) == before


def test_without_gang_nothing_names_a_scheduler_or_a_queue() -> None:
    config = planned.P5 | {
        "platform": {"gang": {"scheduler": "none"}},
        "queues": {},
        "jobs": {"one": {"workload": "zero3-train", "runtime": "deepspeed-p5", "nodes": 1}},
    }
    made = planned.of(config)
    text = json.dumps([runtime.build(made.runtimes[0]), trainjob.build(made.jobs[0])])
    assert "podGroupPolicy" not in text
    assert "schedulerName" not in text
    assert "queue-name" not in text
    assert [release.name for release in made.releases if "volcano" in release.name] == []


def test_a_template_keeps_its_own_environment(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for file in planned.CHECKOUT.rglob("*.*"):
        target = checkout / file.relative_to(planned.CHECKOUT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.read_text().replace("MUSTER_STOP_GRACE_SECONDS", "OMP_NUM_THREADS"))
    made = runtime.build(planned.of_stack("local", checkout=checkout).runtimes[0])
    job = made["spec"]["template"]["spec"]["replicatedJobs"][0]
    env = job["template"]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert [variable["value"] for variable in env if variable["name"] == "OMP_NUM_THREADS"] == ["110"]


def test_one_claim_at_two_paths_is_one_volume() -> None:
    storages = {"a": {"kind": "existing-claim", "claimName": "x"}, "b": {"kind": "existing-claim", "claimName": "x"}}
    job = planned.P5["jobs"]["pretrain"] | {"storage": {"a": "/a", "b": "/b"}}
    made = trainjob.build(planned.of(planned.P5 | {"storage": storages, "jobs": {"j": job}}).jobs[0])
    template = made["spec"]["runtimePatches"][0]["trainingRuntimeSpec"]["template"]
    pod = template["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
    names = {volume["name"] for volume in pod["volumes"]}
    assert len(names) == len(pod["volumes"]) == 2
    assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} == names
