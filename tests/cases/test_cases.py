"""Every stack file under error/ gives exactly the problems its header expects, every one under happy/ a plan."""

from pathlib import Path

import jsonschema
import pytest
from muster import catalog, documents, plan, releases, repository, settings
from muster.catalog import services
from muster.plan import Plan
from muster.problems import SettingsError

from tests.unit.planned import NOW

HERE = Path(__file__).parent
CHECKOUT = HERE.parent / "unit" / "fixtures" / "checkout"
HEADER = b"# expect: "


def planned(path: Path) -> Plan:
    return plan.make(
        settings.read(path),
        repository.load(CHECKOUT),
        catalog.load(),
        services.load(),
        releases.load(),
        stack="case",
        source=str(path),
        now=NOW,
    )


@pytest.mark.parametrize("path", sorted(HERE.glob("error/*.yaml")), ids=lambda path: path.stem)
def test_error(path: Path) -> None:
    lines = path.read_bytes().splitlines()
    expected = [line.removeprefix(HEADER).decode() for line in lines if line.startswith(HEADER)]
    assert expected, "a case of an error says what it expects"
    with pytest.raises(SettingsError) as caught:
        planned(path)
    assert [str(problem).replace(str(path), "FILE") for problem in caught.value.problems] == expected


@pytest.mark.parametrize("path", sorted(HERE.glob("happy/*.yaml")), ids=lambda path: path.stem)
def test_happy(path: Path) -> None:
    made = planned(path)
    assert [job.name for job in made.jobs] == list(settings.read(path).jobs)
    jsonschema.Draft202012Validator(settings.schema()).validate(documents.load(path.read_bytes(), str(path)))


def test_there_are_enough_cases() -> None:
    assert len(list(HERE.glob("error/*.yaml"))) >= 45
    assert len(list(HERE.glob("happy/*.yaml"))) >= 8
