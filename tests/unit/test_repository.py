"""Templates completed with what all have in common."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from muster import repository
from muster.repository import completed, serves

from tests.unit import planned

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "a", "b"]), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
@example([{"name": []}])
@example([{"name": "a", "b": 1}, {"name": "a", "b": 2}])
def test_whoever_says_it_all_lacks_nothing(document: Any) -> None:
    assert completed(document, document) == document


@given(JSON, JSON)
def test_what_a_template_says_stays(common: Any, own: Any) -> None:
    if isinstance(own, dict):
        made = completed(common, own)
        for key, value in own.items():
            assert key in made
            assert isinstance(value, (dict, list)) or made[key] == value


@pytest.mark.parametrize(
    ("common", "own", "made"),
    [
        ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
        ({"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"x": 1, "y": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        (
            {"env": [{"name": "A", "value": "1"}]},
            {"env": [{"name": "B", "value": "2"}, {"name": "A", "value": "3"}]},
            {"env": [{"name": "A", "value": "3"}, {"name": "B", "value": "2"}]},
        ),
    ],
    ids=["keys", "maps", "lists", "lists of named things"],
)
def test_what_it_lacks_comes_from_what_all_have(common: Any, own: Any, made: Any) -> None:
    assert completed(common, own) == made


def test_every_template_of_the_project_restarts_whole_and_never_on_78() -> None:
    templates = repository.load(planned.ROOT).templates
    assert {"deepspeed", "deepspeed-torchrun", "deepspeed-serve", "collectives"} <= set(templates)
    assert {name for name, template in templates.items() if serves(template.document)} == {"deepspeed-serve"}
    for template in templates.values():
        spec = template.document["spec"]["template"]["spec"]
        assert spec["failurePolicy"]["rules"][0]["action"] == "FailJobSet"
        job = spec["replicatedJobs"][0]["template"]["spec"]
        assert job["backoffLimit"] == 0
        assert job["podFailurePolicy"]["rules"][1]["onExitCodes"]["values"] == [78]
