"""What a plan resolves, and what it doubts."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from muster import catalog, gang, plan, releases, repository, settings
from muster.catalog import services
from muster.plan import releases as release_plans
from muster.plan import resources, summary
from muster.plan.inputs import Inputs
from muster.plan.notes import Notes
from muster.plan.parts import EFA, GPU
from muster.problems import SettingsError

from tests.unit import planned


def problems(config: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        planned.of(config)
    return str(caught.value)


def test_the_local_stack() -> None:
    made = planned.of_stack("local")
    (job,) = made.jobs
    assert (job.nodes, job.processes_per_node, job.world_size, job.queue) == (2, 1, 2, "research")
    assert (job.wait, job.timeout_s, job.deadline_s) == ("complete", 600, None)
    assert [node.name for node in made.nodes] == ["sim-0", "sim-1"]
    assert made.namespaces == ("jobset-system", "kubeflow-system", "training", "volcano-system")
    assert made.warnings == ()


def test_releases_come_after_what_they_need() -> None:
    order = [release.name for release in planned.of_stack("local").releases]
    assert set(order) == {name for name, release in releases.load().releases.items() if not release.pools}
    for release in planned.of_stack("local").releases:
        assert all(order.index(need) < order.index(release.name) for need in release.needs)


def ordered(**needs: tuple[str, ...]) -> None:
    """Plan made-up releases by their needs."""
    made = {name: releases.Release(chart="c", namespace="n", needs=need) for name, need in needs.items()}
    locked = releases.Releases(kubernetes="1", deepspeed={}, charts={}, releases=made)
    backend = gang.BACKENDS["none"]
    declared = settings.parse({"muster:cluster": {"provider": "embedded"}}, "FILE")
    known = repository.load(planned.CHECKOUT)
    inputs = Inputs(declared, known, catalog.load(), services.load(), planned.NOW, backend, Notes("FILE"))
    release_plans.make(locked, backend, "charts", None, inputs)


def test_releases_in_a_circle() -> None:
    with pytest.raises(SettingsError, match=r"releases: found needs in a circle \((a -> b -> a|b -> a -> b)\)"):
        ordered(a=("b",), b=("a",))


def test_a_release_that_needs_itself() -> None:
    with pytest.raises(SettingsError, match=r"needs in a circle \(a -> a\)"):
        ordered(a=("a",))


def test_a_release_that_needs_what_is_not_there() -> None:
    with pytest.raises(SettingsError, match=r'releases\.a\.needs: found "b"; expected a release of this file'):
        ordered(a=("b",))


def test_every_gang_backend_with_a_scheduler_has_a_release() -> None:
    known = {release.gang for release in releases.load().releases.values()}
    assert known - {""} == {name for name, backend in gang.BACKENDS.items() if backend.scheduler_name}


def test_whole_gpu_nodes() -> None:
    (pool,) = planned.of(planned.P5).pools
    assert pool.requests == {"cpu": "172", "memory": "1843Gi", GPU: "8", EFA: "32"}
    assert pool.limits == {"memory": "1843Gi", GPU: "8", EFA: "32"}
    assert (pool.gpus, pool.pods, pool.shared_memory) == (8, 4, "64Gi")


def test_a_limit_alone_is_requested_too() -> None:
    assert resources.complete({}, {"cpu": "1", GPU: "2"})[0] == {"cpu": "1", GPU: "2"}
    assert resources.complete({GPU: "2", "cpu": "1"}, {})[1] == {GPU: "2"}


def test_fewer_gpus_mean_fewer_processes() -> None:
    config = copy.deepcopy(planned.P5)
    config["jobs"]["pretrain"]["resources"] = {"limits": {GPU: 2}}
    assert planned.of(config).jobs[0].processes_per_node == 2


def test_every_mistake_at_once() -> None:
    config = copy.deepcopy(planned.P5)
    config["runtimes"]["other"] = {"template": "pined", "pool": "p6"}
    config["jobs"]["pretrain"] |= {"queue": "reserch", "nodes": 9, "env": {"RANK": "0"}}
    assert [line.split(": ")[1] for line in problems(config).splitlines()] == [
        "jobs.pretrain.env.RANK",
        "jobs.pretrain.nodes",
        "jobs.pretrain.queue",
        "runtimes.other.pool",
        "runtimes.other.template",
    ]


def test_a_broken_pool_is_no_unknown_pool() -> None:
    config = copy.deepcopy(planned.P5)
    config["pools"]["p5"]["instanceType"] = "p5.48x"
    lines = problems(config).splitlines()
    assert len(lines) == 1
    assert 'found "p5.48x"; expected a known instance type (did you mean p5.48xlarge?)' in lines[0]


def test_a_workload_that_no_config_map_holds() -> None:
    checkout = repository.load(planned.CHECKOUT)
    big = replace(checkout.workloads["zero3-train"], files={"data.txt": "x" * 1024**2})
    declared = settings.parse({f"muster:{key}": value for key, value in planned.P5.items()}, "FILE")
    with pytest.raises(SettingsError, match=r"jobs\.pretrain\.workload: found 1048584 bytes"):
        plan.make(
            declared,
            replace(checkout, workloads={"zero3-train": big}),
            catalog.load(),
            services.load(),
            releases.load(),
            stack="test",
            source="FILE",
            now=planned.NOW,
        )


def test_a_namespace_with_an_existing_claim_is_not_made() -> None:
    assert "team-a" not in planned.of(planned.P5).namespaces


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"wait": "complete", "timeout": "3h"}, "jobs.pretrain.deadline: 2h ends the job before its timeout of 3h"),
        ({"timeout": "3h"}, "jobs.pretrain.timeout: has no effect without wait"),
        ({"storage": {}}, "storage.data: no job mounts it, so no claim is made"),
    ],
)
def test_doubts(change: dict[str, Any], warning: str) -> None:
    config = copy.deepcopy(planned.P5)
    config["jobs"]["pretrain"] |= change
    (said,) = planned.of(config).warnings
    assert said.startswith(f"FILE: {warning}")


def test_a_stack_name_that_names_no_volume() -> None:
    with pytest.raises(SettingsError, match='found the stack name "My_Stack"'):
        planned.of(planned.P5, stack="My_Stack")


@pytest.mark.parametrize("stack", ["local", "existing"])
def test_real_stacks_plan_on_the_real_checkout(stack: str) -> None:
    made = planned.of_stack(stack, checkout=planned.ROOT)
    assert [job.name for job in made.jobs] == ["zero3-train"]


def test_the_summary_has_a_block_for_each_pool_and_job() -> None:
    titles = {block.title: dict(block.facts) for block in summary.blocks(planned.of(planned.P5))}
    assert list(titles) == ["pool p5", "job team-a/pretrain, run 7"]
    assert titles["pool p5"]["GPUs"] == "32 H100 of 80 GiB, 8 a pod"
    assert titles["job team-a/pretrain, run 7"]["gang"] == "4 pods x 8 = 32 ranks on pool p5"


def test_the_catalog_says_where_it_is_from() -> None:
    known = catalog.load()
    assert "DescribeInstanceTypes" in known.source
    assert known.types["p5.48xlarge"].efa_interfaces == 32


def broken(tmp_path: Path, file: str, text: str | bytes) -> str:
    for path in planned.CHECKOUT.rglob("*.*"):
        target = tmp_path / path.relative_to(planned.CHECKOUT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(SettingsError) as caught:
        repository.load(tmp_path)
    return str(caught.value)


TEMPLATE = (planned.CHECKOUT / "runtimes" / "deepspeed.yaml").read_text()
JOB = (planned.CHECKOUT / "workloads" / "zero3-train" / "job.yaml").read_text()
JOBS = "spec.template.spec.replicatedJobs"


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("runtimes/x.yaml", "", "found an empty file; expected a Kubernetes manifest"),
        ("runtimes/x.yaml", "a: [", "line 1: found broken YAML"),
        ("runtimes/x.yaml", "- a", "found a list; expected a Kubernetes manifest"),
        (
            "runtimes/x.yaml",
            TEMPLATE.replace("kind: ClusterTrainingRuntime", "kind: TrainJob"),
            'kind: found "TrainJob"; expected ClusterTrainingRuntime',
        ),
        (
            "runtimes/x.yaml",
            TEMPLATE.replace("- name: node\n                      env", "- name: main\n                      env"),
            f"{JOBS}[0].template.spec.template.spec.containers: found a list; expected a list with a container node",
        ),
        (
            "runtimes/x.yaml",
            TEMPLATE.replace("- name: node\n          template", "- name: worker\n          template"),
            f'{JOBS}[0].name: found "worker"; expected node',
        ),
        (
            "runtimes/x.yaml",
            TEMPLATE.replace(
                "  template:\n    spec:\n      failure",
                "  mlPolicy: {torch: 1}\n  template:\n    spec:\n      failure",
                1,
            ),
            "spec.mlPolicy.torch: found 1; expected a map",
        ),
        (
            "workloads/zero3-train/job.yaml",
            JOB.replace("kind: TrainJob", "kind: Job"),
            'kind: found "Job"; expected TrainJob',
        ),
        (
            "workloads/zero3-train/job.yaml",
            JOB.replace("name: LEVEL", "name: RANK"),
            'spec.trainer.env[1].name: found "RANK"; expected another name',
        ),
        ("workloads/zero3-train/data.bin", b"\xff\xfe", "found bytes that are not UTF-8; expected a text file"),
        ("workloads/zero3-train/sub/x.py", "", "found a folder; expected files only"),
        ("workloads/Bad_Name/job.yaml", JOB, 'found the name "Bad_Name"; expected lower-case letters'),
        ("workloads/empty/train.py", "", "workloads/empty/job.yaml: found no such file"),
    ],
)
def test_a_broken_checkout(tmp_path: Path, file: str, text: str | bytes, problem: str) -> None:
    said = broken(tmp_path, file, text)
    assert problem in said
    assert len(said.splitlines()) == 1
    assert str(tmp_path) not in said


def test_a_job_switched_off_keeps_its_storage() -> None:
    job = {**planned.P5["jobs"]["pretrain"], "storage": {"work": "/work"}}
    storage = {"work": {"kind": "claim", "size": "1Ti"}}
    on = planned.of({**planned.P5, "storage": storage, "jobs": {"pretrain": job}})
    off = planned.of({**planned.P5, "storage": storage, "jobs": {"pretrain": {**job, "enabled": False}}})
    assert (on.claims, on.namespaces) == (off.claims, off.namespaces)
    assert [len(made.jobs) for made in (on, off)] == [1, 0]
    assert [len(made.files) for made in (on, off)] == [1, 0]
