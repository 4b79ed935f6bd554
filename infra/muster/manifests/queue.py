"""Queues of Volcano.

https://volcano.sh/en/docs/queue/
"""

from typing import Any

from muster.manifests.labels import MANAGED
from muster.plan.parts import GPU, QueuePlan


def build(queue: QueuePlan) -> dict[str, Any]:
    """The Queue: a weight among queues and, where it is bounded, the most GPUs its jobs hold."""
    capability = {"capability": {GPU: str(queue.gpus)}} if queue.gpus is not None else {}
    return {
        "apiVersion": "scheduling.volcano.sh/v1beta1",
        "kind": "Queue",
        "metadata": {"name": queue.name, "labels": dict(MANAGED)},
        "spec": {"weight": queue.weight, "reclaimable": True, **capability},
    }
