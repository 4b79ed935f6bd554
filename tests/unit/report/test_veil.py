"""Secrets are never shown, wherever they stand; other values are, in few characters."""

from typing import Any

import pytest
from muster.policy.parts import UNKNOWN
from muster.preview import Change
from muster.report import field_change, veil
from muster.report.field_change import FieldChange

MARK = "m4rk3d-5d1c0b77f2a9"


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (None, "nothing"),
        (3, "3"),
        ("", "empty"),
        (True, "true"),
        ("m7i.xlarge", "m7i.xlarge"),
        (UNKNOWN, "known after the update"),
        ("[secret]", "changed"),
        ("one\ntwo\n", "text of 2 lines"),
        ("x" * 61, "x" * 59 + "…"),
        ({"a": 1, "token": MARK}, '{"a": 1, "token": "changed"}'),
        ([{"name": "HF_TOKEN", "value": MARK}], '[{"name": "HF_TOKEN", "value": "changed"}]'),
        (["--lr", "0.1", "--hub-token", MARK], '["--lr", "0.1", "--hub-token", "changed"]'),
        (f"--hub-token={MARK} --lr 0.1", "--hub-token=changed --lr 0.1"),
        ("AKIAABCDEFGHIJKLMNOP", "changed"),
        ("hf_abcdefghijklmnopqrst", "changed"),
        ("--max-restarts=3", "--max-restarts=3"),
    ],
)
def test_a_value_is_shown(found: Any, shown: str) -> None:
    assert veil.value(found) == shown


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("secrets.hub: no job uses it", "secrets.hub: no job uses it"),
        ("the token of the account has expired", "the token of the account has expired"),
        (f"login failed: password={MARK}", "login failed: password=changed"),
        (f'{{"secretKey": "{MARK}"}}', '{"secretKey": "changed"}'),
        ("-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY----- read", "changed read"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "changed"),
    ],
)
def test_a_sentence_keeps_everything_but_secrets(said: str, kept: str) -> None:
    assert veil.text(said) == kept


def change(old: Any, new: Any, *fields: str, kind: str = "kubernetes:core/v1:ConfigMap") -> Change:
    return Change("urn", kind, "name", "update", old, new, fields=fields)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (
            change({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, "a"),
            [FieldChange("a.c", "2", "3")],
        ),
        (
            change({"a": {"b": 1}}, {"a": {"b": 2}}, "a", "a.b"),
            [FieldChange("a.b", "1", "2")],
        ),
        (
            change({"tags": {"a.b/c": "x"}}, {"tags": {"a.b/c": "y"}}, 'tags["a.b/c"]'),
            [FieldChange('tags["a.b/c"]', "x", "y")],
        ),
        (
            change({"l": [{"n": 1}, {"n": 2}]}, {"l": [{"n": 1}, {"n": 3}]}, "l"),
            [FieldChange("l[1].n", "2", "3")],
        ),
        (
            change({"l": [1]}, {"l": [1, 2]}, "l"),
            [FieldChange("l", "[1]", "[1, 2]")],
        ),
        (
            change({"args": ["--token", "a"]}, {"args": ["--token", "b"]}, "args"),
            [FieldChange("args[1]", "changed", "changed")],
        ),
        (
            change({"image": f"{'a' * 100}:1"}, {"image": f"{'a' * 100}:2"}, "image"),
            [FieldChange("image", f"…{'a' * 19}:1", f"…{'a' * 19}:2")],
        ),
        (change({}, {}, "gone.away"), [FieldChange("gone.away", "nothing", "nothing")]),
        (
            change({"data": {"value": "a"}}, {"data": {"value": "b"}}, "data.value", kind="kubernetes:core/v1:Secret"),
            [FieldChange("data.value", "changed", "changed")],
        ),
        (
            change({"env": [{"name": "HF_TOKEN", "value": "a"}]}, {"env": [{"name": "HF_TOKEN", "value": "b"}]}, "env"),
            [FieldChange("env[0].value", "changed", "changed")],
        ),
        (
            change(
                {"env": [{"name": "HF_TOKEN", "value": "a"}]},
                {"env": [{"name": "HF_TOKEN", "value": "b"}]},
                "env[0].value",
            ),
            [FieldChange("env[0].value", "changed", "changed")],
        ),
        (
            change({"spec": {"auth": {"password": "a"}}}, {"spec": {"auth": {"password": "b"}}}, "spec"),
            [FieldChange("spec.auth.password", "changed", "changed")],
        ),
    ],
)
def test_what_differs_is_told_as_deep_as_it_goes(made: Change, told: list[FieldChange]) -> None:
    assert list(field_change.of(made)) == told
