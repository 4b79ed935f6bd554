"""Volumes and claims."""

from typing import Any

from muster.manifests.labels import MANAGED
from muster.plan.parts import ClaimPlan

ACCESS = ["ReadWriteMany"]


def volume(plan: ClaimPlan) -> dict[str, Any]:
    """The PersistentVolume of a claim on a folder of the node, one whose `volume` is not None.

    Its data outlives it: `Retain` leaves the folder alone.
    """
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": plan.volume, "labels": dict(MANAGED)},
        "spec": {
            "accessModes": ACCESS,
            "capacity": {"storage": plan.size},
            "claimRef": {"name": plan.name, "namespace": plan.namespace},
            "hostPath": {"path": plan.host_path, "type": "DirectoryOrCreate"},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
        },
    }


def claim(plan: ClaimPlan) -> dict[str, Any]:
    """The PersistentVolumeClaim."""
    spec: dict[str, Any] = {"accessModes": ACCESS, "resources": {"requests": {"storage": plan.size}}}
    if plan.volume is not None:
        # An empty class keeps a default storage class from making a volume of its own.
        # https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reserving-a-persistentvolume
        spec |= {"storageClassName": "", "volumeName": plan.volume}
    elif plan.storage_class is not None:
        spec |= {"storageClassName": plan.storage_class}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": plan.name, "namespace": plan.namespace, "labels": dict(MANAGED)},
        "spec": spec,
    }
