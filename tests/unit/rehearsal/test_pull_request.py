"""What the pipeline of a pull request says of what it found."""

import pytest

from rehearsal.pull_request import Outcome, Result, comment

GOOD = Outcome("safe", changes=2, noop_changes=0, leftovers=0, policies=0, seconds=90.0)
CARE = Outcome("needs-care", changes=1, noop_changes=0, leftovers=0, policies=0, seconds=80.0)


@pytest.mark.parametrize(
    ("environments", "removed", "problem", "verdict", "ok"),
    [
        ({}, (), "", "safe", True),
        ({"dev": GOOD}, (), "", "safe", True),
        ({"dev": GOOD, "prod": CARE}, (), "", "needs-care", True),
        ({"dev": GOOD}, ("prod",), "", "needs-care", True),
        ({"dev": Outcome("safe", 2, 1, 0, 0)}, (), "", "safe", False),
        ({"dev": Outcome("safe", 2, 0, 3, 0)}, (), "", "safe", False),
        ({"dev": Outcome("safe", 2, 0, 0, 1)}, (), "", "safe", False),
        ({"dev": GOOD, "prod": Outcome(problem="pulumi preview failed")}, (), "", "dangerous", False),
        ({}, (), "make check failed", "safe", False),
    ],
    ids=["nothing", "one", "worst", "removed", "not settled", "left over", "policy", "no preview", "no check"],
)
def test_a_result_is_as_bad_as_its_worst_part(
    environments: dict[str, Outcome], removed: tuple[str, ...], problem: str, verdict: str, ok: bool
) -> None:
    found = Result("abc", environments, removed, problem)
    assert (found.verdict, found.ok) == (verdict, ok)


def test_the_last_line_has_every_environment() -> None:
    assert Result("abc", {"dev": GOOD}).document() == {
        "base": "abc",
        "environments": {
            "dev": {
                "verdict": "safe",
                "changes": 2,
                "noop_changes": 0,
                "leftovers": 0,
                "policies": 0,
                "problem": "",
                "seconds": 90.0,
                "ok": True,
            }
        },
        "removed": [],
        "verdict": "safe",
        "ok": True,
    }


def test_nothing_that_changes_is_said() -> None:
    document = Result("abc").document()
    assert document["note"] == "no environment changed"
    assert comment(document, {}) == (
        "## Rehearsal: safe\n\nNo environment changed: what differs reaches no stack file's plan or resources.\n"
    )


def test_the_comment_holds_what_was_found_and_each_report() -> None:
    broken = Outcome(changes=0, policies=None, problem="pulumi preview of prod failed:\n<b>no</b>")
    document = Result("abc", {"dev": CARE, "prod": broken}, ("old",)).document()
    assert comment(document, {"dev": "## dev: needs care: a node drain\n"}) == (
        "## Rehearsal: dangerous, failed\n"
        "\n"
        "| environment | verdict | up | up again | left behind | policies |\n"
        "|---|---|---|---|---|---|\n"
        "| dev | needs care | 1 changes | 0 | 0 | kept |\n"
        "| prod | dangerous | 0 changes |  |  |  |\n"
        "\n"
        "The stack file of old is gone. That destroys nothing: `make down STACK=old` does, before.\n"
        "\n"
        "## dev: needs care: a node drain\n"
        "\n"
        "### prod can't be rehearsed to its end\n"
        "\n"
        "    pulumi preview of prod failed:\n"
        "    <b>no</b>\n"
    )
