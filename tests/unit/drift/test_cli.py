"""`muster drift` as a process, without cluster and engine."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.drift.test_refresh import step
from tests.unit.test_cli import muster

QUEUE = {"metadata": {"name": "research", "namespace": "default"}, "spec": {"weight": 3}}
EDITED = {**QUEUE, "spec": {"weight": 1}}
KIND = "kubernetes:scheduling.volcano.sh/v1beta1:Queue"
NO_CLUSTER = "the cluster: there is no kubeconfig"


def drift(tmp_path: Path, *steps: dict[str, Any], more: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    file = tmp_path / "refresh.json"
    file.write_text(json.dumps({"steps": steps, **(more or {})}))
    done = muster("drift", "--refresh", str(file), "--json", state=tmp_path)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_what_the_engine_saw_is_judged_and_the_cluster_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, document = drift(tmp_path, step("update", KIND, "queue-research", QUEUE, EDITED, "spec.weight"))
    (blind,) = document["blind"]
    assert blind.startswith(NO_CLUSTER)
    assert (code, document["mustFix"]) == (4, 1)
    assert document["drifts"] == [
        {
            "what": "Queue research",
            "field": "spec.weight",
            "wanted": "3",
            "found": "1",
            "severity": "must-fix",
            "reason": "teams get other shares of the cluster than the stack file says",
            "mend": "make up STACK=local REFRESH=1",
        }
    ]


def test_an_engine_that_failed_half_way_is_named(tmp_path: Path) -> None:
    said = {"diagnostics": [{"severity": "error", "message": "reading queue: refused"}]}
    code, document = drift(tmp_path, step("refresh", KIND, "queue-research", QUEUE, QUEUE), more=said)
    assert code == 1
    assert document["blind"][1] == "the engine: reading queue: refused"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--refresh", "nowhere.json"), "nowhere.json: found No such file or directory; expected the engine's refresh"),
        (("--refresh", "Pulumi.yaml"), "Pulumi.yaml: found no preview; expected"),
        (("--stack", "nowhere"), "stacks/Pulumi.nowhere.yaml: found no such file"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done: subprocess.CompletedProcess[str] = muster("drift", *words, state=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_terminal_shows_a_table_and_whole_commands(tmp_path: Path) -> None:
    file = tmp_path / "refresh.json"
    file.write_text(json.dumps({"steps": [step("update", KIND, "queue-research", QUEUE, EDITED, "spec.weight")]}))
    done = muster("drift", "--refresh", str(file), state=tmp_path)
    assert "  make up STACK=local REFRESH=1\n" in done.stdout
    assert "not looked at: the cluster: there is no kubeconfig" in done.stdout
    assert done.stdout.endswith("stack local: 1 to fix, 0 harmless\n")
