"""The engine's environment and its orphaned locks."""

import json
import os
import socket
from pathlib import Path

import pytest

from local.engine import Engine, environment


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("PULUMI_BACKEND_URL", "PULUMI_HOME", "PULUMI_CONFIG_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)


def test_an_embedded_stack_never_uses_the_users_backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://company")
    env = environment([tmp_path / "bin"], tmp_path / "kubeconfig")
    assert env["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/state/muster/pulumi"
    assert env["KUBECONFIG"] == str(tmp_path / "kubeconfig")
    assert str(tmp_path / "bin") in env["PATH"].split(os.pathsep)


def test_other_stacks_use_the_users_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://company")
    env = environment([], None)
    assert env["PULUMI_BACKEND_URL"] == "s3://company"
    assert "PULUMI_CONFIG_PASSPHRASE" not in env


def test_other_stacks_have_a_backend_where_none_was_chosen(tmp_path: Path) -> None:
    assert environment([], None)["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/state/muster/pulumi"


@pytest.mark.parametrize(
    ("host", "pid", "released"),
    [
        (socket.gethostname(), 2**22 + 1, True),
        (socket.gethostname(), os.getpid(), False),
        ("elsewhere", 2**22 + 1, False),
    ],
)
def test_only_the_lock_of_a_dead_process_of_this_machine_is_released(
    tmp_path: Path, host: str, pid: int, released: bool
) -> None:
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "muster" / "local"
    folder.mkdir(parents=True)
    lock = folder / "one.json"
    lock.write_text(json.dumps({"hostname": host, "pid": pid}))
    Engine("local", {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}).unlock_if_orphaned()
    assert lock.exists() != released
