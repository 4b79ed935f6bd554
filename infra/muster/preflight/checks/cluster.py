"""A cluster that is there already: does it answer, is it of a version that fits, has it the nodes and the rights."""

from muster import quantities
from muster.catalog.services import Services
from muster.plan import Plan, PoolPlan
from muster.plan.parts import EFA, GPU
from muster.preflight.answers import Answer, ClusterAnswers, Node, Unasked
from muster.preflight.lines import Finding, Line, unknown, worst


def check(plan: Plan, answers: ClusterAnswers, services: Services) -> tuple[Line, ...]:
    """One line for the API server, each existing pool, the namespaces and the rights."""
    return (
        _version(answers, services),
        *(_pool(pool, answers.nodes[pool.name]) for pool in plan.pools if pool.type is None),
        _namespaces(plan, answers),
        _rights(answers),
    )


def _version(answers: ClusterAnswers, services: Services) -> Line:
    name, found = "API server", answers.version
    if isinstance(found, Unasked):
        return unknown(name, found)
    minor = ".".join(found.removeprefix("v").split(".")[:2])
    if minor not in services.platform:
        known = " and ".join(services.platform)
        return Line(name, "warn", f"answers, Kubernetes {found}", f"the locked set was made for {known}")
    return Line(name, "ok", f"answers, Kubernetes {found}")


def _pool(pool: PoolPlan, found: Answer[tuple[Node, ...]]) -> Line:
    name, key = f"nodes of pool {pool.name}", f"pools.{pool.name}"
    if isinstance(found, Unasked):
        return unknown(name, found)
    ready = [node for node in found if node.ready]
    findings: list[Finding] = []
    if len(found) < pool.nodes:
        text = f"{len(found)} of {pool.nodes} nodes have its labels"
        findings.append(
            ("fail", text, f"label nodes as {key}.existing.nodeSelector says, or {key}.nodes: {len(found)}")
        )
    elif len(ready) < pool.nodes:
        findings.append(("fail", f"{len(ready)} of {pool.nodes} nodes are ready", "kubectl describe nodes"))
    for node in found:
        short = _short(pool, node)
        if short:
            findings.append(("fail", f"{node.name} has {short}", f"smaller {key}.podResources, or fewer podsPerNode"))
    return worst(name, findings, f"{len(ready)} ready")


def _short(pool: PoolPlan, node: Node) -> str:
    """What a node has too little of for all pods that the pool puts there."""
    lacks = []
    for resource in sorted({"cpu", "memory", GPU, EFA} & pool.requests.keys()):
        each = quantities.amount(pool.requests[resource])
        has = node.allocatable.get(resource, "0")
        if quantities.amount(has) < each * pool.pods_per_node:
            lacks.append(f"{resource} {has} for {pool.pods_per_node} x {pool.requests[resource]}")
    return ", ".join(lacks)


def _namespaces(plan: Plan, answers: ClusterAnswers) -> Line:
    name, found = "namespaces", answers.foreign
    if isinstance(found, Unasked):
        return unknown(name, found)
    if found:
        return Line(name, "fail", f"{', '.join(found)}: there, and not this project's", "other names, or delete them")
    return Line(name, "ok", f"{', '.join(plan.namespaces)}: free, or this project's own")


def _rights(answers: ClusterAnswers) -> Line:
    name, found = "rights", answers.missing
    if isinstance(found, Unasked):
        return unknown(name, found)
    if found:
        return Line(name, "fail", f"the user may not {', '.join(found)}", "a kubeconfig of an administrator")
    return Line(name, "ok", "everything that the releases and jobs need")
