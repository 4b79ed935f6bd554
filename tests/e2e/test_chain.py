"""From nothing to a gang that trained, and every change a user makes after that: one story, in order."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.processes import parent
from tests.e2e.checkout import Checkout, Result
from tests.e2e.cluster_view import NAMESPACE, ClusterView, eventually
from tests.e2e.machine import processes as ours

GOLDEN_FIRST, GOLDEN_LAST = 5.739295, 4.031662
"""Loss of workloads/zero3-train at its first and its last step, at any number of ranks."""

JOB = "zero3-train"


def close(found: float, golden: float, within: float = 1e-4) -> bool:
    return abs(found - golden) <= within


def job(**changes: Any) -> dict[str, Any]:
    """A job like the stack's own; `changes` are keys of the stack file."""
    own = {"workload": "zero3-train", "runtime": "deepspeed-cpu", "nodes": 2, "queue": "research", "run": 1}
    return {**own, "storage": {"checkpoints": "/checkpoints"}, "timeout": "5m", **changes}


def jobs(**wanted: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """An edit that leaves exactly these jobs in the stack; underscores in names become hyphens."""

    def edit(config: dict[str, Any]) -> None:
        config["muster:jobs"] = {name.replace("_", "-"): value for name, value in wanted.items()}

    return edit


pytestmark = pytest.mark.usefixtures("first_up")


def test_up_from_nothing_trains_to_the_golden_loss(checkout: Checkout, view: ClusterView, first_up: Result) -> None:
    assert first_up.code == 0, first_up.text
    status = json.loads(checkout.run(".venv/bin/muster", "status", "--json").text)
    assert status["jobs"][JOB]["state"] == "Complete"
    losses = view.losses(JOB)
    assert close(losses[0], GOLDEN_FIRST)
    assert close(losses[max(losses)], GOLDEN_LAST)
    assert status["jobs"][JOB]["lastLoss"] == losses[max(losses)]
    assert set(status["releases"].values()) == {"deployed"}
    assert "three things to try next" in first_up.text.lower()


def test_up_again_changes_nothing(checkout: Checkout) -> None:
    done = checkout.up()
    assert done.code == 0, done.text
    assert set(checkout.changes()) == {"same"}


def test_preview_expects_no_changes(checkout: Checkout) -> None:
    done = checkout.run("pulumi", "preview", "--non-interactive", "--stack", "local", "--expect-no-changes")
    assert done.code == 0, done.text


def test_two_jobs_at_once_have_the_five_variables_in_every_process(checkout: Checkout, view: ClusterView) -> None:
    checkout.edit(jobs(wide=job(processesPerNode=2, wait="complete"), single=job(nodes=1, wait="complete")))
    done = checkout.up()
    assert done.code == 0, done.text
    for name, nodes, slots in (("wide", 2, 2), ("single", 1, 1)):
        seen = [event for event in view.events(name) if event.get("event") == "env"]
        assert sorted(event["rank"] for event in seen) == list(range(nodes * slots))
        assert sorted(event["local_rank"] for event in seen) == sorted(list(range(slots)) * nodes)
        assert {event["world_size"] for event in seen} == {nodes * slots}
        assert {event["master_addr"] for event in seen} == {f"{name}-node-0-0.{name}"}
        assert {str(event["master_port"]) for event in seen} == {"29500"}
        losses = view.losses(name)
        assert close(losses[max(losses)], GOLDEN_LAST)


def test_a_runtime_edit_leaves_a_running_job_alone(checkout: Checkout, view: ClusterView) -> None:
    checkout.edit(jobs(slow=job(args=["--step-seconds", "1"], wait="running")))
    assert checkout.up().code == 0
    before = view.uid("slow"), sorted(pod["metadata"]["uid"] for pod in view.pods("slow"))
    edits = (
        ("launcher/gang.yaml", 'value: "10"', 'value: "12"'),
        ("deepspeed.yaml", "maxRestarts: 3", "maxRestarts: 5"),
    )
    for (file, old, new), operation in zip(edits, ("update", "replace"), strict=True):
        runtime = checkout.root / "runtimes" / file
        assert old in runtime.read_text()
        runtime.write_text(runtime.read_text().replace(old, new))
        done = checkout.up()
        assert done.code == 0, done.text
        assert checkout.changes().get(operation, 0) >= 1
        assert (view.uid("slow"), sorted(pod["metadata"]["uid"] for pod in view.pods("slow"))) == before
    eventually("a step of the job whose runtime was edited", lambda: view.losses("slow"))
    assert (view.uid("slow"), sorted(pod["metadata"]["uid"] for pod in view.pods("slow"))) == before


def test_a_job_edit_replaces_that_job_once(checkout: Checkout, view: ClusterView) -> None:
    before = view.uid("slow")
    checkout.edit(jobs(slow=job(args=["--step-seconds", "0"], wait="complete")))
    done = checkout.up()
    assert done.code == 0, done.text
    assert checkout.changes().get("replace") == 1
    assert view.uid("slow") != before


def test_raising_run_trains_again_from_the_start(checkout: Checkout, view: ClusterView) -> None:
    before = view.uid("slow")
    checkout.edit(jobs(slow=job(args=["--step-seconds", "0"], wait="complete", run=2)))
    assert checkout.up().code == 0
    assert view.uid("slow") != before
    assert close(view.losses("slow")[0], GOLDEN_FIRST)


def test_a_failed_job_fails_the_update_and_names_who_ended_first(checkout: Checkout, view: ClusterView) -> None:
    checkout.edit(jobs(broken=job(args=["--no-such-flag"], wait="complete")))
    done = checkout.up()
    assert done.code != 0
    assert "broken failed" in done.text
    assert "exit code 78" in done.text
    assert "broken-node-0-" in done.text
    assert "no-such-flag" in done.text
    assert "Traceback" not in done.text
    assert view.restarts("broken") == 0, "configuration errors are not retried"
    again = checkout.up()
    assert again.code != 0, "a job that failed stays a failure until it is run again"


def test_a_gang_runs_whole_or_not_at_all(checkout: Checkout, view: ClusterView) -> None:
    assert checkout.up().code != 0  # the broken job is still there
    requests = {"requests": {"cpu": "300m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "3Gi"}}
    free = free_millicores(view)
    view.kubectl(
        "-n",
        NAMESPACE,
        "run",
        "blocker",
        "--image",
        "docker.io/muster/deepspeed:cpu",
        "--overrides",
        blocker(free - 1000),
    )
    eventually("the blocker runs", lambda: view.objects("pod", "blocker")[0]["status"]["phase"] == "Running")
    checkout.edit(jobs(gang=job(nodes=4, resources=requests, wait="none")))
    assert checkout.up().code == 0
    pods = eventually("four pods exist", lambda: len(found := view.pods("gang")) == 4 and found)
    seen = []
    for _ in range(20):
        seen += [pod["spec"].get("nodeName") for pod in view.pods("gang")]
        time.sleep(0.5)
    assert set(seen) == {None}, "with room for three of four pods none may run"
    assert len(pods) == 4
    view.kubectl("-n", NAMESPACE, "delete", "pod", "blocker", "--grace-period=0", "--force")
    eventually("the gang completes", lambda: complete(view, "gang"), within=240)


def test_losing_a_rank_a_launcher_or_a_pod_restarts_the_gang_once(checkout: Checkout, view: ClusterView) -> None:
    for name, hurt in (("rank", kill_rank), ("launcher", kill_launcher), ("pod", delete_pod)):
        checkout.edit(jobs(**{name: job(args=["--step-seconds", "0.3"], wait="running")}))
        assert checkout.up().code == 0
        eventually("a checkpoint", lambda n=name: any(e.get("event") == "saved" for e in view.events(n)))
        hurt(view, name)
        eventually(f"{name}: complete", lambda n=name: complete(view, n), within=240)
        assert view.restarts(name) == 1, name
        events = view.events(name)
        assert any(event.get("event") == "loaded" and event["step"] >= 10 for event in events), name
        losses = view.losses(name)
        assert close(losses[max(losses)], GOLDEN_LAST, within=1e-6), name


def test_a_stop_saves_on_all_ranks_and_every_pod_exits_75(
    checkout: Checkout, view: ClusterView, tmp_path: Path
) -> None:
    checkout.edit(jobs(stopped=job(args=["--step-seconds", "0.3"], wait="running")))
    assert checkout.up().code == 0
    eventually("a step", lambda: view.losses("stopped"))
    pods = [pod["metadata"]["name"] for pod in view.pods("stopped")]
    with view.watched_exit_codes("stopped", tmp_path) as codes:
        stop = "import os, signal; os.kill(1, signal.SIGTERM)"
        assert view.kubectl("-n", NAMESPACE, "exec", pods[1], "--", "python3", "-c", stop).code == 0
        eventually("both pods end", lambda: set(pods) <= set(codes()))
        assert {name: codes()[name] for name in pods} == dict.fromkeys(pods, 75)
    eventually("it resumes and completes", lambda: complete(view, "stopped"), within=240)
    losses = view.losses("stopped")
    assert min(losses) > 0, "it went on where it stopped"
    assert close(losses[max(losses)], GOLDEN_LAST, within=1e-6)


def test_somebody_elses_namespace_is_left_alone(checkout: Checkout, view: ClusterView) -> None:
    assert view.kubectl("create", "namespace", "theirs").code == 0
    checkout.edit(jobs(guest=job(namespace="theirs", nodes=1)))
    done = checkout.up()
    assert done.code != 0
    assert "namespace theirs is there already" in done.text
    checkout.edit(jobs())
    assert checkout.up().code == 0
    assert view.kubectl("get", "namespace", "theirs").code == 0
    assert view.kubectl("delete", "namespace", "theirs").code == 0


def test_destroy_leaves_nothing_in_the_cluster(checkout: Checkout, view: ClusterView) -> None:
    done = checkout.run("pulumi", "destroy", "--yes", "--non-interactive", "--stack", "local")
    assert done.code == 0, done.text
    assert leftovers(view) == []


def test_an_up_killed_half_way_is_completed_by_the_next(checkout: Checkout, view: ClusterView) -> None:
    checkout.restore()
    checkout.interrupt_up(lambda: "jobset" in releases(view))
    done = checkout.local("up")
    assert done.code == 0, done.text
    assert complete(view, JOB)
    assert checkout.up().code == 0
    assert set(checkout.changes()) == {"same"}


def test_a_stack_file_with_mistakes_changes_nothing(checkout: Checkout) -> None:
    before = recorded(checkout)
    checkout.stack_file.write_text(checkout.stack_file.read_text().replace("weight: 3", "wieght: 3"))
    for done in (checkout.local("up"), checkout.up()):
        assert done.code != 0
        assert "queues.research.wieght: found an unknown key" in done.text
        assert "Traceback" not in done.text
    assert recorded(checkout) == before


def test_a_destroy_killed_half_way_is_completed_by_the_next(checkout: Checkout, view: ClusterView) -> None:
    checkout.interrupt_destroy(lambda: not view.objects("trainjobs"))
    done = checkout.local("down")  # the stack file is still broken: what is there must go all the same
    assert done.code == 0, done.text
    eventually("down leaves no process, not even those of the killed engine", lambda: not ours())
    checkout.restore()


def test_destroy_after_a_killed_up_leaves_nothing(checkout: Checkout, view: ClusterView) -> None:
    assert checkout.local("cluster").code == 0
    checkout.run("pulumi", "stack", "init", "local")
    checkout.edit(lambda config: config["muster:jobs"][JOB].update(args=["--step-seconds", "60"]))
    checkout.interrupt_up(lambda: "volcano" in releases(view))
    done = checkout.local("destroy")
    assert done.code == 0, done.text
    assert leftovers(view) == []


def test_a_cluster_of_ones_own_is_used_by_its_kubeconfig(checkout: Checkout, view: ClusterView) -> None:
    assert checkout.local("cluster").code == 0
    backend = {name: checkout.environment()[name] for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE")}
    words = ("-m", "local", "up", "--stack", "existing")
    done = checkout.run(sys.executable, *words, env=backend)
    assert done.code == 0, done.text
    assert complete(view, JOB)
    losses = view.losses(JOB)
    assert close(losses[max(losses)], GOLDEN_LAST)
    done = checkout.run(sys.executable, "-m", "local", "down", "--stack", "existing", env=backend)
    assert done.code == 0, done.text
    assert leftovers(view) == []


def recorded(checkout: Checkout) -> list[tuple[str, object, object]]:
    """What the stack's state says of every resource, without the times at which it was looked at."""
    state = json.loads(checkout.run("pulumi", "stack", "export", "--stack", "local").text)["deployment"]
    assert "pending_operations" not in state, "a whole update leaves nothing pending"
    return [(item["urn"], item.get("id"), item.get("inputs")) for item in state["resources"]]


def complete(view: ClusterView, name: str) -> bool:
    conditions = view.job(name).get("status", {}).get("conditions", ())
    assert not any(c["type"] == "Failed" and c["status"] == "True" for c in conditions), conditions
    return any(c["type"] == "Complete" and c["status"] == "True" for c in conditions)


def kill_rank(view: ClusterView, name: str) -> None:
    os.kill(view.rank_pids(name)[1], signal.SIGKILL)


def kill_launcher(view: ClusterView, name: str) -> None:
    os.kill(parent(view.rank_pids(name)[1]), signal.SIGKILL)


def delete_pod(view: ClusterView, name: str) -> None:
    view.kubectl(
        "-n", NAMESPACE, "delete", "pod", view.pods(name)[1]["metadata"]["name"], "--wait=false", "--grace-period=1"
    )


def free_millicores(view: ClusterView) -> int:
    """CPU of the real node that no pod has asked for."""
    node = json.loads(view.kubectl("get", "node", "local", "-o", "json").text)
    pods = json.loads(view.kubectl("get", "pods", "-A", "--field-selector", "spec.nodeName=local", "-o", "json").text)
    asked = sum(
        millicores(container.get("resources", {}).get("requests", {}).get("cpu", "0"))
        for pod in pods["items"]
        if pod["status"]["phase"] in ("Pending", "Running")
        for container in pod["spec"]["containers"]
    )
    return millicores(node["status"]["allocatable"]["cpu"]) - asked


def millicores(text: str) -> int:
    return int(text[:-1]) if text.endswith("m") else int(float(text) * 1000)


def blocker(cpu: int) -> str:
    container = {
        "name": "blocker",
        "image": "docker.io/muster/deepspeed:cpu",
        "command": ["python3", "-c", "import time; time.sleep(600)"],
        "resources": {"requests": {"cpu": f"{cpu}m"}},
    }
    return json.dumps({"spec": {"containers": [container], "nodeSelector": {"muster.dev/pool": "cpu"}}})


def releases(view: ClusterView) -> set[str]:
    done = view.kubectl("get", "secrets", "-A", "-l", "owner=helm", "-o", "json")
    return {item["metadata"]["labels"]["name"] for item in json.loads(done.text)["items"]} if done.code == 0 else set()


BUILT_IN = {"default", "kube-node-lease", "kube-public", "kube-system"}


def leftovers(view: ClusterView) -> list[str]:
    """Everything that a fresh cluster does not have: CRDs, namespaces, releases, webhooks, volumes, roles, nodes."""
    found = []
    for kind in (
        "crds",
        "namespaces",
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
        "persistentvolumes",
        "nodes",
        "clusterroles",
        "clusterrolebindings",
    ):
        names = view.kubectl("get", kind, "-o", "name").text.split()
        found += [name for name in names if name.startswith(tuple("abcdefghijklmnopqrstuvwxyz"))]
    own = [name for name in found if not is_built_in(name)]
    own += sorted(releases(view))
    pods = view.kubectl("get", "pods,services,configmaps,secrets,jobs", "-A", "-o", "name").text.split()
    return own + [
        name
        for name in pods
        if name
        not in (
            "service/kubernetes",
            "configmap/kube-root-ca.crt",
            "configmap/extension-apiserver-authentication",
            "configmap/kube-apiserver-legacy-service-account-token-tracking",
        )
    ]


def is_built_in(name: str) -> bool:
    kind, _, plain = name.partition("/")
    if kind == "namespace":
        return plain in BUILT_IN
    if kind == "node":
        return plain == "local"
    return plain.startswith("system:") or plain in ("admin", "edit", "view", "cluster-admin", "local")
