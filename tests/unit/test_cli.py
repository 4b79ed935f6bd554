"""The `muster` command as a process, without a cluster."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MUSTER = ROOT / ".venv" / "bin" / "muster"


def muster(*words: str, cwd: Path = ROOT, state: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "COLUMNS": "200", **({"XDG_STATE_HOME": str(state)} if state else {})}
    return subprocess.run([MUSTER, *words], cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_plan_shows_pools_and_jobs() -> None:
    done = muster("plan")
    assert done.returncode == 0, done.stderr
    assert "2 pods x 1 = 2 ranks on pool cpu" in done.stdout
    assert "32 EFA interfaces a node" in done.stdout


def test_render_prints_every_manifest() -> None:
    documents = list(yaml.safe_load_all(muster("render").stdout))
    kinds = [document["kind"] for document in documents]
    assert sorted(set(kinds)) == [
        "ClusterTrainingRuntime",
        "ConfigMap",
        "Node",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "Queue",
        "TrainJob",
    ]
    assert kinds.count("Node") == 2


def test_schema_is_the_committed_one() -> None:
    assert json.loads(muster("schema").stdout) == json.loads(
        (ROOT / "infra" / "muster" / "stack.schema.json").read_text()
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("plan", "--stack", "nowhere"), "stacks/Pulumi.nowhere.yaml: found no such file; expected one of"),
        (("logs", "nothing"), 'stacks/Pulumi.local.yaml: jobs: found no "nothing"; expected one of zero3-train'),
        (("status",), "the cluster can't be read: there is no kubeconfig"),
    ],
)
def test_a_mistake_is_one_line_and_code_1(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = muster(*words, state=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_it_works_on_the_checkout_around_it(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: muster\n")
    (tmp_path / "below").mkdir()
    done = muster("plan", cwd=tmp_path / "below")
    assert done.returncode == 1
    assert "stacks/Pulumi.local.yaml: found no such file" in done.stderr
