"""Whether a live object says what its manifest says."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from muster.drift import compare, mend, objects
from muster.drift.finding import ABSENT, Difference, Finding, Thing

from tests.unit import planned
from tests.unit.aws import environment

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "manager", "labels": {"app": "manager"}},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "manager"}},
        "template": {
            "metadata": {"labels": {"app": "manager"}},
            "spec": {
                "hostNetwork": False,
                "containers": [
                    {
                        "name": "manager",
                        "image": "registry/manager:1",
                        "args": ["--level", "info"],
                        "env": [{"name": "A", "value": "1"}],
                        "ports": [{"containerPort": 8080, "name": "http"}],
                        "resources": {"limits": {"cpu": "1000m", "memory": "1Gi"}, "requests": {}},
                        "volumeMounts": [{"name": "tmp", "mountPath": "/cache"}, {"name": "tmp", "mountPath": "/var"}],
                    }
                ],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            },
        },
    },
}
FILLED: dict[str, Any] = {
    "metadata": {
        "name": "manager",
        "namespace": "system",
        "uid": "u",
        "resourceVersion": "7",
        "generation": 1,
        "creationTimestamp": "2026-11-24T00:00:00Z",
        "labels": {"app": "manager", "app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"deployment.kubernetes.io/revision": "1", "meta.helm.sh/release-name": "r"},
    },
    "spec": {
        "replicas": 1,
        "progressDeadlineSeconds": 600,
        "revisionHistoryLimit": 10,
        "selector": {"matchLabels": {"app": "manager"}},
        "strategy": {"type": "RollingUpdate"},
        "template": {
            "metadata": {"creationTimestamp": None, "labels": {"app": "manager"}},
            "spec": {
                "containers": [
                    {
                        "name": "manager",
                        "image": "registry/manager:1",
                        "imagePullPolicy": "IfNotPresent",
                        "args": ["--level", "info"],
                        "env": [{"name": "A", "value": "1"}],
                        "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
                        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
                        "terminationMessagePath": "/dev/termination-log",
                        "volumeMounts": [{"name": "tmp", "mountPath": "/cache"}, {"name": "tmp", "mountPath": "/var"}],
                    }
                ],
                "dnsPolicy": "ClusterFirst",
                "restartPolicy": "Always",
                "securityContext": {},
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            },
        },
    },
    "status": {"replicas": 1},
}
"""The same as the API server keeps it, with its defaults and its controllers' records."""
POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", "[manager]")


def test_defaults_and_records_of_the_server_are_no_drift() -> None:
    assert compare.differences("Deployment", DEPLOYMENT, FILLED) == []


def _set(live: Any, *keys: Any) -> Any:
    """Set the value at a path to the last of `keys`; None takes it away."""
    *path, last, value = keys
    for key in path:
        live = live.setdefault(key, {}) if isinstance(live, dict) else live[key]
    if value is None:
        del live[last]
    elif isinstance(live, list):
        live.append(value)
    else:
        live[last] = value
    return live


C = ("spec", "template", "spec", "containers", 0)


