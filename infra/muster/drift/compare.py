"""Whether a live object says what its manifest says, field by field, with the same meaning."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from muster import quantities
from muster.drift.finding import ABSENT, Difference, Path

ANY = "*"
IGNORED: Sequence[tuple[str, Path, str]] = (
    (ANY, ("apiVersion",), "it is read in the manifest's version"),
    (ANY, ("kind",), "objects of lists don't repeat it"),
    (ANY, ("status",), "controllers write it"),
    (ANY, ("metadata", "namespace"), "it is looked for there"),
    (ANY, ("metadata", "finalizers"), "controllers add their own"),
    (ANY, ("metadata", "creationTimestamp"), "the API server writes it"),
    ("MutatingWebhookConfiguration", ("webhooks", ANY, "clientConfig", "caBundle"), "certificate controllers write it"),
    (
        "ValidatingWebhookConfiguration",
        ("webhooks", ANY, "clientConfig", "caBundle"),
        "certificate controllers write it",
    ),
    (
        "CustomResourceDefinition",
        ("spec", "conversion", "webhook", "clientConfig", "caBundle"),
        "certificate controllers write it",
    ),
    ("APIService", ("spec", "caBundle"), "certificate controllers write it"),
    ("Node", ("metadata", "labels", "*extra"), "kubelets and feature discovery add their own"),
    ("Node", ("metadata", "annotations", "*extra"), "controllers add their own"),
    ("Secret", ("data", "*extra"), "certificate controllers fill them"),
    ("Secret", ("data", "ca.crt"), "certificate controllers renew it"),
    ("Secret", ("data", "ca.key"), "certificate controllers renew it"),
    ("Secret", ("data", "tls.crt"), "certificate controllers renew it"),
    ("Secret", ("data", "tls.key"), "certificate controllers renew it"),
    ("ServiceAccount", ("secrets",), "the token controller writes it"),
    ("Job", ("spec", "selector"), "the API server writes it"),
    ("Job", ("spec", "template", "metadata", "labels", "*extra"), "the API server adds its own"),
)
"""Kind, path, reason: fields that others than a person change. `*extra` are keys that the manifest lacks."""
FOREIGN: Mapping[str, str] = {
    "app.kubernetes.io/managed-by": "Helm adds it to every object",
    "batch.kubernetes.io/": "written by the job controller",
    "deployment.kubernetes.io/": "written by the deployment controller",
    "deprecated.daemonset.template.generation": "written by the daemon set controller",
    "kubectl.kubernetes.io/": "kubectl's own records",
    "kubernetes.io/": "written by the API server",
    "kwok.x-k8s.io/": "of simulated nodes",
    "meta.helm.sh/": "Helm's own records",
    "pulumi.com/": "Pulumi's own records",
    "pv.kubernetes.io/": "written by the volume controllers",
    "volume.beta.kubernetes.io/": "written by the volume controllers",
    "volume.kubernetes.io/": "written by the volume controllers",
}
"""Beginnings of labels and annotations that others than a person add, with who does."""
FOREIGN_TAINTS: Mapping[str, str] = {
    "node.kubernetes.io/": "written by the node controller, a cordon among them",
    "node.cloudprovider.kubernetes.io/": "written by the cloud's node controller",
    "kwok.x-k8s.io/": "of simulated nodes",
}
"""Beginnings of taints that come and go by themselves.

https://kubernetes.io/docs/reference/labels-annotations-taints/
"""
CLOSED = frozenset(
    {
        "annotations",
        "binaryData",
        "capability",
        "data",
        "labels",
        "limits",
        "matchLabels",
        "nodeSelector",
        "parameters",
        "requests",
        "selector",
    }
)
"""Maps that the API server adds nothing to: a key that the manifest lacks was put there by somebody."""
NEVER_DEFAULTED = frozenset(
    {
        "affinity",
        "args",
        "command",
        "env",
        "envFrom",
        "hostNetwork",
        "initContainers",
        "nodeSelector",
        "paused",
        "suspend",
        "tolerations",
    }
)
"""Fields that the API server leaves out where the manifest does.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""
MERGE_KEYS = ("mountPath", "containerPort", "name", "key", "manager", "port")
"""What tells elements of a list apart, the first that fits, as Kubernetes merges them.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
"""
AMOUNTS = frozenset({"allocatable", "capability", "capacity", "deserved", "hard", "limits", "requests"})
"""Maps of quantities."""
AMOUNT = frozenset({"divisor", "sizeLimit", "storage"})
"""Fields that are quantities themselves."""


