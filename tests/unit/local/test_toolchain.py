"""Tools are found or built once, whoever asks at the same time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local import toolchain
from local.places import ROOT
from local.problem import Problem


def script(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n" + text)
    (folder / name).chmod(0o755)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go_cache = subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.setenv("GOCACHE", go_cache)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    toolchain._version_of.cache_clear()
    toolchain.go_version.cache_clear()


@pytest.mark.parametrize(
    ("version", "taken"), [("v1.35.9", True), ("v1.34.0", True), ("v1.33.9", False), ("v1.37.0", False)]
)
def test_a_users_tool_is_taken_when_its_version_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, taken: bool
) -> None:
    script(tmp_path / "bin", "kubectl", f'echo "Client Version: {version}"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    found = toolchain._users("kubectl")
    assert (found is not None) == taken
    if found is not None:
        assert found.path == tmp_path / "bin" / "kubectl"
        assert "yours" in found.origin


def test_the_language_host_comes_from_the_users_pulumi_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "bin", "pulumi-language-python", "true")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert toolchain._users("pulumi-language-python") is None
    script(tmp_path / "bin", "pulumi", "echo v3.300.0")
    toolchain._version_of.cache_clear()
    assert toolchain._users("pulumi-language-python") is not None


def test_a_provider_plugin_that_is_installed_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    assert toolchain._users("pulumi-resource-kubernetes") is None
    script(tmp_path / "plugins" / "resource-kubernetes-v4.25.0", "pulumi-resource-kubernetes", "true")
    assert toolchain._users("pulumi-resource-kubernetes") is not None


def test_no_go_is_one_sentence_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Problem, match=r"Go 1\.26 or newer is needed .*; install it"):
        toolchain.ensure(["pause"])


def test_an_old_go_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script(tmp_path / "bin", "go", "echo go1.19.8")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    with pytest.raises(Problem, match=r"found go1\.19\.8, Go 1\.26 or newer is needed"):
        toolchain.ensure(["pause"])


def test_two_runs_at_once_build_one_whole_binary(tmp_path: Path) -> None:
    program = "from local import toolchain; print(toolchain.ensure(['pause'])['pause'].path)"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    ends = [run.communicate(timeout=300) for run in runs]
    paths = {out.strip() for out, _ in ends}
    assert len(paths) == 1, ends
    assert sum("building pause" in err for _, err in ends) == 1, "only one of them builds"
    assert os.access(paths.pop(), os.X_OK)
    assert [path.name for path in (tmp_path / "cache" / "muster" / "bin").iterdir()] == [
        f"pause-{toolchain.key('pause')}"
    ]


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / "cache" / "muster" / "bin" / f"pause-{toolchain.key('pause')}.12345"
    left.mkdir(parents=True)
    (left / "pause").write_text("half")
    assert toolchain.ensure(["pause"])["pause"].path.exists()
    assert not left.exists()


def test_the_key_changes_with_what_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = toolchain.key("pause")
    monkeypatch.setattr(toolchain, "TOOLS", tmp_path)
    (tmp_path / "pause").mkdir()
    for file in (ROOT / "local" / "tools" / "pause").iterdir():
        (tmp_path / "pause" / file.name).write_bytes(file.read_bytes())
    assert toolchain.key("pause") == before
    (tmp_path / "pause" / "main.go").write_text("package main\nfunc main() {}\n")
    assert toolchain.key("pause") != before


def test_a_build_that_fails_names_its_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(toolchain, "TOOLS", tmp_path)
    (tmp_path / "pause").mkdir()
    (tmp_path / "pause" / "go.mod").write_text("module x\n\ngo 1.26.0\n")
    (tmp_path / "pause" / "main.go").write_text("package main\nfunc main() { undefined() }\n")
    with pytest.raises(Problem, match=r"pause could not be built: .*undefined.*whole output: .*pause\.log"):
        toolchain.ensure(["pause"])
    assert not list((tmp_path / "cache" / "muster" / "bin").glob("pause-*"))
