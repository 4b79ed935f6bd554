"""Questions to a cluster that is there already: reads, and reviews of one's own rights, which store nothing."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from muster.plan import Plan
from muster.preflight.answers import Answer, ClusterAnswers, Node, T, Unasked
from muster.report.reader import Object, Reader, Unreachable, items

RIGHTS = (
    ("", "namespaces"),
    ("", "secrets"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("apps", "deployments"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("trainer.kubeflow.org", "clustertrainingruntimes"),
    ("trainer.kubeflow.org", "trainjobs"),
)
"""API group and kind of what the releases and jobs of every stack create; secrets hold Helm's records."""
VERBS = ("create", "delete")


class Cluster(Reader, Protocol):
    """A reader that also knows whose a namespace is and what it may do. Every method may raise Unreachable."""

    def is_foreign(self, namespace: str) -> bool:
        """Whether a namespace is there that was not made by a stack of this project."""

    def may(self, verb: str, group: str, resource: str) -> bool:
        """Whether the kubeconfig's user may do that in every namespace."""


def ask(plan: Plan, opened: Callable[[], Cluster], say: Callable[[str], None]) -> ClusterAnswers:
    """Everything about a plan; a cluster that does not answer is asked once."""
    say("cluster")
    try:
        cluster = opened()
        version = str((cluster.get("/version") or {})["gitVersion"])
    except Unreachable as error:
        why = Unasked(str(error), _start(plan))
        return ClusterAnswers(why, {pool.name: why for pool in plan.pools if pool.type is None}, why, why)
    say("nodes")
    nodes = {pool.name: _try(partial(_nodes, cluster, pool.node_selector)) for pool in plan.pools if pool.type is None}
    say("namespaces and rights")
    return ClusterAnswers(
        version,
        nodes,
        _try(lambda: tuple(name for name in plan.namespaces if cluster.is_foreign(name))),
        _try(lambda: _missing(cluster)),
    )


def _start(plan: Plan) -> str:
    if plan.cluster.provider == "embedded":
        return f"make up STACK={plan.stack} starts it"
    return "look at KUBECONFIG, cluster.context and the network"


def _try(question: Callable[[], T]) -> Answer[T]:
    try:
        return question()
    except Unreachable as error:
        return Unasked(str(error), "rights to read nodes and namespaces")


def _nodes(cluster: Cluster, selector: Mapping[str, str]) -> tuple[Node, ...]:
    labels = ",".join(f"{key}={value}" for key, value in selector.items())
    return tuple(_node(row) for row in items(cluster.get("/api/v1/nodes", labelSelector=labels)))


def _node(row: Any) -> Node:
    conditions: list[Object] = row["status"].get("conditions", [])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    schedulable = not row.get("spec", {}).get("unschedulable", False)
    return Node(row["metadata"]["name"], ready and schedulable, row["status"].get("allocatable", {}))


def _missing(cluster: Cluster) -> tuple[str, ...]:
    return tuple(
        f"{verb} {resource}{f'.{group}' if group else ''}"
        for group, resource in RIGHTS
        for verb in VERBS
        if not cluster.may(verb, group, resource)
    )
