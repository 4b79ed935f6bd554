"""Gang schedulers that a stack may choose: the one table that installer, runtimes and queues go by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Backend:
    """One way to place the pods of a job.

    `name` also marks the backend's own releases in releases.yaml. `pod_group_policy` is the field of that name in a
    runtime, `scheduler_name` that of its pods (Trainer sets neither), `queue_annotation` the key by which Trainer's
    plugin learns the queue, None where the backend has no queues. `multi_node` is false where nothing holds the pods of
    a job back until all of them fit.
    """

    name: str
    pod_group_policy: Mapping[str, Any] = field(default_factory=dict)
    scheduler_name: str | None = None
    queue_annotation: str | None = None
    multi_node: bool = True


BACKENDS = {
    backend.name: backend
    for backend in (
        # https://github.com/kubeflow/trainer/blob/v2.3.0/pkg/runtime/framework/plugins/volcano/volcano.go
        Backend(
            "volcano",
            pod_group_policy={"volcano": {}},
            scheduler_name="volcano",
            queue_annotation="scheduling.volcano.sh/queue-name",
        ),
        Backend("none", multi_node=False),
    )
}
"""By the word that stands under `platform.gang.scheduler`."""

REFUSED = {
    # https://github.com/kubernetes-sigs/kueue/pull/14504
    "kueue": "no released Kueue speaks the API of Kubeflow Trainer 2.3 (Kueue 0.20 will be the first)",
    "coscheduling": "the coscheduling plugin has no release for this Kubernetes and is not offered yet",
}
"""Backends that people know and ask for, each with why it can't be chosen."""
