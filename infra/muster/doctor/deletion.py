"""Things that are to go and don't: who holds them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from muster import durations, moments
from muster.doctor.evidence import Evidence, Thing
from muster.doctor.finding import Finding

STUCK_S = 30
"""Seconds after its deletion from which on a thing counts as stuck, for a pod after its grace period."""
PODS_S = 180
"""The same where the garbage collector waits for pods, which may save for two minutes before they end."""
COLLECTOR = {"foregroundDeletion", "orphan"}
"""https://kubernetes.io/docs/concepts/architecture/garbage-collection/#foreground-deletion"""
LET_GO = '{"metadata":{"finalizers":null}}'


def findings(evidence: Evidence, now: datetime) -> list[Finding]:
    """Objects and namespaces that are stuck in deletion, and pods on nodes that can't end them."""
    held = [thing for thing in evidence.held if _held(thing, now)]
    known = {(thing.namespace, thing.name) for thing in evidence.held}
    others = [
        thing
        for thing in evidence.things
        if thing.kind != "namespace" and (thing.namespace, thing.name) not in known and _held(thing, now)
    ]
    holding = {thing.namespace for thing in held}
    gone = [
        _namespace(Thing("namespace", one["metadata"]), evidence.held)
        for one in evidence.namespaces
        if age(one["metadata"], now) > (STUCK_S if one["metadata"]["name"] in holding else PODS_S)
    ]
    pods = [
        _pod(Thing("pod", row.metadata), str(row.cells.get("Node")), now)
        for row in evidence.listed.pods
        if age(row.metadata, now) > STUCK_S
    ]
    return [*(_object(thing, now) for thing in [*held, *others]), *gone, *pods]


def age(metadata: Any, now: datetime) -> int:
    """Seconds since a thing should have gone, 0 where nobody deleted it."""
    said = metadata.get("deletionTimestamp")
    return max(0, int((now - moments.parse(said)).total_seconds())) if said else 0


def _held(thing: Thing, now: datetime) -> bool:
    """Whether an object's finalizers have kept it for longer than those who serve them need."""
    patient = thing.kind == "pods" or COLLECTOR.issuperset(thing.finalizers)
    return bool(thing.finalizers) and age(thing.metadata, now) > (PODS_S if patient else STUCK_S)


def _object(thing: Thing, now: datetime) -> Finding:
    return Finding(
        "stuck-in-deletion",
        thing.label,
        f"deleted {durations.rough(age(thing.metadata, now))} ago, held by {', '.join(thing.finalizers)}; "
        "let it go only if nobody serves that finalizer any more",
        f"kubectl patch {thing.words} --type=merge -p '{LET_GO}'",
    )


def _namespace(thing: Thing, held: Sequence[Thing]) -> Finding:
    mine = [one for one in held if one.namespace == thing.name]
    names = ", ".join(one.label for one in mine[:5]) + (f" and {len(mine) - 5} more" if len(mine) > 5 else "")  # noqa: PLR2004
    if mine:
        first = next((one for one in mine if one.finalizers), mine[0])
        mend = (
            f"kubectl patch {first.words} --type=merge -p '{LET_GO}'"
            if first.finalizers
            else f"kubectl delete {first.words}"
        )
        return Finding("stuck-in-deletion", thing.label, f"in deletion, still holds {names}", mend)
    raw = f"/api/v1/namespaces/{thing.name}/finalize"
    mend = f"kubectl get namespace {thing.name} -o json | sed '/\"kubernetes\"/d' | kubectl replace --raw {raw} -f -"
    return Finding("stuck-in-deletion", thing.label, "in deletion, holds nothing any more", mend)


def _pod(thing: Thing, node: str, now: datetime) -> Finding:
    late = durations.rough(age(thing.metadata, now))
    return Finding(
        "stuck-in-deletion",
        thing.label,
        f"should have ended {late} ago; its node {node} does not answer or is gone",
        f"kubectl delete {thing.words} --force --grace-period=0",
    )
