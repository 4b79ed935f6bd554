"""What is told of drift."""

import io
import re

import pytest
from muster.drift import report, screen
from muster.drift.finding import ABSENT, Difference, Finding, Kinship, Path, Thing
from rich.console import Console

MAP = Thing("ConfigMap", "a", "stack", "training", resource="configmap")
MUST = Finding(MAP, Difference(("data", "a.b"), "1", "2", "/data/a.b"))
HARMLESS = Finding(MAP, Difference(("metadata", "labels", "team"), ABSENT, "x", "/metadata/labels/team"))


@pytest.mark.parametrize(
    ("findings", "blind", "code"),
    [
        ([], [], 0),
        ([HARMLESS], [], 0),
        ([], ["the cluster: no"], 1),
        ([HARMLESS], ["the cluster: no"], 1),
        ([MUST, HARMLESS], [], 4),
        ([MUST], ["the cluster: no"], 4),
    ],
)
def test_exit_codes(findings: list[Finding], blind: list[str], code: int) -> None:
    assert report.make("local", findings, blind).code == code


def test_the_document_counts_and_puts_first_what_must_be_fixed() -> None:
    document = report.make("local", [HARMLESS, MUST, MUST]).document()
    assert (document["mustFix"], document["harmless"], document["blind"]) == (1, 1, [])
    assert document["drifts"][0] == {
        "what": "ConfigMap training/a",
        "field": 'data["a.b"]',
        "wanted": "1",
        "found": "2",
        "severity": "must-fix",
        "reason": "pods that start from now on read something else",
        "mend": "make up STACK=local REFRESH=1",
    }


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("spec", "containers", "[a]", "image"), "spec.containers[a].image"),
        (("metadata", "labels", "a.b/c"), 'metadata.labels["a.b/c"]'),
        (("[0]", "a"), "[0].a"),
    ],
)
def test_fields(path: Path, text: str) -> None:
    assert report.field(path) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\n b", "a b"),
        ({"b": 1, "a": [True]}, '{"a": [true], "b": 1}'),
        (ABSENT, "nothing"),
        ("x" * 99, "x" * 59 + "…"),
    ],
)
def test_values(value: object, text: str) -> None:
    assert report.shown(value) == text


PLANTED = "marked-" + "value"
DEPLOYMENT = Thing("Deployment", "manager", "release", "s", "r", "s", 1, "deployment.apps")


@pytest.mark.parametrize("kinship", ["stack", "release", "cloud"])
@pytest.mark.parametrize(
    ("wanted", "found"), [(PLANTED, "other"), ("other", PLANTED), (PLANTED, ABSENT), (ABSENT, PLANTED)]
)
def test_nothing_of_a_secret_is_told(kinship: Kinship, wanted: object, found: object) -> None:
    thing = Thing("Secret", "token", kinship, "training", "r", "r", 1, "secret")
    told = report.make("local", [Finding(thing, Difference(("data", "value"), wanted, found, "/data/value"))])
    assert PLANTED not in repr(told)


@pytest.mark.parametrize(
    ("path", "wanted", "found"),
    [
        (("spec", "env", "[LEVEL]", "value"), "info", PLANTED),
        (("spec", "env"), ABSENT, [{"name": "ANY", "value": PLANTED}]),
        (("spec", "env", "[TOKEN]", "value"), PLANTED, "other"),
        (("spec", "config"), {"password": "a"}, {"password": PLANTED}),
        (("spec", "args"), ["--level", "info"], ["--api-key", PLANTED]),
        (("spec", "adminPassword"), PLANTED, "b"),
    ],
)
def test_nothing_that_may_be_a_secret_is_told(path: Path, wanted: object, found: object) -> None:
    told = report.make("local", [Finding(DEPLOYMENT, Difference(path, wanted, found, "/x"))])
    assert PLANTED not in repr(told)


def test_the_screen_names_thing_field_and_remedy() -> None:
    told = report.make("local", [MUST, HARMLESS], ["the engine: [no] stack"])
    stream = io.StringIO()
    Console(file=stream, width=200).print(screen.table(told))
    assert re.search(r'ConfigMap training/a +data\["a\.b"\] +1 +2 +must-fix', stream.getvalue())
    assert [line.plain for line in screen.lines(told)] == [
        "ConfigMap training/a: pods that start from now on read something else",
        "  make up STACK=local REFRESH=1",
        "ConfigMap training/a: nothing of the stack selects by this label",
        "  kubectl --namespace training patch configmap a --type json"
        """ --patch '[{"op": "remove", "path": "/metadata/labels/team"}]'""",
        "not looked at: the engine: [no] stack",
        "stack local: 1 to fix, 1 harmless",
    ]
    assert [line.plain for line in screen.lines(report.make("dev", []))] == ["stack dev: no drift"]
