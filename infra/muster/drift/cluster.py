"""What differs in the cluster: the stack's own objects, those that Helm hides, and the nodes of its pools."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from muster.drift import compare, helm, objects, pools
from muster.drift.finding import ABSENT, Difference, Finding, Kinship, Path, Thing
from muster.plan import Plan, ReleasePlan
from muster.report.reader import Reader, Unreachable, items

Document = Mapping[str, Any]
JOBSET_LABEL = "jobset.sigs.k8s.io/jobset-name"
Deployed = tuple[str, str, int]
"""Name, namespace and deployed revision."""
ENDS = ("Complete", "Failed")


class Live:
    """Objects of one cluster by kind and name, each kind of a namespace asked for once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._kinds: dict[str, Mapping[str, Document]] = {}
        self._lists: dict[str, Mapping[str, Document]] = {}

    def kind(self, document: Document) -> Document | None:
        """How the API server serves a manifest's kind; None where it does not know it."""
        version = document["apiVersion"]
        if version not in self._kinds:
            served = self._reader.get(_root(version)) or {}
            rows = [row for row in served.get("resources") or () if "/" not in row["name"]]
            self._kinds[version] = {row["kind"]: row for row in rows}
        return self._kinds[version].get(document["kind"])

    def find(self, document: Document, namespace: str) -> Document | None:
        """The object that a manifest means."""
        kind = self.kind(document)
        if kind is None:
            return None
        where = f"/namespaces/{namespace}" if kind["namespaced"] else ""
        path = f"{_root(document['apiVersion'])}{where}/{kind['name']}"
        if path not in self._lists:
            self._lists[path] = {item["metadata"]["name"]: item for item in items(self._reader.get(path))}
        return self._lists[path].get(document["metadata"]["name"])


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def findings(reader: Reader, plan: Plan) -> tuple[list[Finding], list[str]]:
    """Everything that differs, and a sentence for each part that could not be read."""
    live = Live(reader)
    parts: Mapping[str, Callable[[], Iterable[Finding]]] = {
        "the stack's objects": lambda: _compared(live, objects.declared(plan), frozenset(), None),
        "what Helm installed": lambda: _releases(reader, live, plan),
        "the nodes": lambda: pools.findings(plan, items(reader.get("/api/v1/nodes"))),
        "pods of jobs": lambda: _lost_pods(reader, live, plan),
    }
    found: list[Finding] = []
    blind: list[str] = []
    for name, look in parts.items():
        try:
            found += look()
        except (Unreachable, helm.Unreadable) as error:
            blind.append(f"{name}: {error}")
    return found, blind


def _compared(
    live: Live, documents: Iterable[Document], autoscaled: frozenset[tuple[str, str, str]], release: Deployed | None
) -> Iterator[Finding]:
    """Each manifest against its object; those of a release lie in its namespace where they name none."""
    kinship: Kinship = "release" if release else "stack"
    of, namespace, revision = release or ("", "", 0)
    for document in documents:
        kind, metadata = live.kind(document), document["metadata"]
        where = metadata.get("namespace") or namespace if kind is None or kind["namespaced"] else ""
        found = live.find(document, where)
        thing = Thing(
            document["kind"],
            metadata["name"],
            kinship,
            where,
            of,
            namespace,
            revision,
            _for_kubectl(document),
            immutable=bool((found or {}).get("immutable")),
        )
        if found is None:
            yield Finding(thing, Difference((), "there", ABSENT))
            continue
        scaled = (where, document["kind"], metadata["name"]) in autoscaled
        owned: frozenset[Path] = frozenset({("spec", "replicas")}) if scaled else frozenset()
        for difference in compare.differences(document["kind"], document, found, owned):
            yield Finding(thing, difference)


def _for_kubectl(document: Document) -> str:
    """What kubectl calls a kind, unmistakably: kind and group."""
    group = document["apiVersion"].rpartition("/")[0]
    return f"{document['kind'].lower()}.{group}" if group else str(document["kind"].lower())


def _releases(reader: Reader, live: Live, plan: Plan) -> Iterator[Finding]:
    records = items(reader.get("/api/v1/secrets", labelSelector="owner=helm"))
    autoscaled = _autoscaled(reader)
    for release in plan.releases:
        yield from _release(live, release, records, autoscaled)


def _release(
    live: Live, plan: ReleasePlan, records: Sequence[Document], autoscaled: frozenset[tuple[str, str, str]]
) -> Iterator[Finding]:
    thing = Thing("Release", plan.name, "release", plan.namespace, plan.name, plan.namespace)
    mine = helm.of(records, plan.name, plan.namespace)
    if not mine:
        yield Finding(thing, Difference((), "there", ABSENT))
        return
    newest = max(mine, key=lambda record: int(record["metadata"]["labels"].get("version", 0)))
    status = newest["metadata"]["labels"].get("status")
    if status != "deployed":
        yield Finding(thing, Difference(("status",), "deployed", status))
    revision = helm.deployed(records, plan.name, plan.namespace)
    if revision is None:
        return
    for difference in compare.differences("Release", {"values": plan.values}, {"values": revision.values}):
        yield Finding(thing, difference)
    yield from _compared(live, revision.objects, autoscaled, (plan.name, plan.namespace, revision.number))


def _autoscaled(reader: Reader) -> frozenset[tuple[str, str, str]]:
    """Namespace, kind and name of what an autoscaler scales: its number of replicas is nobody else's.

    https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
    """
    scalers = items(reader.get("/apis/autoscaling/v2/horizontalpodautoscalers"))
    targets = [(scaler["metadata"]["namespace"], scaler["spec"]["scaleTargetRef"]) for scaler in scalers]
    return frozenset((namespace, target["kind"], target["name"]) for namespace, target in targets)


def _lost_pods(reader: Reader, live: Live, plan: Plan) -> Iterator[Finding]:
    """Jobs that have ended and whose pods, and with them their logs, are gone."""
    ended = [job for job in plan.jobs if _has_ended(live.find(_train_job(job.namespace, job.name), job.namespace))]
    left = {
        (pod["metadata"]["namespace"], pod["metadata"]["labels"][JOBSET_LABEL])
        for namespace in sorted({job.namespace for job in ended})
        for pod in items(reader.get(f"/api/v1/namespaces/{namespace}/pods", labelSelector=JOBSET_LABEL))
    }
    for job in ended:
        if (job.namespace, job.name) not in left:
            thing = Thing("Pods", job.name, "stack", job.namespace)
            yield Finding(thing, Difference((), "there", ABSENT))


def _train_job(namespace: str, name: str) -> Document:
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": name, "namespace": namespace},
    }


def _has_ended(job: Document | None) -> bool:
    conditions = ((job or {}).get("status") or {}).get("conditions") or ()
    return any(one["type"] in ENDS and one["status"] == "True" for one in conditions)
