"""Names that Kubernetes takes, and how long ours may be."""

import hashlib
from collections.abc import Mapping

LABEL = r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
"""RFC 1035 label: what a TrainJob, and so a Service, may be called; also a valid RFC 1123 label.

https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#rfc-1035-label-names
"""
LABEL_1123 = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
"""RFC 1123 label: what a namespace may be called."""
SUBDOMAIN = r"^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
"""RFC 1123 subdomain: what most other objects may be called."""
LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"
"""https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set"""
QUALIFIED = (
    r"^(?=.{1,317}$)([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
)
"""Key of a label, a taint or a resource: a name of at most 63 characters behind an optional domain."""
STORAGE = r"^[a-z]([-a-z0-9]{0,53}[a-z0-9])?$"
"""RFC 1035 label that leaves room for `storage-` before it, the name of the pod's volume."""
ENV = r"^[A-Za-z_][A-Za-z0-9_]*$"
"""Environment variable that every shell can read."""
FILE = r"^[-._a-zA-Z0-9]{1,253}$"
"""Key of a ConfigMap."""
RESERVED_ENV = (
    "RANK",
    "LOCAL_RANK",
    "WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
    "MUSTER_RUN",
    "MUSTER_JOB",
    "MUSTER_CHECKPOINTS",
    "MUSTER_CHECKPOINTS_KEEP",
)
"""Variables that DeepSpeed's launcher, or this project, sets for every process."""
RESERVED_ENV_PREFIX = "PET_"
"""Variables of Trainer's torch plugin: https://github.com/kubeflow/trainer/blob/v2.3.0/pkg/constants/constants.go"""

POD_NAME_LIMIT = 63
"""A pod's hostname is a DNS label: https://github.com/kubernetes-sigs/jobset/blob/v0.12.0/pkg/webhooks/jobset_webhook.go"""
HASH_DIGITS = 10


def train_job_limit(nodes: int) -> int:
    """Characters a TrainJob's name may have so that its longest pod name `<job>-node-0-<index>-<5 random>` fits.

    JobSet refuses longer ones only after the TrainJob was accepted, and then no condition says so.
    """
    return POD_NAME_LIMIT - len("-node-0-") - len(str(nodes - 1)) - len("-") - 5


def is_reserved_env(name: str) -> bool:
    """Whether an environment variable belongs to the launcher, to Trainer or to this project."""
    return name in RESERVED_ENV or name.startswith(RESERVED_ENV_PREFIX)


def content_hash(data: Mapping[str, str]) -> str:
    """Digits that change whenever a file's name or text does: SHA-256, cut, over length-prefixed parts."""
    digest = hashlib.sha256()
    for name, text in sorted(data.items()):
        for part in (name.encode(), text.encode()):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:HASH_DIGITS]
