"""What the doctor asks of a cluster, all at once; judging it is done elsewhere."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from muster.plan import Plan
from muster.report import stack as report
from muster.report.reader import Object, Reader, Row, items, rows
from muster.report.stack import Listed, StackView

Document = Mapping[str, Any]
THREADS = 8
LOOKS = 50
"""Pods of the platform that are read whole, to tell why they don't run."""
SYSTEM = "kube-system"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"

KINDS: Mapping[str, str] = {
    "trainjob": "/apis/trainer.kubeflow.org/v1alpha1/trainjobs",
    "clustertrainingruntime": "/apis/trainer.kubeflow.org/v1alpha1/clustertrainingruntimes",
    "trainingruntime": "/apis/trainer.kubeflow.org/v1alpha1/trainingruntimes",
    "jobset": "/apis/jobset.x-k8s.io/v1alpha2/jobsets",
    "podgroup": "/apis/scheduling.volcano.sh/v1beta1/podgroups",
    "queue": "/apis/scheduling.volcano.sh/v1beta1/queues",
    "configmap": "/api/v1/configmaps",
    "secret": "/api/v1/secrets",
    "service": "/api/v1/services",
    "pvc": "/api/v1/persistentvolumeclaims",
    "pv": "/api/v1/persistentvolumes",
    "node": "/api/v1/nodes",
    "clusterrole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "clusterrolebinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "validatingwebhookconfiguration": f"{ADMISSION}/validatingwebhookconfigurations",
    "mutatingwebhookconfiguration": f"{ADMISSION}/mutatingwebhookconfigurations",
    "crd": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "namespace": "/api/v1/namespaces",
}
"""Kinds of objects that a stack makes, in the order in which what is left should go: kubectl's name and API path."""

REMAINING = re.compile(r"([a-z0-9]+)\.([a-z0-9.-]*) has \d+ resource instances")
"""https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/controller/namespace/deletion/status_condition_utils.go"""