def differences(
    kind: str, wanted: Mapping[str, Any], live: Mapping[str, Any], owned: frozenset[Path] = frozenset()
) -> list[Difference]:
    """Fields of the manifest `wanted` that the live object lacks or says otherwise, and what was added to it.

    What the API server fills in by itself is no difference, nor what IGNORED names, nor the paths that `owned` says
    belong to somebody else.
    """
    metadata = {"labels": {}, "annotations": {}, **(wanted.get("metadata") or {})}
    whole = {**wanted, "metadata": metadata}
    if kind == "ConfigMap":
        whole = {"data": {}, "binaryData": {}, **whole}
    return [one for one in _map(kind, whole, live, (), "") if one.path not in owned]


def _walk(kind: str, wanted: Any, live: Any, path: Path, pointer: str) -> Iterator[Difference]:
    if wanted is None or ignored(kind, path):
        return
    if live is ABSENT:
        if says(wanted):
            yield Difference(path, wanted, ABSENT, pointer)
    elif isinstance(wanted, Mapping) and isinstance(live, Mapping):
        yield from _map(kind, wanted, live, path, pointer)
    elif isinstance(wanted, list) and isinstance(live, list):
        yield from _list(kind, wanted, live, path, pointer)
    elif not same(wanted, live, path):
        yield Difference(path, wanted, live, pointer)


def _map(
    kind: str, wanted: Mapping[str, Any], live: Mapping[str, Any], path: Path, pointer: str
) -> Iterator[Difference]:
    for key, value in wanted.items():
        yield from _walk(kind, value, live.get(key, ABSENT), (*path, key), _below(pointer, key))
    closed = bool(path) and (path[-1] in CLOSED or _volume(path))
    for key, value in live.items():
        own = wanted.get(key) is not None
        if own or not (closed or key in NEVER_DEFAULTED) or not says(value):
            continue
        if not (_foreign(path, key) or ignored(kind, (*path, "*extra")) or ignored(kind, (*path, key))):
            yield Difference((*path, key), ABSENT, value, _below(pointer, key))


def _list(kind: str, wanted: list[Any], live: list[Any], path: Path, pointer: str) -> Iterator[Difference]:
    name = _merge_key(wanted, live)
    if name is None:
        if len(wanted) == len(live):
            for index, (one, other) in enumerate(zip(wanted, live, strict=True)):
                yield from _walk(kind, one, other, (*path, f"[{index}]"), _below(pointer, index))
        else:
            yield Difference(path, wanted, live, pointer)
        return
    place = {str(item[name]): index for index, item in enumerate(live)}
    for item in wanted:
        here = (*path, f"[{item[name]}]")
        if str(item[name]) in place:
            index = place.pop(str(item[name]))
            yield from _walk(kind, item, live[index], here, _below(pointer, index))
        else:
            yield Difference(here, item, ABSENT, _below(pointer, "-"))
    for key, index in place.items():
        if not (path[-1] == "taints" and _begins(key, FOREIGN_TAINTS)):
            yield Difference((*path, f"[{key}]"), ABSENT, live[index], _below(pointer, index))


def _merge_key(wanted: list[Any], live: list[Any]) -> str | None:
    """The key that names every element of both lists once; None where there is none, or nothing to name."""
    everything = list(itertools.chain(wanted, live))
    if not everything or not all(isinstance(item, Mapping) for item in everything):
        return None
    for key in MERGE_KEYS:
        if all(isinstance(item.get(key), str | int) for item in everything):
            named = [[item[key] for item in part] for part in (wanted, live)]
            if all(len(set(map(str, names))) == len(names) for names in named):
                return key
    return None


def same(wanted: Any, live: Any, path: Path = ()) -> bool:
    """Whether two values mean the same: quantities by amount, all others as they are."""
    if isinstance(wanted, bool) is not isinstance(live, bool):
        return False
    if bool(wanted == live):
        return True
    if _is_amount(path):
        try:
            return quantities.amount(str(wanted)) == quantities.amount(str(live))
        except ValueError:
            return False
    return False


def says(value: Any) -> bool:
    """Whether a value states anything: the API server leaves out what is empty, zero or false."""
    if isinstance(value, Mapping):
        return any(says(item) for item in value.values())
    return bool(value)


def ignored(kind: str, path: Path) -> bool:
    """Whether IGNORED names this field of objects of that kind."""
    return any(
        of in (ANY, kind)
        and len(pattern) == len(path)
        and all(part in (ANY, key) for part, key in zip(pattern, path, strict=True))
        for of, pattern, _ in IGNORED
    )


def _foreign(path: Path, key: str) -> bool:
    return path[-1:] in (("labels",), ("annotations",)) and _begins(key, FOREIGN)


def _begins(key: str, table: Mapping[str, str]) -> bool:
    return any(key.startswith(beginning) for beginning in table)


def _volume(path: Path) -> bool:
    """Whether this is one volume of a pod, which has one source and no default."""
    return len(path) > 1 and path[-2] == "volumes"


def _is_amount(path: Path) -> bool:
    return path[-1:] != () and (path[-1] in AMOUNT or (path[-2:-1] != () and path[-2] in AMOUNTS))


def _below(pointer: str, key: str | int) -> str:
    return f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
