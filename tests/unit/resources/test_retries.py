"""Which failures are tried again."""

import pulumi
import pytest
from muster.resources import retries


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "WEBHOOK_PAUSE_S", 0.0)


def failed(*errors: str) -> pulumi.ErrorHookArgs:
    inputs = {"namespace": "jobset-system", "name": "jobset"}
    return pulumi.ErrorHookArgs("urn", "id", "jobset", "type", new_inputs=inputs, errors=list(errors))


@pytest.mark.parametrize(
    ("error", "again"),
    [
        ('Internal error: failed calling webhook "x": connect: connection refused', True),
        ('no endpoints available for service "kubeflow-trainer"', True),
        ("denied the request: specified trainingRuntime must be created before the TrainJob is created", True),
        ("admission webhook denied the request: spec.trainer.numNodes", False),
        ("TrainJob is invalid: spec.trainer: immutable", False),
    ],
)
def test_a_webhook_that_is_not_there_yet_is_asked_again(error: str, again: bool) -> None:
    assert retries.webhook_not_ready(failed(error)) is again


def test_asking_again_has_an_end() -> None:
    for error, tries in (("failed calling webhook", retries.WEBHOOK_TRIES), (retries.RUNTIME_NOT_SEEN, 10)):
        assert retries.webhook_not_ready(failed(*[error] * (tries - 1))) is True
        assert retries.webhook_not_ready(failed(*[error] * tries)) is False


@pytest.mark.parametrize("error", retries.RELEASE_BLOCKED)
def test_a_half_written_release_is_forgotten_once(error: str) -> None:
    forgotten: list[tuple[str, str]] = []

    def forget(namespace: str, name: str) -> None:
        forgotten.append((namespace, name))

    assert retries.release_blocked(failed(f"install failed: {error}"), forget) is True
    assert retries.release_blocked(failed(error, error), forget) is False
    assert forgotten == [("jobset-system", "jobset")]


def test_a_release_that_is_not_ready_in_time_keeps_its_record() -> None:
    def forget(_namespace: str, _name: str) -> None:
        pytest.fail("nothing may be deleted")

    assert retries.release_blocked(failed("context deadline exceeded"), forget) is False


def test_somebody_elses_namespace_is_not_taken_over() -> None:
    def named(name: str) -> pulumi.ResourceHookArgs:
        return pulumi.ResourceHookArgs("urn", "id", "n", "t", new_inputs={"metadata": {"name": name}})

    with pytest.raises(RuntimeError, match="namespace theirs is there already"):
        retries.refuse_foreign_namespace(named("theirs"), lambda name: name == "theirs")
    retries.refuse_foreign_namespace(named("ours"), lambda name: name == "theirs")
