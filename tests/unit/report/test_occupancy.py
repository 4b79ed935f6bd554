"""Who is on the nodes of each pool."""

from typing import Any

import pytest
from muster.report import occupancy
from muster.report.occupancy import Gang


class Answers:
    """A double of a cluster that has these nodes and pods."""

    def __init__(self, nodes: list[Any], pods: list[Any]) -> None:
        self.held = {"/api/v1/nodes": nodes, "/api/v1/pods": pods}

    def get(self, path: str, **params: str) -> Any:
        assert params == ({"labelSelector": "jobset.sigs.k8s.io/jobset-name"} if path.endswith("pods") else {})
        return {"items": self.held[path]}

    def log(self, namespace: str, pod: str, lines: int) -> list[str]:
        raise AssertionError(namespace, pod, lines)


NODES = [
    {"metadata": {"name": "a", "labels": {"muster.dev/pool": "gpu"}}},
    {"metadata": {"name": "b"}},
]


def pod(job: str, phase: str, node: str | None = None, asks: str | None = None) -> dict[str, Any]:
    spec = {"nodeName": node, "nodeSelector": {"muster.dev/pool": asks} if asks else None}
    labels = {"jobset.sigs.k8s.io/jobset-name": job}
    return {"metadata": {"namespace": "training", "labels": labels}, "spec": spec, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("pods", "gang"),
    [
        ([pod("x", "Running", "a")], Gang("training/x", "gpu", running=True)),
        ([pod("x", "Running", "a", "old-name")], Gang("training/x", "gpu", running=True)),
        ([pod("x", "Pending", None, "gpu")] * 2, Gang("training/x", "gpu", running=False)),
        ([pod("x", "Pending", None, "gpu"), pod("x", "Running", "a")], Gang("training/x", "gpu", running=True)),
        ([pod("x", "Running", "b")], Gang("training/x", "", running=True)),
    ],
)
def test_a_gang_is_where_its_pods_are_or_want_to_be(pods: list[Any], gang: Gang) -> None:
    found = occupancy.read(Answers(NODES, pods))
    assert found.gangs == {"training/x": gang}
    assert found.unseen == ""


def test_gangs_that_have_ended_hold_nothing() -> None:
    assert occupancy.read(Answers(NODES, [pod("x", "Succeeded", "a"), pod("y", "Failed", "a")])).gangs == {}
