"""The command that mends a difference."""

import json
import shlex
from typing import Any

from muster.drift import rules
from muster.drift.finding import ABSENT, Finding, Thing

LONGEST = 300
"""Characters of a patch that a person may still read; beyond, Helm puts everything back."""


def command(finding: Finding, stack: str) -> str:
    """What to run in a shell that knows stack and cluster, as `eval "$(make env)"` makes one.

    `make up` alone trusts the state, and would see nothing: REFRESH=1 reads first what is there.
    """
    thing, again = finding.thing, f"make up STACK={stack} REFRESH=1"
    if thing.kind == "Pods":
        return "nothing to do"
    if thing.kind == "Node" and finding.difference.path == ("spec", "unschedulable"):
        return f"kubectl uncordon {shlex.quote(thing.name)}"
    if thing.kind in rules.KINDS and finding.extra and not finding.difference.path:
        way = "egress" if thing.kind == rules.KINDS[True] else "ingress"
        where = f"--region {thing.home} --group-id {thing.of}"
        return f"aws ec2 revoke-security-group-{way} {where} --security-group-rule-ids {thing.name}"
    if thing.kind in ("Pool", "Release") or thing.kinship == "cloud":
        return again
    if thing.kinship == "release" and (finding.gone or (finding.secret and not finding.extra)):
        return _rollback(thing)
    if thing.kinship == "stack" and thing.immutable and finding.difference.path[:1] == ("data",):
        return f"{_kubectl(thing, 'delete')} && {again}"
    if thing.kinship == "stack" and not (finding.extra and thing.resource):
        return again
    patch = _patch(finding)
    if thing.kinship == "release" and len(patch) > LONGEST:
        return _rollback(thing)
    return f"{_kubectl(thing, 'patch')} --type json --patch {shlex.quote(patch)}"


def _rollback(thing: Thing) -> str:
    """Helm makes the deployed revision again: what is gone comes back, what was changed is as it was.

    Without a number it would take the revision before: https://helm.sh/docs/helm/helm_rollback/
    """
    return f"helm rollback {shlex.quote(thing.of)} {thing.revision} --namespace {shlex.quote(thing.home)}"


def _kubectl(thing: Thing, verb: str) -> str:
    where = f"--namespace {shlex.quote(thing.namespace)} " if thing.namespace else ""
    return f"kubectl {where}{verb} {thing.resource} {shlex.quote(thing.name)}"


def _patch(finding: Finding) -> str:
    """The difference as a JSON patch: https://datatracker.ietf.org/doc/html/rfc6902."""
    one = finding.difference
    step: dict[str, Any] = {"op": "remove", "path": one.pointer}
    if one.wanted is not ABSENT:
        step = {"op": "add" if one.found is ABSENT else "replace", "path": one.pointer, "value": one.wanted}
    return json.dumps([step])
