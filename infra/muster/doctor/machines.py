"""Nodes and what they should offer: GPUs, fabric, the plugins that announce them."""

from collections.abc import Sequence

from muster.doctor.evidence import Document, Evidence
from muster.doctor.finding import Finding, up
from muster.plan import Plan
from muster.plan.parts import EFA, GPU
from muster.report import pools

PLUGINS = {GPU: "nvidia-device-plugin", EFA: "efa"}
"""What stands in the name of the DaemonSet that announces a resource."""


def findings(evidence: Evidence, plan: Plan) -> list[Finding]:
    """Missing and broken nodes, and device plugins that don't run."""
    return [
        *(finding for pool in plan.pools for finding in _pool(evidence, plan, pool.name)),
        *plugins(evidence.daemonsets),
    ]


def plugins(daemonsets: Sequence[Document]) -> list[Finding]:
    """DaemonSets of the platform that lack pods, or that a selector keeps off every node."""
    found = []
    for one in daemonsets:
        namespace, name, status = one["metadata"]["namespace"], one["metadata"]["name"], one.get("status", {})
        desired, ready = int(status.get("desiredNumberScheduled", 0)), int(status.get("numberReady", 0))
        if ready < desired:
            kind = "device-plugin-stopped" if any(word in name for word in PLUGINS.values()) else "daemonset-not-ready"
            mend = f"kubectl -n {namespace} rollout restart daemonset/{name}"
            found.append(Finding(kind, f"daemonset {namespace}/{name}", f"{ready} of {desired} pods are ready", mend))
    return found


def _pool(evidence: Evidence, plan: Plan, name: str) -> list[Finding]:
    pool = next(one for one in plan.pools if one.name == name)
    view = next(one for one in evidence.view.pools if one.name == name)
    mine = pools.members(pool, evidence.listed.nodes)
    found = [
        Finding(
            "node-not-ready",
            f"node {node['metadata']['name']}",
            f"of pool {name}: {_why(node)}; delete it if its machine is gone for good",
            f"kubectl delete node {node['metadata']['name']}",
        )
        for node in mine
        if not pools.ready(node)
    ]
    if len(mine) < pool.nodes:
        found.append(
            Finding("nodes-missing", f"pool {name}", f"{len(mine)} of {pool.nodes} nodes are there", up(plan.stack))
        )
    for resource, names, wanted in (
        (GPU, view.no_gpus, pool.type.gpus if pool.type else 0),
        (EFA, view.no_efa, pool.efa),
    ):
        kind = "node-lacks-gpus" if resource == GPU else "node-lacks-efa"
        for node in mine:
            if node["metadata"]["name"] in names:
                said = f"of pool {name}: offers {pools.allocatable(node, resource)} of {wanted} {resource}"
                mend = _plugin(evidence.daemonsets, resource) or up(plan.stack)
                found.append(Finding(kind, f"node {node['metadata']['name']}", said, mend))
    return found


def _why(node: Document) -> str:
    for condition in node.get("status", {}).get("conditions") or ():
        if condition["type"] == "Ready":
            return f"not ready, {condition.get('message') or condition.get('reason') or condition['status']}"
    return "no kubelet has reported yet"


def _plugin(daemonsets: Sequence[Document], resource: str) -> str:
    for one in daemonsets:
        if PLUGINS[resource] in one["metadata"]["name"]:
            return f"kubectl -n {one['metadata']['namespace']} rollout restart daemonset/{one['metadata']['name']}"
    return ""
