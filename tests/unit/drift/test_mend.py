"""The command that mends a difference."""

import pytest
from muster.drift import mend
from muster.drift.finding import ABSENT, Difference, Finding, Thing

UP = "make up STACK=dev REFRESH=1"
GONE = Difference((), "there", ABSENT)
RUNTIME = Thing("ClusterTrainingRuntime", "ds", "stack", resource="clustertrainingruntime.trainer.kubeflow.org")
FILES = Thing("ConfigMap", "files-1", "stack", "training", resource="configmap", immutable=True)
CONTROLLER = Thing("Deployment", "manager", "release", "other", "jobset", "jobset-system", 3, "deployment.apps")


@pytest.mark.parametrize(
    ("thing", "difference", "command"),
    [
        (Thing("Pods", "train", "stack", "training"), GONE, "nothing to do"),
        (Thing("TrainJob", "train", "stack", "training"), GONE, UP),
        (Thing("NodeGroup", "pool-gpu", "cloud"), Difference(("tags", "a"), "1", "2"), UP),
        (Thing("Pool", "gpu", "pool", of="gpu"), Difference(("nodes",), 2, 3), UP),
        (Thing("Release", "jobset", "release", "jobset-system", "jobset", "jobset-system"), GONE, UP),
        (
            Thing("Node", "n 1", "pool", of="gpu", resource="node"),
            Difference(("spec", "unschedulable"), ABSENT, True),
            "kubectl uncordon 'n 1'",
        ),
        (CONTROLLER, GONE, "helm rollback jobset 3 --namespace jobset-system"),
        (
            CONTROLLER,
            Difference(("spec", "replicas"), 1, 0, "/spec/replicas"),
            "kubectl --namespace other patch deployment.apps manager --type json"
            """ --patch '[{"op": "replace", "path": "/spec/replicas", "value": 1}]'""",
        ),
        (
            Thing("Secret", "cert", "release", "other", "jobset", "jobset-system", 3, "secret"),
            Difference(("data", "key"), "c2VjcmV0", "b3RoZXI=", "/data/key"),
            "helm rollback jobset 3 --namespace jobset-system",
        ),
        (Thing("Secret", "token", "stack", "training"), Difference(("type",), "Opaque", "x", "/type"), UP),
        (
            RUNTIME,
            Difference(("metadata", "labels", "a"), ABSENT, "b", "/metadata/labels/a"),
            "kubectl patch clustertrainingruntime.trainer.kubeflow.org ds --type json"
            """ --patch '[{"op": "remove", "path": "/metadata/labels/a"}]'""",
        ),
        (RUNTIME, Difference(("spec", "launcher"), "python3", "sh", "/spec/launcher"), UP),
        (Thing("Queue", "a", "stack"), Difference(("spec", "weight"), 3, 1), UP),
        (
            CONTROLLER,
            Difference(("spec", "long"), "long " * 100, "short", "/spec/long"),
            "helm rollback jobset 3 --namespace jobset-system",
        ),
        (
            FILES,
            Difference(("metadata", "annotations", "a"), ABSENT, "2", "/metadata/annotations/a"),
            "kubectl --namespace training patch configmap files-1 --type json"
            """ --patch '[{"op": "remove", "path": "/metadata/annotations/a"}]'""",
        ),
        (
            FILES,
            Difference(("data", "a"), "1", "2", "/data/a"),
            f"kubectl --namespace training delete configmap files-1 && {UP}",
        ),
    ],
)
def test_command(thing: Thing, difference: Difference, command: str) -> None:
    assert mend.command(Finding(thing, difference), "dev") == command
