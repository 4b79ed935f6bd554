"""`muster report` as a process, on a preview from a file, without a cluster."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.unit.report import previews
from tests.unit.report.previews import CLUSTER, step
from tests.unit.test_cli import MUSTER, ROOT

REPLACED = step("replace", CLUSTER, "cluster", {}, {}, replaces=["roleArn"])


def report(*words: str, steps: tuple[object, ...] = (REPLACED,), file: str = "-") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "MUSTER_NOW": "2026-11-23T00:00:00Z"}
    env.pop("KUBECONFIG", None)
    command = [MUSTER, "report", "--stack", "staging", "--preview", file, *words]
    text = json.dumps(previews.document(*steps))  # type: ignore[arg-type]
    return subprocess.run(command, cwd=ROOT, env=env, input=text, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 0),
        (("--fail-on", "dangerous"), 3),
        (("--fail-on", "needs-care"), 3),
    ],
)
def test_it_ends_with_0_unless_it_is_told_what_is_bad(words: tuple[str, ...], code: int) -> None:
    done = report(*words)
    assert done.returncode == code, done.stderr
    assert done.stdout.splitlines()[1].startswith(
        "## staging: dangerous: cluster is replaced: everything in the cluster"
    )


def test_less_than_what_it_is_told_is_well() -> None:
    assert report("--fail-on", "dangerous", steps=()).returncode == 0


def test_what_was_not_looked_at_is_one_line() -> None:
    assert "Jobs not looked at: set KUBECONFIG to the file that knows the cluster" in report().stdout
    assert "Jobs not looked at: \\-\\-offline" not in report("--offline").stdout
    assert "Jobs not looked at: --offline was given." in report("--offline").stdout


def test_forms_and_files(tmp_path: Path) -> None:
    assert json.loads(report("--json").stdout)["verdict"] == "dangerous"
    assert json.loads(report("--format", "json").stdout)["verdict"] == "dangerous"
    file = tmp_path / "report.html"
    done = report("--format", "html", "--out", str(file))
    assert done.stdout.startswith("staging: dangerous: cluster is replaced")
    assert file.read_text().startswith("<!doctype html>")


def test_a_file_that_is_not_there_is_one_line() -> None:
    done = report(file="nowhere.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "nowhere.json: found No such file or directory; expected a preview\n"