@pytest.mark.parametrize(
    ("change", "path", "wanted", "found"),
    [
        (("spec", "replicas", 0), ("spec", "replicas"), 1, 0),
        ((*C, "image", "registry/manager:2"), (*CONTAINER, "image"), "registry/manager:1", "registry/manager:2"),
        ((*C, "args", ["--level", "debug"]), (*CONTAINER, "args", "[1]"), "info", "debug"),
        ((*C, "args", ["--level"]), (*CONTAINER, "args"), ["--level", "info"], ["--level"]),
        ((*C, "args", None), (*CONTAINER, "args"), ["--level", "info"], ABSENT),
        ((*C, "env", 1, {"name": "B"}), (*CONTAINER, "env", "[B]"), ABSENT, {"name": "B"}),
        ((*C, "command", ["sh"]), (*CONTAINER, "command"), ABSENT, ["sh"]),
        ((*C, "resources", "limits", "cpu", "2"), (*CONTAINER, "resources", "limits", "cpu"), "1000m", "2"),
        (
            (*C, "volumeMounts", 2, {"name": "x", "mountPath": "/x"}),
            (*CONTAINER, "volumeMounts", "[/x]"),
            ABSENT,
            {"name": "x", "mountPath": "/x"},
        ),
        ((*C[:3], "hostNetwork", True), (*POD, "hostNetwork"), False, True),
        ((*C[:3], "nodeSelector", {"a": "b"}), (*POD, "nodeSelector"), ABSENT, {"a": "b"}),
        (
            (*C[:3], "volumes", 0, "hostPath", {"path": "/"}),
            (*POD, "volumes", "[tmp]", "hostPath"),
            ABSENT,
            {"path": "/"},
        ),
        (("spec", "paused", True), ("spec", "paused"), ABSENT, True),
        (("metadata", "labels", "team", "a"), ("metadata", "labels", "team"), ABSENT, "a"),
        (("metadata", "labels", "app", "x"), ("metadata", "labels", "app"), "manager", "x"),
        (("metadata", "annotations", "note", "a"), ("metadata", "annotations", "note"), ABSENT, "a"),
    ],
)
def test_what_somebody_changed_is_named(change: Any, path: Any, wanted: Any, found: Any) -> None:
    live = copy.deepcopy(FILLED)
    _set(live, *change)
    (seen,) = compare.differences("Deployment", DEPLOYMENT, live)
    assert (seen.path, seen.wanted, seen.found) == (path, wanted, found)


