"""What must hold of every registration, for every stack file of the checkout."""

from collections.abc import Sequence

import pytest
from muster.plan import Plan

from tests.program.recorder import STACKS, Registration, run

PROVIDERS = "pulumi:providers:"
PROVIDER = "pulumi:providers:kubernetes"
RELEASE = "kubernetes:helm.sh/v3:Release"
NAMESPACE = "kubernetes:core/v1:Namespace"
TRAINJOB = "kubernetes:trainer.kubeflow.org/v1alpha1:TrainJob"
RUNTIME = "kubernetes:trainer.kubeflow.org/v1alpha1:ClusterTrainingRuntime"

Stack = tuple[Plan, Sequence[Registration]]


@pytest.fixture(params=STACKS, scope="module")
def stack(request: pytest.FixtureRequest) -> Stack:
    return run(request.param)


def of(stack: Stack, kind: str) -> list[Registration]:
    return [one for one in stack[1] if one.kind == kind]


def test_every_resource_names_the_one_provider(stack: Stack) -> None:
    providers = {one.kind.rpartition(":")[2]: one.urn for one in stack[1] if one.kind.startswith(PROVIDERS)}
    assert set(providers) == ({"aws", "kubernetes"} if stack[0].aws else {"kubernetes"})
    others = [one for one in stack[1] if not one.kind.startswith(PROVIDERS)]
    assert others
    for one in others:
        assert one.request.provider.rpartition("::")[0] == providers[one.kind.split(":")[0]], one.name


def test_the_provider_has_an_identity_and_no_credentials(stack: Stack) -> None:
    (provider,) = of(stack, PROVIDER)
    assert provider.inputs["clusterIdentifier"] == f"muster-{stack[0].stack}"
    assert "client-key-data" not in str(provider.inputs)


def test_charts_are_relative_folders(stack: Stack) -> None:
    for release in of(stack, RELEASE):
        assert release.inputs["chart"].startswith("../charts/")
        assert not {"version", "repositoryOpts"} & set(release.inputs)


def test_releases_come_after_what_they_need(stack: Stack) -> None:
    urns = {one.name: one.urn for one in of(stack, RELEASE)}
    needs = {release.name: release.needs for release in stack[0].releases}
    for release in of(stack, RELEASE):
        assert {urns[need] for need in needs[release.name]} <= set(release.request.dependencies)


def test_crds_of_controllers_are_installed_before_them(stack: Stack) -> None:
    urns = {one.name: one.urn for one in of(stack, RELEASE)}
    trainer = next(one for one in of(stack, RELEASE) if one.name == "kubeflow-trainer")
    assert {urns["trainer-crds"], urns["jobset-crds"]} <= set(trainer.request.dependencies)


def test_namespaces_of_jobs_die_before_the_controllers(stack: Stack) -> None:
    releases = {one.urn for one in of(stack, RELEASE)}
    for job in stack[0].jobs:
        home = next(one for one in of(stack, NAMESPACE) if one.name == job.namespace)
        assert releases <= set(home.request.dependencies)


def test_jobs_are_replaced_and_never_edited_but_for_suspend(stack: Stack) -> None:
    for job in of(stack, TRAINJOB):
        replaced = {path.removeprefix("spec.") for path in job.request.replaceOnChanges}
        assert replaced >= set(job.inputs["spec"]) - {"suspend"}
        assert "suspend" not in replaced
        assert job.request.deleteBeforeReplace
        assert job.inputs["metadata"]["annotations"]["pulumi.com/deletionPropagationPolicy"] == "background"


def test_jobs_depend_on_their_runtime_without_its_outputs(stack: Stack) -> None:
    urns = {one.name: one.urn for one in of(stack, RUNTIME)}
    runtimes = {f"job-{job.namespace}-{job.name}": job.runtime for job in stack[0].jobs}
    assert {job.name for job in of(stack, TRAINJOB)} == set(runtimes)
    for job in of(stack, TRAINJOB):
        urn = urns[f"runtime-{runtimes[job.name]}"]
        assert urn in job.request.dependencies
        assert all(urn not in list(deps.urns) for deps in job.request.propertyDependencies.values())


def test_runtimes_replace_what_the_api_server_can_not_edit(stack: Stack) -> None:
    for runtime in of(stack, RUNTIME):
        assert "spec.template.spec.failurePolicy" in list(runtime.request.replaceOnChanges)
        assert runtime.request.deleteBeforeReplace


def test_nothing_in_the_cluster_has_a_generated_name(stack: Stack) -> None:
    for one in stack[1]:
        if not one.kind.startswith("kubernetes:"):
            continue
        name = one.inputs.get("name") if one.kind == RELEASE else one.inputs["metadata"]["name"]
        assert name, one.name