@dataclass(frozen=True)
class Thing:
    """An object of which only the metadata is known; `kind` is what kubectl calls it."""

    kind: str
    metadata: Document

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.metadata["name"])

    @property
    def namespace(self) -> str:
        """Its namespace, empty for kinds that have none."""
        return str(self.metadata.get("namespace", ""))

    @property
    def finalizers(self) -> Sequence[str]:
        """Who must agree before it goes."""
        return list(self.metadata.get("finalizers") or ())

    @property
    def label(self) -> str:
        """Kind and name for people."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def words(self) -> str:
        """How kubectl is told of it: `-n training trainjob hello`."""
        return f"-n {self.namespace} {self.kind} {self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Evidence:
    """Everything that was read of a cluster on which a stack stands.

    `pods` are those of the platform's namespaces, `sick` are whole ones of them that don't run. `endpoints` counts the
    ready addresses of a service by namespace and name. `things` are objects of KINDS, `held` what keeps namespaces.
    """

    listed: Listed
    view: StackView
    pods: Sequence[Row]
    sick: Sequence[Document]
    deployments: Sequence[Document]
    daemonsets: Sequence[Document]
    webhooks: Sequence[Document]
    endpoints: Mapping[tuple[str, str], int]
    namespaces: Sequence[Document]
    claims: Sequence[Document]
    volumes: Sequence[Document]
    classes: Sequence[Document]
    things: Sequence[Thing]
    held: Sequence[Thing]


def read(cluster: Reader, plan: Plan) -> Evidence:
    """Ask a cluster for everything. Raises muster.report.reader.Unreachable."""
    where = sorted({release.namespace for release in plan.releases} | {SYSTEM})
    with ThreadPoolExecutor(THREADS) as threads:

        def every(path: str, names: Iterable[str]) -> list[Document]:
            paths = [path.format(name) for name in names]
            return [item for found in threads.map(cluster.get, paths) for item in items(found)]

        pods = [
            row
            for found in threads.map(cluster.table, [f"/api/v1/namespaces/{n}/pods" for n in where])
            for row in rows(found)
        ]
        slices = every("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", where)
        namespaces = items(cluster.get("/api/v1/namespaces"))
        listed, view = report.examine(cluster, plan, 0)
        return Evidence(
            listed=listed,
            view=view,
            pods=pods,
            sick=list(filter(None, threads.map(lambda row: _pod(cluster, row), unwell(pods)[:LOOKS]))),
            deployments=every("/apis/apps/v1/namespaces/{}/deployments", where),
            daemonsets=every("/apis/apps/v1/namespaces/{}/daemonsets", where),
            webhooks=every(f"{ADMISSION}/{{}}webhookconfigurations", ("validating", "mutating")),
            endpoints=endpoints(slices),
            namespaces=namespaces,
            claims=items(cluster.get("/api/v1/persistentvolumeclaims")),
            volumes=items(cluster.get("/api/v1/persistentvolumes")),
            classes=items(cluster.get("/apis/storage.k8s.io/v1/storageclasses")),
            things=things(cluster, threads.map),
            held=held(cluster, namespaces),
        )


def things(cluster: Reader, each: Callable[..., Iterable[Any]] = map) -> list[Thing]:
    """Metadata of every object of KINDS. Raises muster.report.reader.Unreachable."""
    found = each(lambda kind: (kind, rows(cluster.table(KINDS[kind]))), KINDS)
    return [Thing(kind, row.metadata) for kind, listed in found for row in listed]


def held(cluster: Reader, namespaces: Sequence[Document]) -> list[Thing]:
    """What is still in namespaces that are being deleted, whatever it is. Raises muster.report.reader.Unreachable."""
    found = []
    for namespace in namespaces:
        name = namespace["metadata"]["name"]
        for resource, group in remaining(namespace):
            path = _path(cluster, group)
            table = rows(cluster.table(f"{path}/namespaces/{name}/{resource}")) if path else []
            kind = f"{resource}.{group}" if group else resource
            found += [Thing(kind, row.metadata) for row in table]
    return found


def remaining(namespace: Document) -> list[tuple[str, str]]:
    """Resources and API groups of which a namespace in deletion still holds objects, as its own status says."""
    conditions = namespace.get("status", {}).get("conditions") or ()
    said = [
        c.get("message", "") for c in conditions if c["type"] == "NamespaceContentRemaining" and c["status"] == "True"
    ]
    return [found for message in said for found in REMAINING.findall(message)]


def endpoints(slices: Sequence[Document]) -> dict[tuple[str, str], int]:
    """Ready addresses by namespace and name of the service."""
    found: dict[tuple[str, str], int] = {}
    for one in slices:
        key = (
            one["metadata"]["namespace"],
            (one["metadata"].get("labels") or {}).get("kubernetes.io/service-name", ""),
        )
        # No word about readiness means ready: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
        able = [e for e in one.get("endpoints") or () if e.get("conditions", {}).get("ready") is not False]
        found[key] = found.get(key, 0) + len(able)
    return found


def unwell(pods: Sequence[Row]) -> list[Row]:
    """Pods that neither run with all their containers nor have ended well."""
    return [row for row in pods if row.cells.get("Status") != "Completed" and not _whole(row)]


def _whole(row: Row) -> bool:
    have, _, want = str(row.cells.get("Ready", "")).partition("/")
    return row.cells.get("Status") == "Running" and have == want


def _pod(cluster: Reader, row: Row) -> Object | None:
    namespace, name = row.key
    return cluster.get(f"/api/v1/namespaces/{namespace}/pods/{name}")


def _path(cluster: Reader, group: str) -> str | None:
    """API path of a group in the version that the cluster prefers; None where it doesn't know the group."""
    if not group:
        return "/api/v1"
    known = cluster.get(f"/apis/{group}")
    return f"/apis/{known['preferredVersion']['groupVersion']}" if known else None