@pytest.mark.parametrize(
    ("kind", "wanted", "live"),
    [
        (
            "Any",
            {"spec": {"limits": {"cpu": "1000m", "memory": "1024Mi"}}},
            {"spec": {"limits": {"cpu": 1, "memory": "1Gi"}}},
        ),
        ("Any", {"spec": {"storage": "1Ti"}}, {"spec": {"storage": "1024Gi"}}),
        ("Any", {"spec": {"a": None, "b": {}, "c": [], "d": 0, "e": "", "f": {"g": {}}}}, {"spec": {}}),
        ("Any", {"spec": {}}, {"spec": {}, "status": {"phase": "Bound"}}),
        ("Any", {"metadata": {"finalizers": ["a"]}}, {"metadata": {"finalizers": ["b"]}}),
        (
            "ValidatingWebhookConfiguration",
            {"webhooks": [{"name": "a", "clientConfig": {"caBundle": "", "service": {"name": "s"}}}]},
            {"webhooks": [{"name": "a", "clientConfig": {"caBundle": "Q0E=", "service": {"name": "s", "port": 443}}}]},
        ),
        ("Secret", {"type": "Opaque", "data": {}}, {"type": "Opaque", "data": {"tls.crt": "QQ=="}}),
        ("Secret", {"data": {"value": None}}, {"data": {"value": "QQ=="}}),
        ("Node", {"metadata": {"labels": {"a": "b"}}}, {"metadata": {"labels": {"a": "b", "feature": "c"}}}),
        (
            "Node",
            {"spec": {"taints": []}},
            {"spec": {"taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]}},
        ),
        (
            "Node",
            {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}},
            {
                "spec": {
                    "taints": [
                        {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
                        {"key": "a", "effect": "NoSchedule"},
                    ]
                }
            },
        ),
    ],
)
def test_no_drift(kind: str, wanted: Any, live: Any) -> None:
    assert compare.differences(kind, wanted, live) == []


@pytest.mark.parametrize(
    ("kind", "wanted", "live", "path"),
    [
        ("Any", {"spec": {"env": "1"}}, {"spec": {"env": "1000m"}}, ("spec", "env")),
        ("Any", {"spec": {"on": True}}, {"spec": {"on": 1}}, ("spec", "on")),
        ("Any", {"spec": {"on": False}}, {"spec": {"on": True}}, ("spec", "on")),
        ("Any", {"spec": {"a": {"b": 1}}}, {"spec": {"a": 1}}, ("spec", "a")),
        ("ConfigMap", {"data": {"a": "1"}}, {"data": {"a": "2"}}, ("data", "a")),
        ("ConfigMap", {}, {"data": {"a": "2"}}, ("data", "a")),
        (
            "Service",
            {"spec": {"selector": {"a": "b"}}},
            {"spec": {"selector": {"a": "b", "c": "d"}}},
            ("spec", "selector", "c"),
        ),
        ("Queue", {"spec": {"weight": 3}}, {"spec": {"weight": 1}}, ("spec", "weight")),
        ("TrainJob", {"spec": {}}, {"spec": {"suspend": True}}, ("spec", "suspend")),
        (
            "Node",
            {"spec": {"taints": []}},
            {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}},
            ("spec", "taints", "[a]"),
        ),
    ],
)
def test_drift(kind: str, wanted: Any, live: Any, path: Any) -> None:
    assert [one.path for one in compare.differences(kind, wanted, live)] == [path]


def test_what_an_autoscaler_owns_is_left_to_it() -> None:
    live = copy.deepcopy(FILLED)
    live["spec"]["replicas"] = 5
    assert compare.differences("Deployment", DEPLOYMENT, live, frozenset({("spec", "replicas")})) == []


KEYS = st.sampled_from(["name", "key", "image", "env", "a"])
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
documents = st.dictionaries(st.sampled_from(["spec", "data", "webhooks", "rules"]), values, max_size=3)


def with_defaults(value: Any) -> Any:
    """The value as a server may keep it: what states nothing is left out, and every map has a field of the server's."""
    if isinstance(value, dict):
        return {**{key: with_defaults(item) for key, item in value.items() if compare.says(item)}, "serverDefault": 1}
    return [with_defaults(item) for item in value] if isinstance(value, list) else value


@given(documents, st.sampled_from(["Deployment", "ConfigMap", "Secret", "Node", "TrainJob"]))
def test_an_object_is_as_itself(document: dict[str, Any], kind: str) -> None:
    assert compare.differences(kind, document, copy.deepcopy(document)) == []


@given(st.dictionaries(st.sampled_from(["spec", "webhooks", "rules"]), values, max_size=3))
def test_an_object_is_as_itself_with_what_the_server_fills_in(document: dict[str, Any]) -> None:
    assert compare.differences("Any", document, with_defaults(document)) == []


def test_every_manifest_of_the_stacks_is_as_itself() -> None:
    plans = [planned.of_stack("local"), planned.of(planned.P5), environment.plan()]
    found = [document for plan in plans for document in objects.declared(plan)]
    assert {"TrainJob", "Queue", "ClusterTrainingRuntime", "Namespace", "ConfigMap"} <= {one["kind"] for one in found}
    for document in found:
        assert compare.differences(document["kind"], document, json.loads(json.dumps(document))) == []


def patched(document: Any, patch: list[dict[str, Any]]) -> Any:
    """The object after a JSON patch of one step."""
    (step,) = patch
    *path, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
    made = copy.deepcopy(document)
    here = made
    for part in path:
        here = here[int(part)] if isinstance(here, list) else here[part]
    key: Any = (len(here) if last == "-" else int(last)) if isinstance(here, list) else last
    if step["op"] == "remove":
        del here[key]
    elif isinstance(here, list) and step["op"] == "add":
        here.insert(key, step["value"])
    else:
        here[key] = step["value"]
    return made


@pytest.mark.parametrize(
    "change",
    [
        ("spec", "replicas", 0),
        (*C, "image", "other"),
        (*C, "env", 1, {"name": "B", "value": "2"}),
        (*C, "args", None),
        ("metadata", "labels", "a/b~c", "d"),
        (*C[:3], "nodeSelector", {"a": "b"}),
    ],
)
def test_the_patch_of_a_difference_mends_it(change: Any) -> None:
    live = copy.deepcopy(FILLED)
    _set(live, *change)
    (seen,) = compare.differences("Deployment", DEPLOYMENT, live)
    thing = Thing("Deployment", "manager", "release", "system", "r", "system", 1, "deployment.apps")
    words = mend.command(Finding(thing, seen), "local")
    before, _, text = words.partition(" --type json --patch ")
    assert before == "kubectl --namespace system patch deployment.apps manager"
    assert compare.differences("Deployment", DEPLOYMENT, patched(live, json.loads(text.strip("'")))) == []


def test_an_element_that_lacks_is_added_at_the_end() -> None:
    wanted = {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "b", "effect": "NoSchedule"}]}}
    live = {"spec": {"taints": [{"key": "b", "effect": "NoSchedule"}]}}
    (seen,) = compare.differences("Node", wanted, live)
    assert seen == Difference(("spec", "taints", "[a]"), {"key": "a", "effect": "NoSchedule"}, ABSENT, "/spec/taints/-")
