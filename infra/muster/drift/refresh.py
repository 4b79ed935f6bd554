"""What the engine's refresh-only preview says was changed outside: resources whose inputs are not those of the state.

`pulumi refresh --preview-only --json` prints the document of a preview in which a resource that differs is an update,
its old state what Pulumi recorded and its new state what is there; one that is gone is a deletion.
https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/backend/display/json.go
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from muster.drift.finding import ABSENT, Difference, Finding, Path, Thing
from muster.manifests.aws import kubeconfig as eks_kubeconfig
from muster.plan import Plan
from muster.preview import Change, Preview

WORDS = ("refresh", "--preview-only", "--json")
"""What the engine is asked."""
EKS = "aws:eks/cluster:Cluster"
KUBERNETES = "kubernetes:"
PROVIDER = "pulumi:providers:"
_STEP = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)')
"""One step of a property path: https://www.pulumi.com/docs/iac/concepts/options/ignorechanges/#property-paths"""


def findings(preview: Preview) -> Iterator[Finding]:
    """Everything that the engine saw, field by field."""
    for change in preview.changed():
        if change.kind.startswith(PROVIDER):
            continue
        thing = _thing(change)
        if change.operation == "delete":
            yield Finding(thing, Difference((), "there", ABSENT))
            continue
        for path in _finest(map(steps, change.fields)):
            wanted, found = at(change.old, path), at(change.new, path)
            if wanted != found:
                yield Finding(thing, Difference(path, wanted, found))


def _finest(paths: Iterable[Path]) -> list[Path]:
    """Paths without those that only lead to others: the engine names a property, and what in it differs."""
    every = sorted(set(paths))
    return [path for path in every if not any(len(path) < len(other) and other[: len(path)] == path for other in every)]


def without(known: Iterable[Finding], more: Iterable[Finding]) -> list[Finding]:
    """`more` without findings on things that `known` tells of already: the cluster itself says more than the engine."""
    told = {one.thing.title for one in known}
    return [one for one in more if one.thing.title not in told]


def kubeconfig(preview: Preview, plan: Plan) -> str | None:
    """The kubeconfig of the stack's own EKS cluster as the state knows it, None where it knows none."""
    found = next((change.outputs for change in preview.changes if change.kind == EKS), None)
    if found is None or plan.aws is None:
        return None
    return eks_kubeconfig.build(plan.aws.eks, found["endpoint"], found["certificateAuthority"]["data"])


def steps(field: str) -> Path:
    """A property path as keys; numbers of elements stand in brackets."""
    return tuple(
        (quoted.replace('\\"', '"') or word) if not number else f"[{number}]"
        for quoted, number, word in _STEP.findall(field)
    )


def at(value: Any, path: Path) -> Any:
    """The value at a path, ABSENT where there is none."""
    for key in path:
        if isinstance(value, list) and key.startswith("[") and int(key[1:-1]) < len(value):
            value = value[int(key[1:-1])]
        elif isinstance(value, Mapping) and key in value:
            value = value[key]
        else:
            return ABSENT
    return value


def _thing(change: Change) -> Thing:
    if not change.kind.startswith(KUBERNETES):
        return Thing(change.noun, change.name, "cloud")
    if change.noun == "Release":
        home = str(change.old.get("namespace", ""))
        return Thing("Release", change.name, "release", home, change.name, home)
    metadata = change.old.get("metadata") or {}
    namespace = str(metadata.get("namespace") or "")
    # The provider writes it into custom resources that have none, and no stack has anything else there.
    # https://github.com/pulumi/pulumi-kubernetes/blob/v4.25.0/provider/pkg/provider/provider.go
    where = "" if namespace == "default" else namespace
    return Thing(change.noun, str(metadata.get("name") or change.name), "stack", where)
