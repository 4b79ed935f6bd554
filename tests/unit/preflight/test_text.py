"""What preflight prints, and the codes it ends with."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from muster.preflight import lines, text
from muster.preflight.answers import Unasked
from muster.preflight.lines import Line, State
from rich.console import Console

ROOT = Path(__file__).resolve().parents[3]
WHY = Unasked("nobody was there", "come back")


def line(state: State) -> Line:
    return Line("it", state, "found")


@pytest.mark.parametrize(
    ("states", "code", "strict"),
    [
        ((), 0, 0),
        (("ok", "warn"), 0, 0),
        (("ok", "unknown"), 0, 2),
        (("ok", "warn", "fail"), 1, 1),
        (("fail", "unknown"), 1, 1),
    ],
)
def test_exit_codes(states: tuple[State, ...], code: int, strict: int) -> None:
    found = [line(state) for state in states]
    assert lines.exit_code(found, strict=False) == code
    assert lines.exit_code(found, strict=True) == strict


def test_the_worst_finding_decides_and_all_are_told() -> None:
    assert lines.worst("it", [], "well") == Line("it", "ok", "well", "")
    assert lines.worst("it", [("warn", "late", "wait")], "well") == Line("it", "warn", "late", "wait")
    assert lines.worst("it", [("warn", "late", "wait"), ("fail", "gone", "wait")], "well") == Line(
        "it", "fail", "late; gone", "wait"
    )


def test_lines_of_one_reason_stand_together_and_are_counted_one_by_one() -> None:
    found = [
        lines.unknown("zone a", WHY),
        Line("chart", "ok", "as pinned"),
        lines.unknown("zone b", WHY),
        Line("quota", "warn", "[near]", "raise it"),
    ]
    console = Console(width=60, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123 - kept in memory alone
    console.print(text.screen("test", found))
    assert [row.rstrip() for row in console.export_text().splitlines()] == [
        "preflight of test",
        " state    what    found             remedy",
        " unknown  zone a  nobody was there  come back",
        "          zone b",
        " ok       chart   as pinned",
        " warn     quota   [near]            raise it",
        "",
        "1 ok, 1 warning, 0 failed, 2 not checked",
    ]


def muster(cwd: Path, state: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env = {**kept, "XDG_STATE_HOME": str(state), **more}
    command = [ROOT / ".venv" / "bin" / "muster", "preflight", *words]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The checkout without its charts."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("Pulumi.yaml", "stacks", "runtimes", "workloads"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def test_without_a_cluster_the_command_says_what_it_did_not_check(checkout: Path, tmp_path: Path) -> None:
    done = muster(checkout, tmp_path / "state", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["stack"] == "local"
    assert told["counts"] == {"ok": 1, "warn": 6, "fail": 0, "unknown": 4}
    assert told["lines"][1] == {
        "name": "nodes of pool cpu",
        "state": "unknown",
        "text": f"there is no kubeconfig {tmp_path}/state/muster/cluster/kubeconfig; "
        "start the cluster (make up), or set KUBECONFIG",
        "remedy": "make up STACK=local starts it",
    }


def test_strict_ends_with_2_where_something_was_not_checked(checkout: Path, tmp_path: Path) -> None:
    done = muster(checkout, tmp_path / "state", "--strict")
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1] == "1 ok, 6 warnings, 0 failed, 4 not checked"
    assert "Traceback" not in done.stderr


def test_the_policy_of_a_stack_outside_aws_is_of_any_account(checkout: Path, tmp_path: Path) -> None:
    done = muster(checkout, tmp_path / "state", "--iam-policy")
    assert done.returncode == 0
    rows = {row["Sid"]: row["Resource"] for row in json.loads(done.stdout)["Statement"]}
    assert rows == {
        "Look": ["*"],
        "Cluster": ["arn:aws:eks:*:*:cluster/*"],
        "NodeImages": ["arn:aws:ssm:*::parameter/aws/service/*"],
        "Images": ["arn:aws:ecr:*:*:repository/*"],
    }


def test_the_page_shows_what_a_fresh_clone_prints(checkout: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "preflight.md").read_text()
    _, _, shown = page.partition("$ .venv/bin/muster preflight --stack prod\n")
    nobody = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none"}
    done = muster(checkout, tmp_path / "state", "--stack", "prod", COLUMNS="118", **nobody)
    assert done.returncode == 1
    printed = [row.rstrip() for row in done.stdout.splitlines()]
    assert printed == shown.partition("\n```")[0].splitlines()
