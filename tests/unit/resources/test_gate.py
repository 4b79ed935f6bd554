"""Waiting for a job, against a reader that tells a prepared story."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from muster.plan import JobPlan
from muster.report.job import JobView
from muster.report.reader import Unreachable
from muster.resources import gate


class Story:
    """A double of `muster.report.job.read`: answers in order, the last one for ever."""

    def __init__(self, *answers: JobView | Unreachable) -> None:
        self._answers = list(answers)
        self.reads = 0

    def __call__(self, _reader: object, _namespace: str, _name: str) -> JobView:
        answer = self._answers[min(self.reads, len(self._answers) - 1)]
        self.reads += 1
        if isinstance(answer, Unreachable):
            raise answer
        return answer


def view(state: Any, **facts: Any) -> JobView:
    return JobView("train", "training", state, **facts)


def job(wait: Any, timeout_s: int = 60) -> JobPlan:
    facts = dict.fromkeys(JobPlan.__dataclass_fields__)
    return JobPlan(**{**facts, "name": "train", "namespace": "training", "wait": wait, "timeout_s": timeout_s})  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "POLL_S", 0.0)


def settle(
    monkeypatch: pytest.MonkeyPatch, plan: JobPlan, *answers: JobView | Unreachable
) -> tuple[JobView, Sequence[str]]:
    told: list[str] = []
    monkeypatch.setattr(gate, "read", Story(*answers))
    return asyncio.run(gate.settle(plan, None, told.append)), told  # type: ignore[arg-type]


def test_complete_is_waited_for_and_told_once_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    running = view("Running", last_step=3, last_loss=2.0)
    seen, told = settle(monkeypatch, job("complete"), view("Queued", reason="cpu"), running, running, view("Complete"))
    assert seen.state == "Complete"
    assert [text.rsplit(" (", 1)[0] for text in told] == [
        "training/train: Queued, cpu",
        "training/train: Running, step 3, loss 2.0000",
    ]


def test_running_is_enough_where_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settle(monkeypatch, job("running"), view("Starting"), view("Running"), view("Failed"))[0].state == "Running"


def test_a_job_that_ended_before_it_was_seen_running_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settle(monkeypatch, job("running"), view("Complete"))[0].state == "Complete"


def test_a_failed_job_fails_the_update(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(gate.JobFailed, match=r"job training/train failed after 1 restart: exit code 3"):
        settle(monkeypatch, job("complete"), view("Failed", reason="exit code 3", restarts=1))


def test_a_timeout_says_where_the_job_is_and_which_key_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(gate.JobFailed, match=r"jobs\.train\.timeout.*goes on; training/train: Queued, no room"):
        settle(monkeypatch, job("complete", timeout_s=0), view("Queued", reason="no room"))


def test_trouble_that_mends_itself_is_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = (Unreachable("refused"), view("Invalid", reason="webhook"), view("Complete"))
    assert settle(monkeypatch, job("complete"), *answers)[0].state == "Complete"


def test_trouble_that_stays_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "SETTLE_S", 0.0)
    with pytest.raises(gate.JobFailed, match=r"name is too long"):
        settle(monkeypatch, job("complete"), view("Invalid", reason="name is too long"))
