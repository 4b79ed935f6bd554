"""What the README shows is what the checkout has."""

import re
from pathlib import Path

import pytest
from muster import catalog, plan, releases, repository, settings
from muster.catalog import services
from muster.problems import SettingsError

from drill.drills import DRILLS
from tests.unit import planned

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
STACK = ROOT / "stacks" / "Pulumi.local.yaml"


def test_the_stack_file_is_quoted_whole() -> None:
    assert STACK.read_text() in README


def test_the_mistakes_shown_are_what_such_a_file_gives(tmp_path: Path) -> None:
    shown = [line for line in README.splitlines() if line.startswith("stacks/Pulumi.local.yaml: ")]
    text = STACK.read_text()
    for right, wrong in (("p5.48xlarge", "p5.48x"), ("1Gi", "1GiB"), ("weight: 3", "wieght: 3")):
        assert right in text
        text = text.replace(right, wrong)
    path = tmp_path / "Pulumi.local.yaml"
    problems: list[str] = []
    for broken in (text, text.replace("1GiB", "1Gi").replace("wieght", "weight")):
        path.write_text(broken)
        with pytest.raises(SettingsError) as caught:
            plan.make(
                settings.read(path, "stacks/Pulumi.local.yaml"),
                repository.load(ROOT),
                catalog.load(),
                services.load(),
                releases.load(),
                stack="local",
                source="stacks/Pulumi.local.yaml",
                now=planned.NOW,
            )
        problems += [str(problem) for problem in caught.value.problems]
    assert shown == problems


def test_every_workload_has_a_page() -> None:
    assert {file.parent.name for file in ROOT.glob("workloads/*/job.yaml")} == {
        file.parent.name for file in ROOT.glob("workloads/*/README.md")
    }


def test_the_table_of_exit_codes_is_what_the_drills_prove() -> None:
    page = (ROOT / "docs" / "runtimes.md").read_text()
    rows = re.findall(r"^\| (\d+) \|.*\| drills? ([a-z0-9, -]+) \|$", page, flags=re.MULTILINE)
    promised = {name: int(code) for code, names in rows for name in names.split(", ")}
    proven = {drill.name: drill.code for drill in DRILLS}
    assert promised == {name: code for name, code in proven.items() if name not in ("rank-exception", "pod-evicted")}
    assert {"rank-exception", "pod-evicted"} <= {name for name in proven if f"drill {name}" in page}


def test_the_table_of_templates_is_the_folder() -> None:
    page = (ROOT / "docs" / "runtimes.md").read_text()
    named = re.findall(r"^\| `([a-z-]+)` \|", page, flags=re.MULTILINE)
    assert sorted(named) == sorted(file.stem for file in (ROOT / "runtimes").glob("*.yaml"))


def test_the_page_on_aws_names_the_test_of_every_pitfall() -> None:
    page = (ROOT / "docs" / "aws.md").read_text()
    tests = (ROOT / "tests" / "unit" / "aws" / "test_pitfalls.py").read_text()
    named = re.findall(r"^\| (\d+) \|.*\| `(test_\w+)` \|$", page, flags=re.MULTILINE)
    assert [int(number) for number, _ in named] == list(range(1, 44))
    assert [name for _, name in named] == re.findall(r"^def (test_\d\d_\w+)", tests, flags=re.MULTILINE)
