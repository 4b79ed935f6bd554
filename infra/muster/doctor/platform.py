"""What the stack installed: releases, their pods, their webhooks."""

from collections.abc import Sequence
from typing import Any

from muster.doctor.evidence import Document, Evidence
from muster.doctor.finding import Finding, up
from muster.plan import Plan

DEPLOYED = "deployed"


def findings(evidence: Evidence, plan: Plan) -> list[Finding]:
    """Releases that are not deployed, controllers that don't run, webhooks that nobody answers."""
    return [
        *releases(evidence, plan),
        *controllers(evidence.deployments),
        *pods(evidence.sick),
        *webhooks(evidence, plan),
    ]


def releases(evidence: Evidence, plan: Plan) -> list[Finding]:
    """Helm releases in another state than deployed. `up` takes back what a killed run began."""
    where = {release.name: release.namespace for release in plan.releases}
    return [
        Finding("release-not-deployed", f"release {where[name]}/{name}", f"its state is {state}", up(plan.stack))
        for name, state in evidence.view.releases.items()
        if state != DEPLOYED
    ]


def controllers(deployments: Sequence[Document]) -> list[Finding]:
    """Deployments without a ready pod."""
    found = []
    for one in deployments:
        what = f"deployment {one['metadata']['namespace']}/{one['metadata']['name']}"
        if wanted(one) == 0:
            found.append(Finding("controller-stopped", what, "scaled to 0", revive(one)))
        elif not one.get("status", {}).get("readyReplicas"):
            found.append(Finding("controller-not-ready", what, f"0 of {wanted(one)} pods are ready", revive(one)))
    return found


def wanted(deployment: Document) -> int:
    """Pods that a Deployment shall have: one unless it says otherwise."""
    said = deployment.get("spec", {}).get("replicas")
    return 1 if said is None else int(said)


def revive(deployment: Document) -> str:
    """The command that brings a Deployment's pods back."""
    namespace, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
    if wanted(deployment) == 0:
        return f"kubectl -n {namespace} scale deployment/{name} --replicas=1"
    return f"kubectl -n {namespace} rollout restart deployment/{name}"


def pods(sick: Sequence[Document]) -> list[Finding]:
    """Pods of the platform that don't run, with the reason that the kubelet or the scheduler gives."""
    found = []
    for pod in sick:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        kind, why = complaint(pod)
        if kind:
            mend = f"kubectl -n {namespace} delete pod {name}"
            found.append(Finding(kind, f"pod {namespace}/{name}", why, mend))
    return found


def complaint(pod: Document) -> tuple[str, str]:
    """Kind and reason of a pod that doesn't run; both empty while it only starts."""
    status: Any = pod.get("status", {})
    for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = container.get("state", {}).get("waiting") or {}
        reason = waiting.get("reason", "")
        if reason not in ("", "ContainerCreating", "PodInitializing"):
            restarts = container.get("restartCount", 0)
            often = f", {restarts} restarts" if restarts else ""
            last = container.get("lastState", {}).get("terminated") or {}
            ended = f", last exit code {last['exitCode']}" if "exitCode" in last else ""
            said = f" {waiting['message']}" if waiting.get("message") and not last else ""
            return "pod-not-running", f"container {container['name']}: {reason}{said}{often}{ended}"
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return "pod-not-placed", str(condition.get("message") or condition.get("reason"))
    return "", ""


def webhooks(evidence: Evidence, plan: Plan) -> list[Finding]:
    """Webhooks of the platform whose service has no ready pod: the API server refuses what they admit."""
    ours = {release.namespace for release in plan.releases}
    found: dict[str, Finding] = {}
    for configuration in evidence.webhooks:
        for hook in configuration.get("webhooks") or ():
            service = hook.get("clientConfig", {}).get("service")
            if service is None or service["namespace"] not in ours:
                continue
            where, name = service["namespace"], service["name"]
            if evidence.endpoints.get((where, name), 0):
                continue
            what = f"webhook {configuration['metadata']['name']}"
            dead = [
                one
                for one in evidence.deployments
                if one["metadata"]["namespace"] == where and not one.get("status", {}).get("readyReplicas")
            ]
            found[what] = Finding(
                "webhook-without-endpoints",
                what,
                f"service {where}/{name} has no ready pod, so what it admits is refused or not checked",
                revive(dead[0]) if dead else up(plan.stack),
            )
    return list(found.values())
