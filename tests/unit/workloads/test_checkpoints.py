"""Checkpoints of the sample: whole or not there, and what `muster checkpoints` says of the same folders."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from muster.manifests import list_checkpoints, listing
from muster.report import checkpoints as report
from muster.report import text
from muster.report.reader import Unreachable
from rich.console import Console

from tests.unit import planned

SAMPLE = planned.ROOT / "workloads" / "zero3-train" / "checkpoints.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("checkpoints", SAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["checkpoints"] = module
    spec.loader.exec_module(module)
    return module


checkpoints = load()


def write(root: Path, step: int, *, sealed: bool = True) -> Path:
    folder = root / f"step{step}"
    folder.mkdir()
    for rank in range(2):
        (folder / f"zero_pp_rank_{rank}.pt").write_bytes(b"x" * (10 + rank))
    if sealed:
        checkpoints.seal(folder, step, 2)
    return folder


def test_the_last_whole_one_is_found_by_its_number(tmp_path: Path) -> None:
    for step in (8, 9, 10):
        write(tmp_path, step)
    found, torn = checkpoints.find(tmp_path)
    assert (found.step, found.world_size, torn) == (10, 2, {})


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert checkpoints.find(tmp_path / "nowhere") == (None, {})


@pytest.mark.parametrize(
    ("hurt", "said"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "no manifest.json"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "no manifest.json"),
        (lambda folder: (folder / "zero_pp_rank_1.pt").unlink(), "zero_pp_rank_1.pt is missing"),
        (lambda folder: (folder / "zero_pp_rank_0.pt").write_bytes(b"x"), "zero_pp_rank_0.pt has 1 bytes of 10"),
    ],
    ids=["unfinished", "half a manifest", "missing", "cut"],
)
def test_a_torn_one_is_passed_over_with_its_reason(tmp_path: Path, hurt: Any, said: str) -> None:
    write(tmp_path, 10)
    hurt(write(tmp_path, 20))
    found, torn = checkpoints.find(tmp_path)
    assert found.step == 10
    assert said in torn["step20"]


def test_only_the_last_whole_ones_stay(tmp_path: Path) -> None:
    for step in (5, 10, 15, 20):
        write(tmp_path, step)
    write(tmp_path, 25, sealed=False)
    (tmp_path / "step5_universal").mkdir()
    checkpoints.prune(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step15", "step20"]


def test_the_listing_agrees(tmp_path: Path) -> None:
    write(tmp_path, 10)
    (write(tmp_path, 20) / "zero_pp_rank_1.pt").unlink()
    write(tmp_path, 30, sealed=False)
    command = [sys.executable, list_checkpoints.__file__, str(tmp_path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = {item.name: item for item in report.parse(printed.splitlines())}
    assert (found["step10"].step, found["step10"].world_size, found["step10"].problem) == (10, 2, "")
    assert found["step20"].problem == "missing or cut: zero_pp_rank_1.pt"
    assert "never finished" in found["step30"].problem


class OnePod:
    """A double of a cluster that runs one pod: it ends in `phase` and prints `printed`."""

    def __init__(self, phase: str, printed: str) -> None:
        self.phase, self.printed, self.deleted = phase, printed, ""

    def get(self, path: str, **params: str) -> dict[str, Any] | None:
        assert path.endswith("/pods/one")
        assert not params
        return {"status": {"phase": self.phase, "message": "no such claim"}}

    def log(self, namespace: str, pod: str, lines: int) -> list[str]:
        assert (namespace, pod, lines) == ("training", "one", 1)
        return self.printed.splitlines()

    def create_pod(self, namespace: str, pod: Mapping[str, Any]) -> str:
        assert namespace == pod["metadata"]["namespace"]
        return "one"

    def delete_pod(self, namespace: str, name: str) -> None:
        self.deleted = f"{namespace}/{name}"


def pod() -> dict[str, Any]:
    made = planned.of_stack("local")
    job = made.jobs[0]
    assert job.checkpoints is not None
    return listing.build(job, job.checkpoints, made.runtimes[0])


def test_the_pod_that_lists_goes_whatever_happens() -> None:
    item = {"name": "step10", "step": 10, "bytes": 21, "time": 1.0, "world_size": 2, "problem": ""}
    cluster = OnePod("Succeeded", json.dumps([item]))
    assert [one.step for one in report.read(cluster, pod())] == [10]
    assert cluster.deleted == "training/one"
    for phase, said in (("Failed", "no such claim"), ("Succeeded", "printed no list")):
        cluster = OnePod(phase, "Traceback")
        with pytest.raises(Unreachable, match=said):
            report.read(cluster, pod())
        assert cluster.deleted == "training/one"


def test_the_pod_that_lists_can_change_nothing() -> None:
    spec = pod()["spec"]
    (container,) = spec["containers"]
    assert all(mount["readOnly"] for mount in container["volumeMounts"])
    assert spec["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not spec["automountServiceAccountToken"]


def test_the_table_says_any_for_a_converted_one_and_nothing_for_a_torn_one() -> None:
    found = [
        report.CheckpointView("step10", 10, 21, 1.0, 2),
        report.CheckpointView("step10_universal", 10, 30, 1.0, 0),
        report.CheckpointView("step20", None, 9, 1.0, None, "no manifest.json: it was never finished"),
    ]
    shown = Console(width=120)
    with shown.capture() as captured:
        shown.print(text.checkpoint_table("train", found, 61.0))
    lines = captured.get().splitlines()
    assert lines[2].split() == ["step10", "10", "21", "bytes", "1m", "2", "whole"]
    assert lines[3].split()[-2:] == ["any", "whole"]
    assert lines[4].split()[:5] == ["step20", "9", "bytes", "1m", "no"]
