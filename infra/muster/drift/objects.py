"""The objects that a stack itself puts on its cluster, as its manifests say."""

from collections.abc import Iterator, Mapping
from typing import Any

from muster.manifests import aws, node, queue, runtime, secret, service, storage, trainjob, workload
from muster.manifests.labels import MANAGED
from muster.plan import Plan

Document = Mapping[str, Any]


def declared(plan: Plan) -> Iterator[Document]:
    """Manifests; what only the engine or the cloud knows is None in them, which says nothing."""
    for name in plan.namespaces:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(MANAGED)}}
    if plan.aws is not None:
        yield storage.GP3
    yield from map(node.build, plan.nodes)
    yield from map(queue.build, plan.queues)
    for claim in plan.claims:
        if claim.volume is not None:
            unknown = dict.fromkeys(aws.file_system(claim))
            yield storage.volume(claim, unknown, plan.aws.eks.region if plan.aws else "")
        yield storage.claim(claim)
    yield from map(workload.build, plan.files)
    yield from (secret.build(item, None) for item in plan.secrets)
    yield from map(runtime.build, plan.runtimes)
    yield from map(service.build, plan.services)
    yield from map(trainjob.build, plan.jobs)
