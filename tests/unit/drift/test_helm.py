"""Helm's records, read."""

import base64

import pytest
from muster.drift import helm

from tests.unit.drift.cluster_double import release_record


def config_map(value: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": value}}


def test_the_newest_deployed_revision_counts() -> None:
    records = [
        release_record("volcano", "volcano-system", [config_map("9")], version=9, status="superseded"),
        release_record("volcano", "volcano-system", [config_map("10")], {"basic": {}}, version=10),
        release_record("volcano", "volcano-system", [config_map("11")], version=11, status="failed"),
        release_record("volcano", "elsewhere", [config_map("12")], version=12),
        release_record("other", "volcano-system", [config_map("13")], version=13),
    ]
    found = helm.deployed(records, "volcano", "volcano-system")
    assert found == helm.Revision(10, {"basic": {}}, (config_map("10"),))


def test_no_record_is_no_revision() -> None:
    assert helm.deployed([release_record("a", "b", [], status="failed")], "a", "b") is None


def test_texts_of_secrets_are_as_the_server_keeps_them() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "text"}, "data": {"b": "Qg=="}}
    listed = {"apiVersion": "v1", "kind": "List", "items": [secret]}
    found = helm.deployed([release_record("a", "b", [listed])], "a", "b")
    assert found is not None
    (one,) = found.objects
    assert one["data"] == {"a": base64.b64encode(b"text").decode(), "b": "Qg=="}
    assert "stringData" not in one


@pytest.mark.parametrize("data", [{}, {"release": "???"}, {"release": base64.b64encode(b"cGxhaW4=").decode()}])
def test_a_record_that_is_none_is_named(data: dict[str, str]) -> None:
    record = {**release_record("a", "b", []), "data": data}
    with pytest.raises(helm.Unreadable, match=r"^Helm's record b/sh\.helm\.release\.v1\.a\.v1 can't be read$"):
        helm.deployed([record], "a", "b")


def test_dates_and_times_stay_text() -> None:
    found = helm.deployed([release_record("a", "b", [config_map("2026-11-24")])], "a", "b")
    assert found is not None
    assert found.objects[0]["data"] == {"a": "2026-11-24"}
