"""Every input of every resource against the SDK's own types: names, required ones, nesting.

The SDK takes any key of a dictionary; a misspelt one would first be seen by a cluster. `_types` and `_RESOURCE_MODULES`
are private to Pulumi, so their shape has a test of its own.
"""

import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pytest

from rehearsal.double.shapes import arguments_of, mistakes
from tests.program.recorder import STACKS, run

UNTYPED = ("kubernetes:trainer.kubeflow.org", "kubernetes:scheduling.volcano.sh", "pulumi:providers")


@pytest.mark.parametrize("stack", STACKS)
def test_inputs_fit_the_sdk(stack: str) -> None:
    _, made = run(stack)
    typed = [one for one in made if not one.kind.startswith(UNTYPED)]
    assert typed
    found = [text for one in typed for text in mistakes(arguments_of(one.kind), one.inputs, f"{one.name}.")]
    assert found == []


def test_the_check_sees_mistakes() -> None:
    kind = arguments_of("kubernetes:core/v1:PersistentVolumeClaim")
    found = list(mistakes(kind, {"spec": {"resources": {"request": {}}}, "metadat": {}}, "claim."))
    assert found == ["claim.spec.resources.request: unknown", "claim.metadat: unknown"]
    assert list(mistakes(arguments_of("kubernetes:helm.sh/v3:Release"), {}, "release.")) == ["release.chart: missing"]


def test_the_check_sees_values_of_the_wrong_kind() -> None:
    kind = arguments_of("aws:eks/nodeGroup:NodeGroup")
    right = {"clusterName": "c", "nodeRoleArn": "r", "subnetIds": ["s"]}
    sizes = {"desiredSize": "two", "maxSize": 1, "min": 0}
    assert sorted(mistakes(kind, {**right, "scalingConfig": sizes, "version": 1.35})) == [
        "scalingConfig.desiredSize: 'two' where int is wanted",
        "scalingConfig.min: unknown",
        "scalingConfig.minSize: missing",
        "version: 1.35 where str is wanted",
    ]


def test_the_installed_sdk_is_the_pinned_one() -> None:
    assert k8s.Provider.__module__ == "pulumi_kubernetes.provider"
    assert aws.Provider.__module__ == "pulumi_aws.provider"
