"""Which environments a change could change."""

import shutil
from pathlib import Path

import pytest

from local.places import ROOT
from local.problem import Problem
from rehearsal import changed

KNOWN = ("dev", "prod", "staging")
NOW = "2026-11-24T00:00:00+00:00"
TREE = ("Pulumi.yaml", "infra", "runtimes", "workloads", "stacks")


@pytest.mark.parametrize(
    ("paths", "tried", "expected"),
    [
        (["stacks/Pulumi.prod.yaml"], "", ("prod",)),
        (["stacks/Pulumi.local.yaml"], "", ()),
        (["stacks/Pulumi.dev.yaml", "stacks/Pulumi.prod.yaml"], "", ("dev", "prod")),
        (["infra/muster/resources/aws/network.py"], "", KNOWN),
        (["infra/muster/program.py"], "", KNOWN),
        (["infra/__main__.py"], "", KNOWN),
        (["Pulumi.yaml"], "", KNOWN),
        (["infra/muster/releases.yaml"], "dev staging", ("dev", "staging")),
        (["infra/muster/plan/pools.py"], "", ()),
        (["runtimes/deepspeed.yaml"], "prod", ("prod",)),
        (["workloads/zero3-train/train.py", "stacks/Pulumi.dev.yaml"], "prod", ("dev", "prod")),
        (["docs/aws.md", "tests/unit/test_plan.py", "local/cluster.py", "README.md"], "dev prod staging", ()),
        ([], "dev prod staging", ()),
    ],
)
def test_paths_tell_which_environments_change(paths: list[str], tried: str, expected: tuple[str, ...]) -> None:
    assert changed.environments(paths, KNOWN, lambda stack: stack in tried.split()) == expected


def test_the_environments_are_those_on_aws() -> None:
    assert changed.on_aws() == KNOWN


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The checkout as it was, to be edited."""
    for name in TREE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, tmp_path)
    return tmp_path


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_the_same_code_says_the_same(base: Path) -> None:
    assert not changed.differs("dev", base, NOW)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("infra/muster/manifests/queue.py", "return {", "return {'extra': 'key',"),
        ("runtimes/launcher/gang.yaml", "restartPolicy", "restartPolicyy"),
        ("workloads/zero3-train/train.py", "import json", "import json  # edited"),
        ("stacks/Pulumi.dev.yaml", "region: us-west-2", "region: nowhere"),
    ],
    ids=["a manifest", "a runtime that can't be read", "a script", "a file that has mistakes"],
)
def test_code_that_says_something_else_is_seen(base: Path, file: str, old: str, new: str) -> None:
    edit(base / file, old, new)
    assert changed.differs("dev", base, NOW)


def test_code_that_says_nothing_else_is_not(base: Path) -> None:
    for name in ("plan/pools.py", "report/curve.py"):
        file = base / "infra" / "muster" / name
        file.write_text(f"{file.read_text()}\nUNUSED = 1\n")
    assert not changed.differs("dev", base, NOW)


def test_a_stack_file_with_mistakes_in_the_working_tree_is_told(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(base / "stacks" / "Pulumi.dev.yaml", "region: us-west-2", "region: nowhere")
    monkeypatch.setattr(changed, "ROOT", base)
    with pytest.raises(Problem, match=r"(?s)stack dev can't be planned:.*cluster.region: found \"nowhere\""):
        changed.differs("dev", base, NOW)


def test_a_stack_file_that_is_gone_is_named(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (base / "stacks" / "Pulumi.prod.yaml").unlink()
    monkeypatch.setattr(changed, "ROOT", base)
    paths = ["stacks/Pulumi.dev.yaml", "stacks/Pulumi.prod.yaml", "docs/gone.md"]
    assert changed.removed(paths) == ("prod",)
