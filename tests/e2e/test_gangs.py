"""What runs on a stack that is up: every template, every sample, the Kubeflow SDK, wrong images, and the drills."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubeflow.common.types import KubernetesBackendConfig
from kubeflow.trainer import CustomTrainer, CustomTrainerContainer, TrainerClient
from kubernetes import config

from local import cluster
from local.components import PAUSE
from local.places import ROOT
from tests.e2e.checkout import Checkout
from tests.e2e.cluster_view import NAMESPACE, ClusterView, eventually
from tests.e2e.test_chain import complete

CLIENT = Path(__file__).with_name("client.py")
REQUESTS = 500
IMAGE = "docker.io/muster/deepspeed:cpu"


@pytest.fixture(scope="module", autouse=True)
def platform(checkout: Checkout) -> None:
    """The stack without jobs."""
    checkout.restore()
    jobs(checkout)
    done = checkout.local("up")
    assert done.code == 0, done.text


@pytest.fixture
def sdk(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrainerClient]:
    """The SDK as a user makes it, with nothing but a kubeconfig and a namespace."""
    monkeypatch.setenv("KUBECONFIG", checkout.environment()["KUBECONFIG"])
    api = config.new_client_from_config(checkout.environment()["KUBECONFIG"])
    with contextlib.closing(api):
        yield TrainerClient(KubernetesBackendConfig(namespace=NAMESPACE, client_configuration=api.configuration))


def jobs(checkout: Checkout, **wanted: dict[str, Any]) -> None:
    """Leave exactly these jobs in the stack; underscores in names become hyphens."""
    own = yaml.safe_load((ROOT / "stacks" / "Pulumi.local.yaml").read_text())["config"]["muster:jobs"]

    def edit(configuration: dict[str, Any]) -> None:
        configuration["muster:jobs"] = {
            name.replace("_", "-"): {**own[job["workload"]], "enabled": True, **job} for name, job in wanted.items()
        }

    checkout.edit(edit)


def test_every_template_is_one_that_the_api_server_takes(checkout: Checkout, view: ClusterView) -> None:
    def all_templates(configuration: dict[str, Any]) -> None:
        names = sorted(file.stem for file in (ROOT / "runtimes").glob("*.yaml"))
        bound = {"pool": "cpu", "image": IMAGE}
        configuration["muster:runtimes"] |= {f"all-{name}": {"template": name, **bound} for name in names}
        configuration["muster:runtimes"] |= {
            f"own-{name}": {"template": name, "namespace": "default", **bound} for name in names
        }

    before = checkout.stack_file.read_text()
    checkout.edit(all_templates)
    documents = list(yaml.safe_load_all(checkout.run(".venv/bin/muster", "render").text))
    checkout.stack_file.write_text(before)
    found = [item for item in documents if item["kind"].endswith("TrainingRuntime")]
    assert {item["kind"] for item in found} == {"ClusterTrainingRuntime", "TrainingRuntime"}
    assert len([item for item in found if item["metadata"]["name"].startswith(("all-", "own-"))]) == 8
    assert dry_run(checkout, view, *found).code == 0
    found[0]["spec"]["mlPolicy"]["mpi"] = {}
    refused = dry_run(checkout, view, found[0])
    assert refused.code != 0
    assert "Only one of the policy can be configured" in refused.text


def dry_run(checkout: Checkout, view: ClusterView, *documents: dict[str, Any]) -> Any:
    file = checkout.root / "documents.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    return view.kubectl("apply", "--server-side", "--dry-run=server", "--filename", str(file))


def test_hello_says_the_five_variables_of_every_rank(checkout: Checkout, view: ClusterView) -> None:
    jobs(checkout, hello={"workload": "hello"})
    assert checkout.up().code == 0
    events = view.events("hello")
    ranks = sorted((event for event in events if event["event"] == "env"), key=lambda event: event["rank"])
    assert [(event["rank"], event["local_rank"], event["world_size"]) for event in ranks] == [(0, 0, 2), (1, 0, 2)]
    assert {event["master_addr"] for event in ranks} == {"hello-node-0-0.hello"}
    (done,) = [event for event in events if event["event"] == "done"]
    assert done["sum"] == done["expected"]


def test_collectives_are_measured(checkout: Checkout, view: ClusterView) -> None:
    jobs(checkout, collectives={"workload": "collectives"})
    done = checkout.up()
    assert done.code == 0, done.text
    (last,) = [event for event in view.events("collectives") if event["event"] == "done"]
    assert last


def test_predictions_are_the_same_at_any_size_and_after_a_kill(checkout: Checkout, view: ClusterView) -> None:
    own = {"workload": "batch-predict"}
    killed = {**own, "args": ["--step-seconds", "3"], "wait": "running"}
    jobs(checkout, killed=killed)
    assert checkout.up().code == 0
    eventually("a part", lambda: any(event.get("event") == "part" for event in view.events("killed")))
    os.kill(view.rank_pids("killed")[1], signal.SIGKILL)
    eventually("it goes on and ends", lambda: complete(view, "killed"), within=240)
    assert view.restarts("killed") == 1
    assert any(event.get("event") == "resumed" for event in view.events("killed"))
    jobs(checkout, killed=killed, one={**own, "nodes": 1}, two=own, four={**own, "processesPerNode": 2})
    assert checkout.up().code == 0
    done = {name: finished(view, name) for name in ("one", "two", "four", "killed")}
    assert {event["predictions"] for event in done.values()} == {64}
    assert len({event["sha256"] for event in done.values()}) == 1, done
    folder = cluster.folder() / "volumes" / "killed" / "run-1"
    assert len((folder / "predictions.jsonl").read_text().splitlines()) == 64


def finished(view: ClusterView, name: str) -> dict[str, Any]:
    (event,) = [event for event in view.events(name) if event.get("event") == "done"]
    return event


def test_a_server_answers_many_and_comes_back_by_itself(checkout: Checkout, view: ClusterView) -> None:
    jobs(checkout, serve={"workload": "serve"}, wide={"workload": "serve", "processesPerNode": 2})
    done = checkout.up()
    assert done.code == 0, done.text
    expected = texts(view, "serve")
    assert len(set(expected)) > 10
    assert texts(view, "wide") == expected
    jobs(checkout, serve={"workload": "serve"})
    assert checkout.up().code == 0
    job = view.job("serve")
    job["spec"]["trainer"]["numNodes"] = 1
    alone = {key: job[key] for key in ("apiVersion", "kind", "spec")}
    alone["metadata"] = {"name": "alone", "namespace": NAMESPACE}
    applied(checkout, view, alone)
    assert texts(view, "alone") == expected
    view.kubectl("-n", NAMESPACE, "delete", "trainjob", "alone")

    answers = ask(service(view, "serve-http"), REQUESTS)
    assert [status for status, _ in answers] == [200] * REQUESTS
    assert {text for _, text in answers} == set(expected)

    assert [text for _, text in ask(service(view, "serve-http"), 20, "streamed")] == expected[:20]

    under_load = subprocess.Popen(asking(service(view, "serve-http"), REQUESTS), stdout=subprocess.PIPE, text=True)
    time.sleep(3)
    os.kill(view.rank_pids("serve")[1], signal.SIGKILL)
    answers = json.loads(under_load.communicate(timeout=300)[0])
    assert len(answers) == REQUESTS
    assert {status for status, _ in answers} <= {200, 503, 0}
    assert {text for status, text in answers if status == 200} <= set(expected)
    eventually("it restarts", lambda: view.restarts("serve") == 1)
    eventually("it is ready again", lambda: ready(view, "serve"), within=240)
    assert {status for status, _ in ask(service(view, "serve-http"), 20)} == {200}


def texts(view: ClusterView, name: str) -> list[str]:
    """What a server says to forty requests of twenty kinds."""
    eventually(f"{name} is ready", lambda: ready(view, name), within=240)
    answers = ask(address(view, name), 40)
    assert {status for status, _ in answers} == {200}
    return [text for _, text in answers]


def applied(checkout: Checkout, view: ClusterView, document: dict[str, Any]) -> None:
    file = checkout.root / "document.yaml"
    file.write_text(yaml.safe_dump(document))
    done = view.kubectl("apply", "--server-side", "--filename", str(file))
    assert done.code == 0, done.text


def ready(view: ClusterView, name: str) -> bool:
    pods = [pod for pod in view.pods(name) if not pod["metadata"].get("deletionTimestamp")]
    wanted = view.job(name)["spec"]["trainer"]["numNodes"]
    conditions = [condition for pod in pods for condition in pod["status"].get("conditions", ())]
    return len(pods) == wanted == sum(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def address(view: ClusterView, name: str) -> str:
    return f"http://{view.pods(name)[0]['status']['podIP']}:8000"


def service(view: ClusterView, name: str) -> str:
    return f"http://{view.objects('service', name)[0]['spec']['clusterIP']}"


def asking(url: str, count: int, way: str = "whole") -> list[str]:
    running = cluster.running()
    assert running is not None
    return ["nsenter", "--target", str(running.pid), "--net", sys.executable, str(CLIENT), url, str(count), way]


def ask(url: str, count: int, way: str = "whole") -> list[tuple[int, str]]:
    done = subprocess.run(asking(url, count, way), check=True, capture_output=True, text=True, timeout=300)
    return [(status, text) for status, text in json.loads(done.stdout)]


def add_up() -> None:
    """What a user trains with the SDK: self-contained, as the SDK sends its source."""
    import torch  # noqa: PLC0415 - in the pods
    import torch.distributed as dist  # noqa: PLC0415 - in the pods

    dist.init_process_group("gloo")
    total = torch.tensor([float(dist.get_rank() + 1)])
    dist.all_reduce(total)
    print(f"rank {dist.get_rank()} of {dist.get_world_size()} has {total.item():.0f}")
    dist.destroy_process_group()


def test_the_kubeflow_sdk_trains_a_function_on_two_pods(sdk: TrainerClient, view: ClusterView) -> None:
    runtimes = {runtime.name: runtime for runtime in sdk.list_runtimes()}
    assert {"deepspeed-cpu", "serve-cpu", "collectives-cpu"} <= set(runtimes)
    runtime = sdk.get_runtime("deepspeed-cpu")
    assert runtime.trainer.framework == "deepspeed"
    name = sdk.train(runtime=runtime, trainer=CustomTrainer(func=add_up, num_nodes=2))
    job = sdk.wait_for_job_status(name, timeout=240)
    assert job.status == "Complete"
    said = "\n".join(sdk.get_job_logs(name))
    assert "rank 0 of 2 has 3" in said
    assert name in {one.name for one in sdk.list_jobs()}
    sdk.delete_job(name)
    eventually("it is gone", lambda: not view.objects("trainjob", name))


def test_the_kubeflow_sdk_runs_an_image(sdk: TrainerClient) -> None:
    name = sdk.train(
        runtime="deepspeed-cpu", trainer=CustomTrainerContainer(image=IMAGE, num_nodes=1, env={"MUSTER_LAUNCHER": "x"})
    )
    job = sdk.wait_for_job_status(name, status={"Failed"}, timeout=240)
    assert job.status == "Failed"
    assert "no script given" in "\n".join(sdk.get_job_logs(name))
    sdk.delete_job(name)


def test_a_plain_trainjob_with_a_script_of_its_own_runs_through_the_runtime(
    checkout: Checkout, view: ClusterView
) -> None:
    script = "import os; print('rank', os.environ['RANK'], 'of', os.environ['WORLD_SIZE'])"
    applied(
        checkout,
        view,
        {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "metadata": {"name": "plain", "namespace": NAMESPACE},
            "spec": {
                "runtimeRef": {"name": "deepspeed-cpu"},
                "trainer": {
                    "numNodes": 2,
                    "numProcPerNode": 2,
                    "args": ["--no_python", "python3", "-c", script],
                },
            },
        },
    )
    eventually("it completes", lambda: complete(view, "plain"), within=120)
    logs = "".join(view.kubectl("-n", NAMESPACE, "logs", pod["metadata"]["name"]).text for pod in view.pods("plain"))
    assert all(f"rank {rank} of 4" in logs for rank in range(4))
    view.kubectl("-n", NAMESPACE, "delete", "trainjob", "plain")


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("no-python", {"image": PAUSE}, "the image has no python3"),
        ("no-deepspeed", {"env": {"PATH": "/usr/bin:/bin"}}, "there is no deepspeed on PATH in this image"),
        ("no-module", {"args": []}, "the image has no Python module flash_attn"),
    ],
)
def test_a_wrong_image_is_told_in_one_sentence(
    checkout: Checkout, name: str, change: dict[str, Any], said: str
) -> None:
    if name == "no-module":
        script = checkout.root / "workloads" / "hello" / "hello.py"
        script.write_text("import flash_attn\n")
    jobs(checkout, **{name.replace("-", "_"): {"workload": "hello", **change}})
    done = checkout.up()
    assert done.code != 0
    assert said in done.text
    status = json.loads(checkout.run(".venv/bin/muster", "status", "--json").text)
    assert said in status["jobs"][name]["reason"]
    assert "\n" not in status["jobs"][name]["reason"]


def test_a_suspended_job_goes_on_where_it_was(checkout: Checkout, view: ClusterView) -> None:
    checkout.restore()
    slow = {"workload": "zero3-train", "args": ["--step-seconds", "0.5"], "wait": "running"}
    jobs(checkout, held=slow)
    assert checkout.up().code == 0
    eventually("a checkpoint", lambda: any(event.get("event") == "saved" for event in view.events("held")))
    before = view.uid("held")
    jobs(checkout, held={**slow, "suspend": True})
    assert checkout.up().code == 0
    assert checkout.changes().get("update") == 1
    eventually("its pods are gone", lambda: not view.pods("held"))
    status = json.loads(checkout.run(".venv/bin/muster", "status", "--json").text)
    assert status["jobs"]["held"]["state"] == "Suspended"
    jobs(checkout, held={**slow, "wait": "complete"})
    done = checkout.up()
    assert done.code == 0, done.text
    assert view.uid("held") == before
    assert any(event.get("event") == "loaded" and event["step"] >= 10 for event in view.events("held"))
    assert view.restarts("held") == 0


def test_checkpoints_are_kept_and_listed(checkout: Checkout) -> None:
    checkout.restore()
    job = {
        "workload": "zero3-train",
        "args": ["--save-every", "5"],
        "checkpoints": {"storage": "checkpoints", "keep": 2},
    }
    jobs(checkout, kept=job)
    assert checkout.up().code == 0
    listed = json.loads(checkout.run(".venv/bin/muster", "checkpoints", "kept", "--json").text)
    assert [(one["step"], one["world_size"], one["problem"]) for one in listed] == [(30, 2, ""), (25, 2, "")]


@pytest.mark.timeout(2700)
def test_every_drill_passes(checkout: Checkout) -> None:
    jobs(checkout, zero3_train={"workload": "zero3-train"})
    assert checkout.up().code == 0
    done = subprocess.run([sys.executable, "-m", "drill"], cwd=ROOT, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["drills"] >= 12
    assert report["passed"] == report["drills"], textwrap.shorten(done.stderr, 10_000)
