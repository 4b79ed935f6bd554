"""A pull request's pipeline, on a repository made of this checkout."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.places import ROOT
from tests.e2e.conftest import clear

LEFT_OUT = (".git", "build", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")
LINKED = (".venv", "charts")
"""Folders that git ignores and that a rehearsal needs."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The checkout as the base of a change."""
    clear()
    root = tmp_path_factory.mktemp("request") / "muster"
    shutil.copytree(ROOT, root, ignore=left_out)
    git(root, "init", "--quiet", "--initial-branch=main")
    (root / ".git" / "info" / "exclude").write_text("".join(f"/{name}\n" for name in LINKED))
    for name in LINKED:
        (root / name).symlink_to(ROOT / name)
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message=base")
    yield root
    clear()


def left_out(folder: str, names: list[str]) -> set[str]:
    """What the copy does without: what git ignores."""
    return {"__pycache__", ".venv"} | (({*LEFT_OUT, *LINKED} & set(names)) if Path(folder) == ROOT else set())


def git(root: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *who, *words], cwd=root, check=True)


def pipeline(root: Path) -> tuple[int, dict[str, Any], str]:
    """Run it on the working tree against its last commit: exit code, last line, what it said."""
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "infra")]),
        "MUSTER_NOW": "2026-11-23T00:00:00Z",
    }
    command = [sys.executable, "-m", "rehearsal.pull_request", "--base", "main", "--out", "build/pr", "--skip-check"]
    done = subprocess.run(command, cwd=root, env=env, check=False, capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_a_change_of_a_page_changes_no_environment(repository: Path) -> None:
    (repository / "README.md").write_text("# Another\n")
    code, found, said = pipeline(repository)
    assert (code, found["verdict"], found["note"]) == (0, "safe", "no environment changed"), said
    assert found["environments"] == {}


def test_a_pool_that_grows_is_rehearsed_reported_and_taken_away(repository: Path) -> None:
    file = repository / "stacks" / "Pulumi.dev.yaml"
    text = file.read_text()
    old = "g6e: {instanceType: g6e.8xlarge, nodes: 2,"
    assert old in text
    file.write_text(text.replace(old, old.replace("nodes: 2", "nodes: 3")))
    code, found, said = pipeline(repository)
    assert (code, found["ok"], found["verdict"]) == (0, True, "needs-care"), said
    (outcome,) = found["environments"].values()
    assert list(found["environments"]) == ["dev"]
    assert (outcome["changes"], outcome["noop_changes"], outcome["leftovers"], outcome["policies"]) == (1, 0, 0, 0)
    made = repository / "build" / "pr"
    assert {path.name for path in (made / "dev").iterdir()} == {
        "check.json",
        "preview.json",
        "report.html",
        "report.json",
        "report.md",
    }
    findings = json.loads((made / "dev" / "check.json").read_text())["findings"]
    assert [one["rule"] for one in findings if one["severity"] == "mandatory"] == []
    assert json.loads((made / "summary.json").read_text()) == found
    comment = (made / "comment.md").read_text()
    assert comment.startswith("## Rehearsal: needs care\n")
    assert (made / "dev" / "report.md").read_text().strip() in comment
    assert "grows from 2 to 3" in comment
