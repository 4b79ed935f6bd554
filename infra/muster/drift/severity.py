"""How bad a difference is, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from muster.drift.finding import Finding, Kinship, Path

Severity = Literal["harmless", "must-fix"]
ANY = "*"


@dataclass(frozen=True)
class Row:
    """What a kind of difference means. The first row that fits a finding judges it.

    `path` fits every path that begins with it; `gone` and `extra`, where not None, must be as the finding's.
    """

    kinds: tuple[str, ...]
    path: Path
    severity: Severity
    reason: str
    kinship: Kinship | None = None
    gone: bool | None = None
    extra: bool | None = None

    def fits(self, finding: Finding) -> bool:
        """Whether it speaks of this finding."""
        path = finding.difference.path
        return (
            (self.kinds == (ANY,) or finding.thing.kind in self.kinds)
            and len(path) >= len(self.path)
            and all(part in (ANY, key) for part, key in zip(self.path, path, strict=False))
            and self.kinship in (None, finding.thing.kinship)
            and self.gone in (None, finding.gone)
            and self.extra in (None, finding.extra)
        )


WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet")
RUNTIMES = ("ClusterTrainingRuntime", "TrainingRuntime")
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
RULES = ("SecurityGroup", "SecurityGroupEgressRule", "SecurityGroupIngressRule", "SecurityGroupRule")

ROWS: Sequence[Row] = (
    Row(("Pods",), (), "harmless", "the job has ended; only its logs are gone"),
    Row((ANY,), ("metadata", "labels"), "harmless", "nothing of the stack selects by this label", extra=True),
    Row((ANY,), ("metadata", "annotations"), "harmless", "nothing of the stack reads this annotation", extra=True),
    Row((ANY,), ("tags", "muster:stack"), "must-fix", "what a killed run left is found by this tag", "cloud"),
    Row((ANY,), ("tags", "muster:resource"), "must-fix", "what a killed run left is found by this tag", "cloud"),
    Row((ANY,), ("tags",), "harmless", "a tag changes no behaviour, only who finds and who pays", "cloud"),
    Row((ANY,), ("tagsAll",), "harmless", "a tag changes no behaviour, only who finds and who pays", "cloud"),
    Row((ANY,), ("description",), "harmless", "a description changes no behaviour", "cloud"),
    Row(
        ("TrainJob",),
        (),
        "must-fix",
        "a job that is gone is run again, from its last checkpoint, once it is mended",
        gone=True,
    ),
    Row(("TrainJob",), ("spec", "suspend"), "must-fix", "the job stands still, or runs, against the stack file"),
    Row(("TrainJob",), (), "must-fix", "the job that runs is not the one of the stack file"),
    Row(RUNTIMES, (), "must-fix", "jobs that name this runtime can't start", gone=True),
    Row(RUNTIMES, (), "must-fix", "the next job on this runtime starts with settings that nobody reviewed"),
    Row(("Queue",), (), "must-fix", "jobs of this queue can't be placed", gone=True),
    Row(("Queue",), (), "must-fix", "teams get other shares of the cluster than the stack file says"),
    Row(("ConfigMap", "Secret"), (), "must-fix", "pods that mount or read it can't start", gone=True),
    Row(("ConfigMap", "Secret"), (), "must-fix", "pods that start from now on read something else"),
    Row(
        ("CustomResourceDefinition",),
        (),
        "must-fix",
        "every object of this kind is gone with it, and its controller fails",
        gone=True,
    ),
    Row(("CustomResourceDefinition",), (), "must-fix", "objects of this kind are checked by other rules"),
    Row(WEBHOOKS, (), "must-fix", "objects are admitted unchecked and without their defaults", gone=True),
    Row(WEBHOOKS, (), "must-fix", "objects are checked and completed otherwise than the chart says"),
    Row(WORKLOADS, (), "must-fix", "a controller of the platform is gone: nothing does its work", gone=True),
    Row(
        WORKLOADS,
        ("spec", "replicas"),
        "must-fix",
        "too few pods stop what the controller does, too many may get in each other's way",
    ),
    Row(
        WORKLOADS,
        ("spec", "template", "spec", ANY, ANY, "image"),
        "must-fix",
        "another version runs than the one that was tested",
    ),
    Row(
        ("Release",),
        (),
        "must-fix",
        "Helm no longer knows what it installed; the next update installs it again",
        gone=True,
    ),
    Row(("Release",), ("status",), "must-fix", "an install or upgrade of this release did not end well"),
    Row(("Release",), (), "must-fix", "the release was installed with other values or another chart"),
    Row(("Pool",), ("nodes",), "must-fix", "a gang waits for nodes that lack, and nodes too many cost money"),
    Row(("Node",), ("spec", "unschedulable"), "must-fix", "no new pod is placed on a node that is cordoned"),
    Row(("Node",), ("spec", "taints"), "must-fix", "pods of jobs are kept off the node, or other pods are let on it"),
    Row(("Node",), ("metadata", "labels"), "must-fix", "pods of jobs don't find the node"),
    Row(("Node",), (), "must-fix", "a gang waits for nodes that lack", gone=True),
    Row(
        ("NodeGroup",),
        ("scalingConfig",),
        "must-fix",
        "a gang waits for nodes that lack, and nodes too many cost money",
    ),
    Row(RULES, (), "must-fix", "nodes no longer reach each other or the control plane as they must", gone=True),
    Row(RULES, (), "must-fix", "traffic is let through, or held back, against the stack file"),
    Row(("Addon",), (), "must-fix", "nodes run another version or configuration of it than was tested", gone=False),
    Row((ANY,), (), "must-fix", "it is gone, and what builds on it fails or waits", gone=True),
    Row((ANY,), (), "must-fix", "somebody put it there, and no file says so", extra=True),
    Row((ANY,), (), "must-fix", "it is not what the stack declares"),
)
"""In order: what is special first, what holds for everything last."""


def judge(finding: Finding) -> tuple[Severity, str]:
    """How bad a finding is, and why."""
    row = next(row for row in ROWS if row.fits(finding))
    return row.severity, row.reason
