"""The engine's environment and its orphaned locks."""

import json
import os
import socket
from pathlib import Path

import pytest

from local.engine import Engine, environment
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


@pytest.mark.parametrize(
    ("host", "pid", "released"),
    [
        (socket.gethostname(), 2**22 + 1, True),
        (socket.gethostname(), os.getpid(), False),
        ("elsewhere", 2**22 + 1, False),
    ],
    ids=["dead", "alive", "elsewhere"],
)
def test_only_the_lock_of_a_dead_process_of_this_machine_is_released(
    tmp_path: Path, host: str, pid: int, released: bool
) -> None:
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "muster" / "local"
    folder.mkdir(parents=True)
    lock = folder / "one.json"
    lock.write_text(json.dumps({"hostname": host, "pid": pid}))
    Engine("local", {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}).take_over()
    assert lock.exists() != released


@pytest.mark.parametrize("pid", [2**22 + 1, os.getpid()], ids=["dead", "alive"])
@pytest.mark.parametrize("cut", ["", '{"checkpoint": {"lat'], ids=["empty", "cut"])
def test_a_state_that_a_killed_engine_was_writing_is_as_it_was_before(tmp_path: Path, pid: int, cut: str) -> None:
    locks = tmp_path / ".pulumi" / "locks" / "organization" / "muster" / "local"
    states = tmp_path / ".pulumi" / "stacks" / "muster"
    for folder in (locks, states):
        folder.mkdir(parents=True)
    (locks / "one.json").write_text(json.dumps({"hostname": socket.gethostname(), "pid": pid}))
    (states / "local.json").write_text(cut)
    (states / "local.json.bak").write_text('{"version": 3}')
    Engine("local", {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}).take_over()
    assert (states / "local.json").read_text() == ('{"version": 3}' if pid != os.getpid() else cut)


def test_a_whole_state_stays(tmp_path: Path) -> None:
    locks = tmp_path / ".pulumi" / "locks" / "organization" / "muster" / "local"
    states = tmp_path / ".pulumi" / "stacks" / "muster"
    for folder in (locks, states):
        folder.mkdir(parents=True)
    (locks / "one.json").write_text(json.dumps({"hostname": socket.gethostname(), "pid": 2**22 + 1}))
    (states / "local.json").write_text('{"version": 4}')
    (states / "local.json.bak").write_text('{"version": 3}')
    Engine("local", {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}).take_over()
    assert (states / "local.json").read_text() == '{"version": 4}'
