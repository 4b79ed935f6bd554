"""Volumes and claims."""

from collections.abc import Mapping
from typing import Any

from muster.manifests.labels import MANAGED
from muster.plan.parts import ClaimPlan

GP3 = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {
        "name": "gp3",
        "labels": dict(MANAGED),
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
    },
    "provisioner": "ebs.csi.aws.com",
    "parameters": {"type": "gp3", "encrypted": "true"},
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "WaitForFirstConsumer",
    "allowVolumeExpansion": True,
}
"""EKS has had no default class since 1.30: https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions-standard.html"""


def access(plan: ClaimPlan) -> list[str]:
    """Who may mount a claim: every pod, a bucket for reading alone."""
    return ["ReadOnlyMany" if plan.bucket else "ReadWriteMany"]


def volume(plan: ClaimPlan, file_system: Mapping[str, Any] | None = None, region: str = "") -> dict[str, Any]:
    """The PersistentVolume of a claim whose `volume` is not None.

    Its data outlives it: `Retain` leaves folder, file system and bucket alone. `file_system` holds `id`, `dns_name` and
    `mount_name` of the claim's file system, which may be outputs; `region` is that of its bucket.
    """
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": plan.volume, "labels": dict(MANAGED)},
        "spec": {
            "accessModes": access(plan),
            "capacity": {"storage": plan.size},
            "claimRef": {"name": plan.name, "namespace": plan.namespace},
            **_source(plan, file_system or {}, region),
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
        },
    }


def _source(plan: ClaimPlan, file_system: Mapping[str, Any], region: str) -> dict[str, Any]:
    if plan.bucket is not None:
        # https://docs.aws.amazon.com/eks/latest/userguide/s3-csi.html
        bucket = {
            "driver": "s3.csi.aws.com",
            "volumeHandle": plan.volume,
            "volumeAttributes": {"bucketName": plan.bucket},
        }
        return {"csi": bucket, "mountOptions": ["allow-other", "read-only", f"region {region}"]}
    if plan.file_system is not None:
        # https://docs.aws.amazon.com/eks/latest/userguide/fsx-csi.html
        csi: dict[str, Any] = {
            "driver": "fsx.csi.aws.com",
            "volumeHandle": file_system.get("id"),
            "volumeAttributes": {"dnsname": file_system.get("dns_name"), "mountname": file_system.get("mount_name")},
        }
        return {"csi": csi, "mountOptions": ["flock"]}
    return {"hostPath": {"path": plan.host_path, "type": "DirectoryOrCreate"}}


def claim(plan: ClaimPlan) -> dict[str, Any]:
    """The PersistentVolumeClaim."""
    spec: dict[str, Any] = {"accessModes": access(plan), "resources": {"requests": {"storage": plan.size}}}
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
