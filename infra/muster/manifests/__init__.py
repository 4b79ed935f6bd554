"""What a plan looks like to Kubernetes: pure functions, parts of a plan in, manifests out."""

from muster.manifests import node, queue, runtime, storage, trainjob, workload

__all__ = ["node", "queue", "runtime", "storage", "trainjob", "workload"]
