"""Broken things are named, and the commands that come with them mend them; after a destroy nothing is left to name."""

import json
from typing import Any

import pytest

from tests.e2e.checkout import Checkout
from tests.e2e.cluster_view import ClusterView, eventually

NOWHERE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "nowhere", "namespace": "jobset-system"},
    "spec": {
        "nodeSelector": {"nowhere": "at-all"},
        "containers": [{"name": "c", "image": "registry.k8s.io/pause:3.10"}],
    },
}
HELD = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "keep", "namespace": "old", "finalizers": ["example.com/hold"]},
}


@pytest.fixture(scope="module", autouse=True)
def platform(checkout: Checkout) -> None:
    """The stack without jobs."""
    checkout.restore()
    checkout.edit(lambda config: config.update({"muster:jobs": {}}))
    done = checkout.local("up")
    assert done.code == 0, done.text


def doctor(checkout: Checkout, *words: str) -> list[dict[str, Any]]:
    """What the doctor finds; the exit code says whether it found something."""
    done = checkout.run(".venv/bin/muster", "doctor", "--json", *words)
    assert done.code in (0, 5), done.text
    found = json.loads(done.text)["findings"]
    assert done.code == (5 if found else 0)
    return list(found)


def kinds(checkout: Checkout, *words: str) -> list[tuple[str, str]]:
    return [(one["kind"], one["what"]) for one in doctor(checkout, *words)]


def mend(checkout: Checkout, found: list[dict[str, Any]]) -> None:
    """Type the commands that came with the findings, each once."""
    for command in dict.fromkeys(one["mend"] for one in found):
        done = checkout.run("bash", "-c", command)
        assert done.code == 0, done.text


def apply(checkout: Checkout, document: dict[str, Any]) -> None:
    done = checkout.run("bash", "-c", f"kubectl apply -f - <<'END'\n{json.dumps(document)}\nEND")
    assert done.code == 0, done.text


def test_a_stack_that_is_up_is_healthy(checkout: Checkout) -> None:
    done = checkout.run(".venv/bin/muster", "doctor")
    assert (done.code, done.text) == (0, "healthy: nothing is broken\n")


def test_status_and_watch_agree_on_the_pools(checkout: Checkout) -> None:
    status = json.loads(checkout.run(".venv/bin/muster", "status", "--json").text)
    assert status["pools"]["sim"] == {
        "nodes": 2,
        "ready": 2,
        "gpus": 16,
        "gpusHeld": 0,
        "gpusFree": 16,
        "efaPerNode": 32,
        "nodesLackingGpus": [],
        "nodesLackingEfa": [],
    }
    assert status["gangs"] == {"research": {"running": 0, "pending": 0, "gpus": 0}}
    watched = checkout.run(".venv/bin/muster", "watch", "--until-done")
    assert watched.code == 0
    assert "pool sim: 2 of 2 nodes ready, 16 GPUs, 32 EFA a node" in watched.text


def test_a_controller_that_was_scaled_away_and_its_webhooks(checkout: Checkout, view: ClusterView) -> None:
    view.kubectl("-n", "jobset-system", "scale", "deployment/jobset-controller", "--replicas=0")
    expected = [
        ("controller-stopped", "deployment jobset-system/jobset-controller"),
        ("webhook-without-endpoints", "webhook jobset-mutating-webhook-configuration"),
        ("webhook-without-endpoints", "webhook jobset-validating-webhook-configuration"),
    ]
    eventually("the doctor names them", lambda: sorted(kinds(checkout)) == expected)
    mend(checkout, doctor(checkout))
    eventually("all is well again", lambda: kinds(checkout) == [])


def test_a_pod_of_the_platform_that_fits_nowhere(checkout: Checkout) -> None:
    apply(checkout, NOWHERE)
    eventually("the doctor names it", lambda: kinds(checkout) == [("pod-not-placed", "pod jobset-system/nowhere")])
    found = doctor(checkout)
    assert "node affinity/selector" in found[0]["found"]
    mend(checkout, found)
    eventually("all is well again", lambda: kinds(checkout) == [])


def test_a_namespace_that_a_finalizer_holds(checkout: Checkout, view: ClusterView) -> None:
    view.kubectl("create", "namespace", "old")
    apply(checkout, HELD)
    view.kubectl("delete", "namespace", "old", "--wait=false")
    expected = [("stuck-in-deletion", "configmaps old/keep"), ("stuck-in-deletion", "namespace old")]
    eventually("the doctor names both", lambda: kinds(checkout) == expected)
    found = doctor(checkout)
    assert "held by example.com/hold" in found[0]["found"]
    assert found[1]["found"] == "in deletion, still holds configmaps old/keep"
    mend(checkout, found)
    eventually(
        "the namespace is gone", lambda: "old" not in view.kubectl("get", "namespaces", "-o", "name").text.split("/")
    )
    eventually("all is well again", lambda: kinds(checkout) == [])


def test_a_queue_that_was_closed(checkout: Checkout, view: ClusterView) -> None:
    queue = json.loads(view.kubectl("get", "queue", "research", "-o", "json").text)
    target = {"apiVersion": queue["apiVersion"], "kind": "Queue", "name": "research", "uid": queue["metadata"]["uid"]}
    command = {
        "apiVersion": "bus.volcano.sh/v1alpha1",
        "kind": "Command",
        "metadata": {"name": "close", "namespace": "default", "ownerReferences": [target]},
        "action": "CloseQueue",
        "target": target,
    }
    apply(checkout, command)
    eventually("the doctor names it", lambda: kinds(checkout) == [("queue-not-open", "queue research")])
    mend(checkout, doctor(checkout))
    eventually("all is well again", lambda: kinds(checkout) == [])


def test_after_a_destroy_nothing_is_left_and_what_is_planted_is_found(checkout: Checkout, view: ClusterView) -> None:
    assert ("left-over", "crd trainjobs.trainer.kubeflow.org") in kinds(checkout, "--after-destroy")
    done = checkout.local("destroy")
    assert done.code == 0, done.text
    assert doctor(checkout, "--after-destroy") == []
    view.kubectl("create", "clusterrole", "planted", "--verb=get", "--resource=pods")
    view.kubectl("label", "clusterrole", "planted", "app.kubernetes.io/managed-by=muster")
    found = doctor(checkout, "--after-destroy")
    assert [(one["what"], one["mend"]) for one in found] == [
        ("clusterrole planted", "kubectl delete clusterrole planted")
    ]
    mend(checkout, found)
    assert doctor(checkout, "--after-destroy") == []
