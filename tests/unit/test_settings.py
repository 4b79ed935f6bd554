"""Reading stack files: the schema, the file itself, and the words of a mistake."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from muster import documents, settings
from muster.problems import Problem, SettingsError

from tests.unit import planned

SCHEMA = planned.ROOT / "infra" / "muster" / "stack.schema.json"
STACKS = sorted((planned.ROOT / "stacks").glob("Pulumi.*.yaml"))


def problems(config: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings.parse(config, "FILE")
    return [str(problem) for problem in caught.value.problems]


def test_the_committed_schema_is_current() -> None:
    assert json.loads(SCHEMA.read_text()) == settings.schema(), "write it again: make schema"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(settings.schema())


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.stem)
def test_stack_files_fit_the_schema(path: Path) -> None:
    jsonschema.Draft202012Validator(settings.schema()).validate(documents.load(path.read_bytes(), str(path)))
    assert "../infra/muster/stack.schema.json" in path.read_text().splitlines()[0]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"muster:cluster": {"provider": "moon"}},
        {"muster:cluster": {"provider": "embedded"}, "muster:polls": {}},
        {"muster:cluster": {"provider": "embedded"}, "muster:pools": {"p": {"nodes": 1}}},
        {"muster:cluster": {"provider": "embedded"}, "muster:queues": {"Q": {}}},
        {"muster:cluster": {"provider": "embedded"}, "muster:storage": {"s": {"kind": "claim", "size": "1 GB"}}},
    ],
)
def test_the_schema_refuses_what_editors_should_mark(config: dict[str, Any]) -> None:
    assert not jsonschema.Draft202012Validator(settings.schema()).is_valid({"config": config})


def test_every_key_is_described() -> None:
    schema = settings.schema()
    parts = [schema["properties"]["config"], *schema["$defs"].values()]
    bare = [name for part in parts for name, field in part["properties"].items() if "description" not in field]
    assert bare == []


def test_other_namespaces_are_left_alone() -> None:
    config = {"muster:cluster": {"provider": "embedded"}, "aws:region": "us-west-2", "pulumi:tags": {"a": 1}}
    assert settings.parse(config, "FILE").cluster.provider == "embedded"


def test_a_missing_file_names_those_beside_it(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.local.yaml").write_text("config: {}\n")
    (tmp_path / "Pulumi.prod.yaml").write_text("config: {}\n")
    path = tmp_path / "Pulumi.locl.yaml"
    with pytest.raises(SettingsError) as caught:
        settings.read(path)
    expected = "one of Pulumi.local.yaml, Pulumi.prod.yaml (did you mean Pulumi.local.yaml?)"
    assert str(caught.value) == f"{path}: found no such file; expected {expected}"


def test_a_folder_is_no_stack_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="found is a directory; expected a stack file that can be read"):
        settings.read(tmp_path)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"---\n", b"# only words\n"])
def test_an_empty_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "Pulumi.x.yaml"
    path.write_bytes(data)
    with pytest.raises(SettingsError, match="found an empty file; expected a map with the key config"):
        settings.read(path)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.x.yaml"
    path.write_bytes(b"\xef\xbb\xbfconfig: {muster:cluster: {provider: embedded}}\n")
    assert settings.read(path).cluster.provider == "embedded"


def test_scalars_are_those_of_the_engine() -> None:
    text = b"{a: yes, b: 1:30, c: 2026-12-01, d: 0o17, e: 1e3, f: true, g: null, h: 012, i: 0x10, j: '1'}"
    assert documents.load(text, "FILE") == {
        "a": "yes",
        "b": "1:30",
        "c": "2026-12-01",
        "d": 15,
        "e": 1000.0,
        "f": True,
        "g": None,
        "h": 12,
        "i": 16,
        "j": "1",
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: !!python/object:os.system x", "a: found the tag !!python/object:os.system in line 1; expected a value"),
        ("a: !!int x", "a: found the tag !!int in line 1; expected a value without a tag"),
        ("a: !!set {b}", "a: found the tag !!set in line 1; expected a value without a tag"),
        ("!!int x: 1", "x: found the tag !!int in line 1; expected a value without a tag"),
        ("[" * 5000, "found brackets nested too deep; expected a few levels"),
        ("a: " + "1" * 5000, "line 1: found broken YAML (a number of over 400 digits)"),
        ("? [a]\n: b", "found a list as a key in line 1; expected text as a key"),
    ],
)
def test_what_would_trip_the_reader(text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        documents.load(text.encode(), "FILE")
    assert problem in str(caught.value)


def test_aliases_of_aliases_are_read_once() -> None:
    levels = [f"l{level}: &l{level} [{', '.join(['*l' + str(level - 1)] * 9)}]" for level in range(1, 30)]
    assert len(documents.load("\n".join(["l0: &l0 [x]", *levels]).encode(), "FILE")) == 30


def test_words_come_from_this_project_alone() -> None:
    said = "\n".join(
        problems(
            {
                "muster:cluster": {"provider": "existing", "context": 3},
                "muster:pools": {"p": {"nodes": [], "taints": {}, "simulated": 0, "existing": "x"}},
                "muster:storage": {"s": None},
                "muster:jobs": {"j": {"env": [], "args": "x", "wait": 1, "nodes": 10**30}},
            }
        )
    )
    assert "pydantic" not in said
    assert "Input" not in said
    assert "valid" not in said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=6,
)
SECTIONS = [*settings.Settings.model_fields, "other"]


@given(st.dictionaries(st.sampled_from([f"muster:{name}" for name in SECTIONS]), JSON))
def test_anything_is_settings_or_problems(config: dict[str, Any]) -> None:
    said = outcome(lambda: settings.parse(config, "FILE"))
    assert said is None or (said and all(problem.found and problem.expected for problem in said))


@given(st.binary(max_size=40) | st.text(alphabet="config: {}[]&*!|>-\n\t'\"#,?@a", max_size=40).map(str.encode))
def test_any_bytes_are_a_document_or_problems(data: bytes) -> None:
    assert outcome(lambda: documents.load(data, "FILE")) != ()


def outcome(attempt: Callable[[], object]) -> tuple[Problem, ...] | None:
    """Problems of an attempt, None where it went well."""
    try:
        attempt()
    except SettingsError as error:
        return error.problems
    return None
