"""The engine's environment."""

import os
from pathlib import Path
from typing import Any

import pytest

from local.engine import Engine, environment, recorded
from local.toolchain import ENGINE, Tool


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("PULUMI_BACKEND_URL", "PULUMI_HOME", "PULUMI_CONFIG_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tool]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = {}
    for name in ENGINE:
        path = tmp_path / "cache" / "muster" / "bin" / f"{name}-key" / name
        path.parent.mkdir(parents=True)
        path.touch()
        made[name] = Tool(name, path, "1.2.3", "built")
    return made


def test_an_embedded_stack_never_uses_the_users_backend(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tools: dict[str, Tool]
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://company")
    env = environment(tools, tmp_path / "kubeconfig")
    assert env["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/state/muster/pulumi"
    assert env["KUBECONFIG"] == str(tmp_path / "kubeconfig")
    path = env["PATH"].split(os.pathsep)
    assert str(tools["kubectl"].path.parent) in path
    assert str(tools["pulumi-resource-kubernetes"].path.parent) not in path


def test_engine_and_language_host_lie_side_by_side(tmp_path: Path, tools: dict[str, Tool]) -> None:
    for _ in range(2):
        first = Path(environment(tools, tmp_path / "kubeconfig")["PATH"].split(os.pathsep)[1])
        assert {file.name for file in first.iterdir()} == {"pulumi", "pulumi-language-python"}


def test_the_provider_is_an_installed_plugin(tmp_path: Path, tools: dict[str, Tool]) -> None:
    home = Path(environment(tools, tmp_path / "kubeconfig")["PULUMI_HOME"])
    link = home / "plugins" / "resource-kubernetes-v1.2.3" / "pulumi-resource-kubernetes"
    assert link.resolve() == tools["pulumi-resource-kubernetes"].path


def test_other_stacks_use_the_users_backend(monkeypatch: pytest.MonkeyPatch, tools: dict[str, Tool]) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://company")
    env = environment(tools, None)
    assert env["PULUMI_BACKEND_URL"] == "s3://company"
    assert "PULUMI_CONFIG_PASSPHRASE" not in env


def test_other_stacks_have_a_backend_where_none_was_chosen(tmp_path: Path, tools: dict[str, Tool]) -> None:
    assert environment(tools, None)["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/state/muster/pulumi"


def test_a_creation_that_is_pending_twice_is_recorded_once() -> None:
    def pending(name: str) -> dict[str, Any]:
        return {"type": "creating", "resource": {"urn": name, "inputs": {"a": 1}}}

    deployment = {"resources": [{"urn": "there"}], "pending_operations": [*map(pending, ("new", "new", "unknown"))]}
    assert recorded(deployment, {"new": "id-1"}) == {
        "resources": [{"urn": "there"}, {"urn": "new", "inputs": {"a": 1}, "id": "id-1", "outputs": {}}],
        "pending_operations": [pending("unknown")],
    }


def test_only_objects_of_kubernetes_are_made_again_to_be_destroyed(monkeypatch: pytest.MonkeyPatch) -> None:
    group = "urn:pulumi:prod::muster::aws:eks/nodeGroup:NodeGroup::pool-gpu"
    job = "urn:pulumi:prod::muster::kubernetes:trainer.kubeflow.org/v1alpha1:TrainJob::job-a"
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(Engine, "pending_creates", lambda _: {group: {}, job: {}})
    monkeypatch.setattr(Engine, "_quiet", lambda _, *words, **__: ran.append(words))
    monkeypatch.setattr(Engine, "_loud", lambda _, *words: ran.append(words) or 0)
    assert Engine("prod", {}).destroy() == 0
    assert ran == [("up", "--yes", "--skip-preview", "--target", job), ("destroy", "--yes", "--skip-preview")]
