"""What somebody who watches a stack is told."""

import dataclasses

import pytest
from muster.cli import watch
from muster.report import changes
from muster.report.gangs import QueueView
from muster.report.job import JobView, State
from muster.report.pools import PoolView
from muster.report.reader import Unreachable
from muster.report.stack import StackView


def view(*states: State, ready: int = 2) -> StackView:
    jobs = [JobView(f"job-{index}", "training", state) for index, state in enumerate(states)]
    return StackView(
        "local", {"volcano": "deployed"}, [PoolView("p5", 2, ready, 16)], [QueueView("research", "Open")], jobs
    )


def test_who_knows_nothing_is_told_everything() -> None:
    assert changes.lines(None, view("Queued")) == [
        "release volcano: deployed",
        "pool p5: 2 of 2 nodes ready, 16 GPUs",
        "queue research: Open",
        "job training/job-0: Queued",
    ]


def test_only_what_changed_is_told_again() -> None:
    assert changes.lines(view("Queued", "Running"), view("Running", "Running")) == ["job training/job-0: Running"]
    assert changes.lines(view(), view(ready=1)) == ["pool p5: 1 of 2 nodes ready, 16 GPUs"]
    again = dataclasses.replace(JobView("job-0", "training", "Running"), restarts=1, reason="peer lost")
    assert changes.lines(view("Running"), dataclasses.replace(view(), jobs=[again])) == [
        "job training/job-0: Running, peer lost, 1 restart"
    ]


def test_steps_and_losses_are_no_change() -> None:
    on = dataclasses.replace(JobView("job-0", "training", "Running"), last_step=9, last_loss=1.5)
    assert changes.lines(view("Running"), dataclasses.replace(view(), jobs=[on])) == []


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ((), 0),
        (("Complete", "Complete"), 0),
        (("Complete", "Failed"), 1),
        (("Failed", "Running"), None),
        (("Complete", "Suspended"), None),
        (("Absent",), None),
    ],
)
def test_the_outcome_is_known_once_every_job_is_over(states: tuple[State, ...], code: int | None) -> None:
    assert changes.outcome(view(*states)) == code


def test_watching_goes_on_over_a_cluster_that_does_not_answer_for_a_while() -> None:
    answers = [view("Running"), Unreachable("refused"), Unreachable("refused"), view("Complete")]
    told: list[StackView] = []
    missed: list[str] = []

    def look() -> StackView:
        answer = answers.pop(0)
        if isinstance(answer, Unreachable):
            raise answer
        return answer

    code = watch.follow(look, lambda _, now, __: told.append(now), missed.append, every=0, until_done=True)
    assert (code, told, missed) == (0, [view("Running"), view("Complete")], ["refused"])


def test_a_cluster_that_never_answered_ends_it() -> None:
    def look() -> StackView:
        raise Unreachable("refused")

    with pytest.raises(Unreachable, match="refused"):
        watch.follow(look, lambda *_: None, lambda _: None, every=0, until_done=True)
