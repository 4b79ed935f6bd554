"""`muster check` as a process, on previews in files."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from muster.policy import Resource

from tests.program.recorder import ENVIRON, ROOT
from tests.unit.policy.cases import cluster, efa, repository, template

NO_KEY = cluster(enabledClusterLogTypes=["audit"], vpcConfig={"endpointPublicAccess": False})


def check(resources: Sequence[Resource], *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    steps = [{"op": "create", "urn": one.urn, "newState": {"inputs": one.props}} for one in resources]
    command = [ROOT / ".venv" / "bin" / "muster", "check", "--stack", "local", "--preview", "-", *words]
    environ = {**os.environ, **ENVIRON, "COLUMNS": "200"}
    document = json.dumps({"steps": steps, **more})
    return subprocess.run(command, cwd=ROOT, env=environ, input=document, capture_output=True, text=True, check=False)


def test_a_mandatory_finding_is_code_1_and_a_row() -> None:
    done = check([repository("MUTABLE")])
    assert done.returncode == 1
    assert "registry-tags-immutable" in done.stdout
    assert "Repository images" in done.stdout
    assert "1 mandatory, 0 advisory, 0 exempted findings" in done.stdout


def test_advice_alone_is_code_0() -> None:
    done = check([NO_KEY])
    assert done.returncode == 0
    assert "0 mandatory, 1 advisory, 0 exempted findings" in done.stdout


def test_json_has_every_finding() -> None:
    done = check([repository("MUTABLE"), NO_KEY], "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert (document["stack"], document["unjudged"]) == ("local", [])
    assert [(one["rule"], one["resource"], one["kind"]) for one in document["findings"]] == [
        ("secrets-customer-key", "cluster", "Cluster"),
        ("registry-tags-immutable", "images", "Repository"),
    ]
    assert document["findings"][0]["exempted_until"] is None


def test_a_preview_that_failed_is_not_all_right() -> None:
    done = check([], diagnostics=[{"severity": "error", "message": "the program ended"}])
    assert done.returncode == 1
    assert "not everything was judged: the preview failed: the program ended" in done.stderr


def test_a_preview_that_leaves_out_what_stays_is_judged_by_what_it_shows() -> None:
    bare = template(**efa("sg-1"), metadataOptions={"httpTokens": "optional"})
    done = check([bare], "--json", changeSummary={"same": 70})
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert [one["rule"] for one in document["findings"]] == ["imdsv2"]
    assert document["unjudged"] == ["the preview leaves out 70 resources that stay; make it with --show-sames"]


@pytest.mark.parametrize("text", ["", "[]"])
def test_anything_else_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "preview.json").write_text(text)
    command = [ROOT / ".venv" / "bin" / "muster", "check", "--preview", tmp_path / "preview.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "found no preview; expected the output of: pulumi preview --json" in done.stderr
    assert "Traceback" not in done.stderr
