"""Every check of a cluster that is there already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from muster.catalog import services
from muster.plan import Plan
from muster.preflight import cluster
from muster.preflight.checks import cluster as checks
from muster.preflight.lines import Line
from muster.report.reader import Object, Unreachable

from tests.unit import planned

CONFIG: dict[str, Any] = {
    "cluster": {"provider": "existing"},
    "pools": {
        "cpu": {
            "existing": {"nodeSelector": {"muster.dev/pool": "cpu", "zone": "a"}},
            "nodes": 2,
            "podsPerNode": 2,
            "podResources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "2", "memory": "4Gi"}},
        }
    },
    "runtimes": {"ds": {"template": "pinned", "pool": "cpu"}},
}


def node(name: str, *, ready: str = "True", cpu: str = "4", memory: str = "8Gi", cordoned: bool = False) -> Object:
    return {
        "metadata": {"name": name},
        "spec": {"unschedulable": True} if cordoned else {},
        "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "allocatable": {"cpu": cpu, "memory": memory},
        },
    }


TWO = (node("a"), node("b"))


@dataclass
class Double:
    """A double of a cluster. What is in `denied` can't be read."""

    version: str = "v1.35.4"
    nodes: Sequence[Object] = TWO
    foreign: frozenset[str] = frozenset()
    refused: frozenset[tuple[str, str]] = frozenset()
    denied: frozenset[str] = frozenset()
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def _check(self, what: str) -> None:
        if what in self.denied:
            raise Unreachable(f"https://there: 403 Forbidden, {what}")

    def get(self, path: str, **params: str) -> Object | None:
        self.asked.append((path, params))
        self._check(path)
        return {"gitVersion": self.version} if path == "/version" else {"items": list(self.nodes)}

    def log(self, namespace: str, pod: str, lines: int) -> list[str]:
        raise AssertionError(f"nobody reads logs: {namespace}/{pod} {lines}")

    def is_foreign(self, namespace: str) -> bool:
        self._check("namespaces")
        return namespace in self.foreign

    def may(self, verb: str, group: str, resource: str) -> bool:
        self._check("reviews")
        return (verb, f"{resource}.{group}".rstrip(".")) not in self.refused


def plan(config: Mapping[str, Any] = CONFIG) -> Plan:
    return planned.of(dict(config))


def looked(double: Double, made: Plan | None = None) -> dict[str, Line]:
    made = made or plan()
    answers = cluster.ask(made, lambda: double, lambda _: None)
    return {line.name: line for line in checks.check(made, answers, services.load())}


NAMESPACES = "jobset-system, kubeflow-system, volcano-system"


def test_where_everything_is_right_every_line_is_ok() -> None:
    double = Double()
    assert {name: (line.state, line.text) for name, line in looked(double).items()} == {
        "API server": ("ok", "answers, Kubernetes v1.35.4"),
        "nodes of pool cpu": ("ok", "2 ready"),
        "namespaces": ("ok", f"{NAMESPACES}: free, or this project's own"),
        "rights": ("ok", "everything that the releases and jobs need"),
    }
    assert double.asked == [
        ("/version", {}),
        ("/api/v1/nodes", {"labelSelector": "muster.dev/pool=cpu,zone=a"}),
    ]


POOL = "nodes of pool cpu"


@pytest.mark.parametrize(
    ("double", "line"),
    [
        (
            Double(version="v1.33.1-eks-1"),
            Line(
                "API server", "warn", "answers, Kubernetes v1.33.1-eks-1", "the locked set was made for 1.34 and 1.35"
            ),
        ),
        (
            Double(nodes=TWO[:1]),
            Line(
                POOL,
                "fail",
                "1 of 2 nodes have its labels",
                "label nodes as pools.cpu.existing.nodeSelector says, or pools.cpu.nodes: 1",
            ),
        ),
        (
            Double(nodes=(*TWO[:1], node("b", ready="Unknown"))),
            Line(POOL, "fail", "1 of 2 nodes are ready", "kubectl describe nodes"),
        ),
        (
            Double(nodes=(*TWO[:1], node("b", cordoned=True))),
            Line(POOL, "fail", "1 of 2 nodes are ready", "kubectl describe nodes"),
        ),
        (
            Double(nodes=(*TWO[:1], node("b", cpu="1900m", memory="3Gi"))),
            Line(
                POOL,
                "fail",
                "b has cpu 1900m for 2 x 1, memory 3Gi for 2 x 2Gi",
                "smaller pools.cpu.podResources, or fewer podsPerNode",
            ),
        ),
        (
            Double(denied=frozenset({"/api/v1/nodes"})),
            Line(POOL, "unknown", "https://there: 403 Forbidden, /api/v1/nodes", "rights to read nodes and namespaces"),
        ),
        (
            Double(foreign=frozenset({"volcano-system"})),
            Line("namespaces", "fail", "volcano-system: there, and not this project's", "other names, or delete them"),
        ),
        (
            Double(denied=frozenset({"namespaces"})),
            Line(
                "namespaces",
                "unknown",
                "https://there: 403 Forbidden, namespaces",
                "rights to read nodes and namespaces",
            ),
        ),
        (
            Double(refused=frozenset({("create", "namespaces"), ("delete", "trainjobs.trainer.kubeflow.org")})),
            Line(
                "rights",
                "fail",
                "the user may not create namespaces, delete trainjobs.trainer.kubeflow.org",
                "a kubeconfig of an administrator",
            ),
        ),
        (
            Double(denied=frozenset({"reviews"})),
            Line("rights", "unknown", "https://there: 403 Forbidden, reviews", "rights to read nodes and namespaces"),
        ),
    ],
    ids=lambda value: f"{value.name} {value.state} {value.text}" if isinstance(value, Line) else "",
)
def test_a_line(double: Double, line: Line) -> None:
    assert looked(double)[line.name] == line


@pytest.mark.parametrize(
    ("config", "remedy"),
    [
        (CONFIG, "look at KUBECONFIG, cluster.context and the network"),
        ({**CONFIG, "cluster": {"provider": "embedded"}}, "make up STACK=test starts it"),
    ],
    ids=["existing", "embedded"],
)
def test_a_cluster_that_does_not_answer_leaves_everything_unknown(config: Mapping[str, Any], remedy: str) -> None:
    double = Double(denied=frozenset({"/version"}))
    found = looked(double, plan(config))
    assert {(line.state, line.text, line.remedy) for line in found.values()} == {
        ("unknown", "https://there: 403 Forbidden, /version", remedy)
    }
    assert list(found) == ["API server", POOL, "namespaces", "rights"]
    assert [path for path, _ in double.asked] == ["/version"]
