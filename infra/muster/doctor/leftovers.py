"""What a destroyed stack left in a cluster."""

from collections.abc import Sequence

from muster.doctor.deletion import LET_GO
from muster.doctor.evidence import Thing
from muster.doctor.finding import Finding
from muster.plan import Plan

GROUPS = ("trainer.kubeflow.org", "jobset.x-k8s.io", "volcano.sh", "nvidia.com")
"""API groups, with those below them, of the platform's own kinds."""
RELEASE, SPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
"""Annotations of everything that Helm made: https://github.com/helm/helm/blob/v3.22.0/pkg/action/validate.go"""
MANAGED = ("app.kubernetes.io/managed-by", "muster")


def findings(things: Sequence[Thing], plan: Plan) -> list[Finding]:
    """Everything of the stack among `things`, in the order in which it should go."""
    releases = {(release.namespace, release.name) for release in plan.releases}
    gone = set(plan.namespaces)
    left = [(thing, why) for thing in things if (why := _ours(thing, releases, gone))]
    inside = {thing.name for thing, _ in left if thing.kind == "namespace"}
    return [_finding(thing, why) for thing, why in left if thing.finalizers or thing.namespace not in inside]


def _ours(thing: Thing, releases: set[tuple[str, str]], namespaces: set[str]) -> str:
    """Why an object is the stack's; empty where it is somebody else's."""
    labels, annotations = thing.metadata.get("labels") or {}, thing.metadata.get("annotations") or {}
    owner = (annotations.get(SPACE, ""), annotations.get(RELEASE, ""))
    if labels.get(MANAGED[0]) == MANAGED[1]:
        return "labelled as made by muster"
    if owner in releases:
        return f"made by release {'/'.join(owner)}"
    if thing.kind == "secret" and labels.get("owner") == "helm" and (thing.namespace, labels.get("name")) in releases:
        return f"Helm's record of release {labels['name']}"
    if thing.kind == "crd" and not owner[1] and _below(thing.name.partition(".")[2]):
        return "a kind of the platform that no release owns; deleting it deletes every object of it"
    if thing.kind == "namespace" and thing.name in namespaces:
        return "a namespace of the stack"
    if thing.kind in ("trainjob", "jobset", "podgroup") and thing.namespace in namespaces:
        return "in a namespace of the stack"
    return ""


def _below(group: str) -> bool:
    return any(f".{group}".endswith(f".{one}") for one in GROUPS)


def _finding(thing: Thing, why: str) -> Finding:
    if thing.finalizers and thing.metadata.get("deletionTimestamp"):
        said = f"{why}, in deletion, held by {', '.join(thing.finalizers)}"
        return Finding("left-over", thing.label, said, f"kubectl patch {thing.words} --type=merge -p '{LET_GO}'")
    return Finding("left-over", thing.label, why, f"kubectl delete {thing.words}")
