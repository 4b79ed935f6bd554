"""States of a job, derived from what its objects say."""

import json
from typing import Any

import pytest
from muster.report.job import JobView, first_ending, judge, losses_in
from muster.resources.gate import failure

NAME, SPACE = "train", "training"


def trainjob(*conditions: str) -> dict[str, Any]:
    listed = [{"type": kind, "status": "True", "reason": "R", "message": "M"} for kind in conditions]
    meta = {"name": NAME, "namespace": SPACE}
    return {"metadata": meta, "spec": {"trainer": {"numNodes": 2}}, "status": {"conditions": listed}}


def pod(
    index: int, phase: str = "Running", *, node: str | None = "n", ready: bool = True, **state: Any
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"{NAME}-node-0-{index}-abcde",
            "annotations": {"batch.kubernetes.io/job-completion-index": str(index)},
        },
        "spec": {"nodeName": node},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"name": "node", "state": state}],
        },
    }


def ended(index: int, code: int, at: str, **words: Any) -> dict[str, Any]:
    message = json.dumps({"code": code, "rank": index, "time": at, "reason": "r", **words})
    return pod(index, "Failed", ready=False, terminated={"exitCode": code, "finishedAt": at, "message": message})


JOBSET: dict[str, Any] = {"status": {}}


@pytest.mark.parametrize(
    ("job", "jobset", "pods", "events", "state"),
    [
        (trainjob("Complete"), JOBSET, [], [], "Complete"),
        (trainjob("Failed"), JOBSET, [], [], "Failed"),
        (trainjob("Suspended"), JOBSET, [], [], "Suspended"),
        (trainjob(), None, [], [], "Starting"),
        (trainjob(), None, [], [{"reason": "TrainJobResourcesCreationFailed", "message": "too long"}], "Invalid"),
        (trainjob(), JOBSET, [pod(0, "Pending", node=None, ready=False)] * 2, [], "Queued"),
        (trainjob(), JOBSET, [pod(0), pod(1, "Pending", ready=False)], [], "Starting"),
        (trainjob(), {"status": {"restarts": 1}}, [pod(0), pod(1, "Pending", ready=False)], [], "Restarting"),
        (trainjob(), JOBSET, [pod(0), pod(1)], [], "Running"),
        (trainjob(), JOBSET, [pod(0, "Succeeded", ready=False), pod(1)], [], "Running"),
    ],
)
def test_state(job: Any, jobset: Any, pods: Any, events: Any, state: str) -> None:
    assert judge(job, jobset, pods, events, []).state == state


def test_why_nothing_is_placed_is_the_schedulers_own_word() -> None:
    waiting = pod(0, "Pending", node=None, ready=False)
    waiting["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes: cpu"}]
    assert judge(trainjob(), JOBSET, [waiting, waiting], [], []).reason == "0/1 nodes: cpu"


def test_an_image_that_can_not_be_had_is_the_reason() -> None:
    waiting = pod(1, "Pending", ready=False, waiting={"reason": "ErrImagePull", "message": "no such host"})
    assert "ErrImagePull no such host" in judge(trainjob(), JOBSET, [pod(0), waiting], [], []).reason


def test_the_pod_that_failed_by_itself_is_blamed_before_those_that_followed() -> None:
    follower, culprit = ended(0, 74, "2026-01-01T00:00:00Z"), ended(1, 3, "2026-01-01T00:00:01Z")
    first = first_ending([follower, culprit])
    assert first is not None
    assert (first.pod, first.code, first.rank) == (f"{NAME}-node-0-1-abcde", 3, 1)


def test_a_gang_held_back_by_a_lost_node_says_which_and_what_helps() -> None:
    held = pod(1, "Running", node="ip-10-0-0-7", ready=False)
    held["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    held["status"]["conditions"].append(
        {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}
    )
    view = judge(trainjob(), {"status": {"restarts": 0}}, [held], [], [])
    assert view.state == "Restarting"
    assert view.reason.endswith("kubectl delete node ip-10-0-0-7")
    evicted = pod(1, "Running", node="ip-10-0-0-7", ready=False)
    evicted["status"]["conditions"].append(
        {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    )
    assert "delete node" not in judge(trainjob(), JOBSET, [evicted], [], []).reason


def test_among_equals_the_earliest_is_blamed() -> None:
    first = first_ending([ended(0, 1, "2026-01-01T00:00:02.5Z"), ended(1, 1, "2026-01-01T00:00:02.1Z")])
    assert first is not None
    assert first.rank == 1


def test_last_words_of_other_images_are_taken_as_they_are() -> None:
    odd = ended(0, 1, "t")
    odd["status"]["containerStatuses"][0]["state"]["terminated"]["message"] = "line one\nline two\n"
    first = first_ending([odd])
    assert first is not None
    assert first.reason == "line two"


def test_a_container_that_can_t_start_is_told_in_a_few_words() -> None:
    odd = ended(0, 128, "t")
    message = (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
        'unable to start container process: error during container init: exec: "python3": executable file not found in '
        "$PATH"
    )
    odd["status"]["containerStatuses"][0]["state"]["terminated"] |= {"message": message, "reason": "StartError"}
    first = first_ending([odd])
    assert first is not None
    assert first.reason == "the image has no python3"


def test_losses_are_read_from_step_events_alone() -> None:
    log = ["noise", '{"event": "step", "step": 0, "loss": 5.5}', "{broken", '{"event": "saved", "step": 1}', '{"a": 1}']
    assert losses_in(log) == ((0, 5.5),)


def test_a_failure_says_who_why_how_often_and_what_to_do() -> None:
    view = judge(
        trainjob("Failed"), {"status": {"restarts": 2}}, [ended(1, 3, "t", reason="ValueError: x")], [], ["bye"]
    )
    text = failure(view)
    assert text.splitlines()[0] == (
        "job training/train failed after 2 restarts: "
        "pod train-node-0-1-abcde, rank 1 ended first with exit code 3: ValueError: x"
    )
    assert "    bye" in text
    assert "jobs.train.run" in text


def test_a_view_is_one_line_for_a_person() -> None:
    view = JobView("a", "b", "Running", restarts=1, last_step=7, last_loss=1.5)
    assert view.sentence() == "b/a: Running, step 7, loss 1.5000, 1 restart"
