"""Workflows: pinned, least privilege, nothing in them but make, and code of forks far from secrets."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import toolchain

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "workflows"
FILES = {file.name: file.read_text() for file in sorted(FOLDER.glob("*.yml"))}
WORKFLOWS: Mapping[str, Any] = {
    name: yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - texts only: YAML 1.1 reads the key `on` as true
    for name, text in FILES.items()
}
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
READ = {"contents": "read"}
ASSUMES_A_ROLE = READ | {"id-token": "write"}
PERMISSIONS = {
    ("deploy.yml", "report"): ASSUMES_A_ROLE,
    ("deploy.yml", "up"): ASSUMES_A_ROLE,
    ("drift.yml", "drift"): ASSUMES_A_ROLE,
    ("pull-request.yml", "rehearse"): READ,
    ("pull-request-comment.yml", "comment"): READ | {"actions": "read", "pull-requests": "write"},
}


def jobs() -> Iterator[tuple[str, str, Any]]:
    for file, workflow in WORKFLOWS.items():
        for name, job in workflow["jobs"].items():
            yield file, name, job


def steps(key: str) -> list[tuple[str, str]]:
    return [(file, step[key]) for file, _, job in jobs() for step in job["steps"] if key in step]


def stacks() -> set[str]:
    """Stacks on AWS."""
    found = {file.name.split(".")[1]: yaml.safe_load(file.read_text()) for file in ROOT.glob("stacks/Pulumi.*.yaml")}
    return {name for name, document in found.items() if document["config"]["muster:cluster"]["provider"] == "aws"}


def test_actionlint_finds_nothing() -> None:
    tool = toolchain.ensure(["actionlint"])["actionlint"]
    files = [str(FOLDER / name) for name in FILES]
    done = subprocess.run(
        [tool.path, "-shellcheck=", "-pyflakes=", *files], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(("file", "action"), steps("uses"))
def test_an_action_is_pinned_by_its_commit_with_the_version_beside_it(file: str, action: str) -> None:
    line = next(line for line in FILES[file].splitlines() if action in line)
    assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)
    assert re.search(rf"{re.escape(action)} # v\d+\.\d+\.\d+$", line)


def test_an_action_has_one_version_in_all_workflows() -> None:
    pinned = {action for _, action in steps("uses")}
    assert len(pinned) == len({action.partition("@")[0] for action in pinned})


def test_images_are_pinned_by_digest() -> None:
    images = [job["container"]["image"] for _, _, job in jobs() if "container" in job]
    assert len(images) == 1
    assert all(re.search(r"@sha256:[0-9a-f]{64}$", image) for image in images)


@pytest.mark.parametrize(("file", "script"), steps("run"))
def test_a_script_is_one_make_target_without_expressions(file: str, script: str) -> None:
    target = re.fullmatch(r'make ([a-z-]+)( [A-Z_]+=("\$[A-Z_]+"|[\w./^-]+))*', script)
    assert target, f"{file}: {script}"
    assert target[1] in TARGETS


def test_permissions_are_none_but_what_each_job_needs() -> None:
    assert {file: workflow["permissions"] for file, workflow in WORKFLOWS.items()} == {file: {} for file in WORKFLOWS}
    assert {(file, name): job["permissions"] for file, name, job in jobs()} == PERMISSIONS


def test_a_checkout_leaves_no_token_behind() -> None:
    checkouts = [step for _, _, job in jobs() for step in job["steps"] if "actions/checkout@" in step.get("uses", "")]
    assert len(checkouts) == len(PERMISSIONS)
    assert [step["with"]["persist-credentials"] for step in checkouts] == ["false"] * len(checkouts)


def test_code_of_forks_meets_no_secret_and_no_token_that_writes() -> None:
    assert WORKFLOWS["pull-request.yml"]["on"] == "pull_request"
    assert "secrets." not in FILES["pull-request.yml"]
    assert "vars." not in FILES["pull-request.yml"]
    assert not [file for file, text in FILES.items() if "pull_request_target" in text]


def test_a_secret_is_given_to_the_step_that_needs_it_alone() -> None:
    holders = [(file, step) for file, _, job in jobs() for step in job["steps"] if "secrets." in str(step)]
    assert [(file, step["run"].split()[1]) for file, step in holders] == [
        ("deploy.yml", "report"),
        ("deploy.yml", "up"),
        ("drift.yml", "drift"),
    ]
    assert sum(text.count("secrets.") for text in FILES.values()) == len(holders)


def test_the_workflow_that_comments_runs_no_code_of_the_request() -> None:
    workflow, text = WORKFLOWS["pull-request-comment.yml"], FILES["pull-request-comment.yml"]
    assert workflow["on"] == {"workflow_run": {"workflows": ["pull request"], "types": ["completed"]}}
    assert WORKFLOWS["pull-request.yml"]["name"] == "pull request"
    checkout, download, comment = workflow["jobs"]["comment"]["steps"]
    assert set(checkout["with"]) == {"persist-credentials"}
    assert download["with"]["path"] == "${{ runner.temp }}/report"
    assert comment["run"] == "make comment"
    assert "secrets." not in text


def test_environments_are_those_of_the_stack_files_and_ask_for_approval() -> None:
    deploy, drift = WORKFLOWS["deploy.yml"]["jobs"], WORKFLOWS["drift.yml"]["jobs"]
    matrices = [deploy["report"], deploy["up"], drift["drift"]]
    assert [set(job["strategy"]["matrix"]["stack"]) for job in matrices] == [stacks()] * 3
    assert deploy["up"]["environment"] == "${{ matrix.stack }}"
    assert [job["environment"] for job in (deploy["report"], drift["drift"])] == ["${{ matrix.stack }}-read"] * 2


def test_an_update_comes_after_its_report_and_one_at_a_time_for_a_stack() -> None:
    up = WORKFLOWS["deploy.yml"]["jobs"]["up"]
    assert up["needs"] == "report"
    assert up["strategy"]["max-parallel"] == "1"
    assert up["concurrency"] == {"group": "stack-${{ matrix.stack }}", "cancel-in-progress": "false"}


def test_nobody_deploys_but_main() -> None:
    assert WORKFLOWS["deploy.yml"]["on"] == {"push": {"branches": ["main"]}, "workflow_dispatch": ""}
    makes = {file: script for file, script in steps("run") if script.startswith("make up")}
    assert makes == {"deploy.yml": "make up"}


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_job_ends_by_itself(name: str) -> None:
    assert all(0 < int(job["timeout-minutes"]) <= 180 for job in WORKFLOWS[name]["jobs"].values())
