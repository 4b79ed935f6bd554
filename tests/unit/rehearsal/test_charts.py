"""Stand-in charts: their keys are those that the stacks set, and nothing else passes."""

import json
from typing import Any

import jsonschema
import pytest
import yaml
from muster import releases, stack

from rehearsal.project import STANDINS
from tests.program.recorder import ENVIRON, ROOT, STACKS

CHARTS = sorted(folder.name for folder in STANDINS.iterdir())


def schema(chart: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((STANDINS / chart / "values.schema.json").read_text())
    return found


@pytest.mark.parametrize("name", STACKS)
def test_the_values_of_every_stack_pass(name: str) -> None:
    for release in stack.from_file(name, ROOT, ENVIRON).releases:
        chart = release.chart.rpartition("/")[2]
        if chart in CHARTS:
            jsonschema.Draft202012Validator(schema(chart)).validate(dict(release.values))


@pytest.mark.parametrize("chart", CHARTS)
def test_a_key_that_the_real_chart_lacks_does_not(chart: str) -> None:
    with pytest.raises(jsonschema.ValidationError, match="tolerance"):
        jsonschema.validate({"tolerance": []}, schema(chart))


def test_the_driver_stays_off() -> None:
    with pytest.raises(jsonschema.ValidationError, match="False was expected"):
        jsonschema.validate({"driver": {"enabled": True}}, schema("gpu-operator"))


@pytest.mark.parametrize("chart", CHARTS)
def test_names_and_versions_are_those_of_the_locked_set(chart: str) -> None:
    meta = yaml.safe_load((STANDINS / chart / "Chart.yaml").read_text())
    online = releases.load().charts[chart].online
    assert (meta["name"], meta["version"]) == (online.chart, online.version)
