"""One training job as a person asks about it: in which state, why, and who ended first.

A TrainJob of Kubeflow Trainer 2.3 has only the conditions Suspended, Complete and Failed; everything between is
derived from the JobSet, the pods and the events beneath it.
https://github.com/kubeflow/trainer/issues/2351
"""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from muster.report.reader import Reader, Row, items

State = Literal["Absent", "Invalid", "Suspended", "Queued", "Starting", "Running", "Restarting", "Complete", "Failed"]

FOLLOWERS = frozenset({74, 75})
"""Exit codes of ranks that ended because another one did: lost peer, stop on request."""

ABSENT = "no such TrainJob in the cluster"
LOG_LINES = 15
LOG_TAIL = 400
"""Last log lines in which losses are looked for."""
JOBSET_LABEL = "jobset.sigs.k8s.io/jobset-name"
INDEX = "batch.kubernetes.io/job-completion-index"

NO_PROGRAM = re.compile(r'exec: "([^"]+)": (?:executable file not found|stat .*: no such file)')
"""https://github.com/golang/go/blob/go1.26.0/src/os/exec/lp_unix.go, as runc passes it on."""


@dataclass(frozen=True)
class Ending:
    """How one pod of the gang ended."""

    pod: str
    code: int
    rank: int | None
    reason: str
    time: str
    """RFC 3339, UTC."""

    def sentence(self) -> str:
        """Pod, rank, exit code and reason in a few words."""
        who = f"pod {self.pod}" + (f", rank {self.rank}" if self.rank is not None else "")
        return f"{who} ended first with exit code {self.code}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True)
class JobView:
    """State of one job for status pages, waits and error messages."""

    name: str
    namespace: str
    state: State
    reason: str = ""
    restarts: int = 0
    pods_ready: int = 0
    pods_wanted: int = 0
    first: Ending | None = None
    last_step: int | None = None
    total_steps: int | None = None
    """How many steps there will be, where the log says so."""
    last_loss: float | None = None
    losses: tuple[tuple[int, float], ...] = ()
    """(step, loss) of rank 0 in the order logged, as far as its log reaches back."""
    log: tuple[str, ...] = field(default=())
    log_read: bool = True
    """False where nobody looked at the log, so that no loss is known."""
    created: str = ""
    """RFC 3339, UTC."""
    ended: str = ""
    """When it completed or failed, RFC 3339, UTC; empty until then."""

    @property
    def over(self) -> bool:
        """Whether the job will change no more by itself."""
        return self.state in ("Complete", "Failed")

    @property
    def progress(self) -> str:
        """The last step logged, and of how many where that is known; empty before the first."""
        if self.last_step is None:
            return ""
        return f"{self.last_step}" + (f"/{self.total_steps}" if self.total_steps is not None else "")

    def sentence(self) -> str:
        """One line for a person."""
        parts = [f"{self.namespace}/{self.name}: {self.state}"]
        if self.state == "Running" and self.last_step is not None:
            parts.append(f"step {self.progress}, loss {self.last_loss:.4f}")
        if self.reason:
            parts.append(self.reason)
        if self.restarts:
            parts.append(f"{self.restarts} restart{'s' if self.restarts > 1 else ''}")
        return ", ".join(parts)


def read(cluster: Reader, namespace: str, name: str, *, log_lines: int = LOG_TAIL) -> JobView:
    """Gather one job's objects and judge them. Raises muster.report.reader.Unreachable."""
    trainjob = cluster.get(f"/apis/trainer.kubeflow.org/v1alpha1/namespaces/{namespace}/trainjobs/{name}")
    if trainjob is None:
        return JobView(name, namespace, "Absent", ABSENT)
    jobset = cluster.get(f"/apis/jobset.x-k8s.io/v1alpha2/namespaces/{namespace}/jobsets/{name}")
    pods = _pods(cluster, namespace, name)
    events: Sequence[Mapping[str, Any]] = ()
    if not pods:
        about = f"involvedObject.name={name}"
        events = items(cluster.get(f"/api/v1/namespaces/{namespace}/events", fieldSelector=about))
    shown = _pod_to_show(trainjob, pods)
    log = cluster.log(namespace, shown, log_lines) if shown else []
    return judge(trainjob, jobset, pods, events, log)


def read_log(cluster: Reader, namespace: str, name: str, lines: int) -> list[str]:
    """Last lines of the pod that a person would look at: rank 0's, or the one that ended first when the job failed."""
    trainjob = cluster.get(f"/apis/trainer.kubeflow.org/v1alpha1/namespaces/{namespace}/trainjobs/{name}") or {}
    pods = _pods(cluster, namespace, name)
    shown = _pod_to_show(trainjob, pods)
    return cluster.log(namespace, shown, lines) if shown else []


def _pods(cluster: Reader, namespace: str, name: str) -> Sequence[Mapping[str, Any]]:
    selector = f"{JOBSET_LABEL}={name}"
    return items(cluster.get(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector))


def as_listed(row: Row) -> dict[str, Any]:
    """A pod as far as its row in a table tells: enough to see whether it is placed, ready or done, not why it isn't.

    https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/printers/internalversion/printers.go
    """
    status, ready = str(row.cells.get("Status", "")), str(row.cells.get("Ready", ""))
    node = row.cells.get("Node")
    have, _, want = ready.partition("/")
    return {
        "metadata": row.metadata,
        "spec": {"nodeName": "" if node in (None, "<none>") else node},
        "status": {
            "phase": {"Completed": "Succeeded"}.get(status, status),
            "conditions": [{"type": "Ready", "status": str(bool(want) and have == want)}],
        },
    }


def judge(
    trainjob: Mapping[str, Any],
    jobset: Mapping[str, Any] | None,
    pods: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]],
    log: Sequence[str],
) -> JobView:
    """Derive a job's state from its TrainJob, JobSet, pods, events of the TrainJob and log lines of one pod."""
    meta = trainjob["metadata"]
    wanted = int(trainjob.get("spec", {}).get("trainer", {}).get("numNodes") or 1)
    ready = sum(1 for pod in pods if _ready(pod))
    restarts = int((jobset or {}).get("status", {}).get("restarts") or 0)
    first = first_ending(pods)
    state, reason = _state(trainjob, jobset, pods, events, wanted=wanted, ready=ready, restarts=restarts)
    if state == "Failed" and first is not None:
        reason = first.sentence()
    elif state != "Failed":
        first = None
    view = JobView(
        name=meta["name"],
        namespace=meta["namespace"],
        state=state,
        reason=reason,
        restarts=restarts,
        pods_ready=ready,
        pods_wanted=wanted,
        first=first,
        created=str(meta.get("creationTimestamp", "")),
        ended=str(
            (_condition(trainjob, "Failed") or _condition(trainjob, "Complete") or {}).get("lastTransitionTime", "")
        ),
    )
    return with_log(view, log)


def with_log(view: JobView, log: Sequence[str]) -> JobView:
    """`view` with what the log of one pod adds: steps and losses."""
    losses = losses_in(log)
    return dataclasses.replace(
        view,
        last_step=losses[-1][0] if losses else None,
        total_steps=total_in(log),
        last_loss=losses[-1][1] if losses else None,
        losses=losses,
        log=tuple(log[-LOG_LINES:]),
        log_read=True,
    )


def _state(
    trainjob: Mapping[str, Any],
    jobset: Mapping[str, Any] | None,
    pods: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]],
    *,
    wanted: int,
    ready: int,
    restarts: int,
) -> tuple[State, str]:
    failed = _condition(trainjob, "Failed")
    if failed is not None:
        return "Failed", f"{failed.get('reason', '')}: {failed.get('message', '')}".strip(": ")
    if _condition(trainjob, "Complete") is not None:
        return "Complete", ""
    if _condition(trainjob, "Suspended") is not None:
        return "Suspended", "spec.suspend is true"
    refused = [event for event in events if event.get("reason") == "TrainJobResourcesCreationFailed"]
    if jobset is None:
        return ("Invalid", str(refused[-1].get("message", ""))) if refused else ("Starting", "no JobSet yet")
    if lost := [pod for pod in pods if _lost(pod)]:
        name, node = lost[0]["metadata"]["name"], lost[0]["spec"].get("nodeName", "")
        return (
            "Restarting",
            f"waits for pod {name} on node {node}, which is lost; if for good: kubectl delete node {node}",
        )
    unscheduled = [pod for pod in pods if not pod.get("spec", {}).get("nodeName")]
    done = sum(1 for pod in pods if pod.get("status", {}).get("phase") == "Succeeded")
    if ready + done == wanted:
        return "Running", f"{done} of {wanted} pods done" if done else ""
    if len(unscheduled) == wanted:
        return "Queued", _why_unscheduled(unscheduled) or f"waiting until all {wanted} pods fit at once"
    waiting = [text for pod in pods if (text := _waiting(pod))]
    state: State = "Restarting" if restarts else "Starting"
    return state, waiting[0] if waiting else f"{ready} of {wanted} pods ready"


def first_ending(pods: Sequence[Mapping[str, Any]]) -> Ending | None:
    """The pod that failed first by its own fault, or the first that failed at all; None when none failed.

    Ranks that lost a peer or were asked to stop end with codes in FOLLOWERS: blamed only when nobody else failed.
    """
    endings = [ending for pod in pods if (ending := _ending(pod)) is not None and ending.code != 0]
    return min(endings, key=lambda ending: (ending.code in FOLLOWERS, ending.time, ending.pod), default=None)


def losses_in(log: Sequence[str]) -> tuple[tuple[int, float], ...]:
    """(step, loss) of the step events in a pod's log; other lines are passed over."""
    return tuple(
        (int(event["step"]), float(event["loss"]))
        for event in _steps(log)
        if isinstance(event.get("loss"), int | float)
    )


def total_in(log: Sequence[str]) -> int | None:
    """How many steps the last step event of a pod's log says there will be (`of`); None where it doesn't say."""
    said = [event["of"] for event in _steps(log[-LOG_LINES:]) if isinstance(event.get("of"), int)]
    return said[-1] if said else None


def _steps(log: Sequence[str]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for line in log:
        if not line.startswith("{"):
            continue
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("event") == "step" and isinstance(event.get("step"), int):
            found.append(event)
    return found


def _ending(pod: Mapping[str, Any]) -> Ending | None:
    name = str(pod["metadata"]["name"])
    for status in pod.get("status", {}).get("containerStatuses") or ():
        ended = status.get("state", {}).get("terminated")
        if status.get("name") != "node" or ended is None:
            continue
        try:
            words = json.loads(ended.get("message") or "{}")
        except ValueError:
            words = {"reason": _start_error(str(ended.get("message")))}
        why = ended.get("reason", "")
        return Ending(
            pod=name,
            code=int(ended.get("exitCode", 0)),
            rank=words.get("rank"),
            reason=str(words.get("reason") or ("" if why in ("Error", "Completed") else why)),
            time=str(words.get("time") or ended.get("finishedAt", "")),
        )
    return None


def _start_error(message: str) -> str:
    """What the container runtime says when it can't start a container, in a few words."""
    missing = NO_PROGRAM.search(message)
    if missing is not None:
        return f"the image has no {missing.group(1)}"
    return message.strip().splitlines()[-1]


def _pod_to_show(trainjob: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> str | None:
    first = first_ending(pods)
    return first.pod if first is not None and _condition(trainjob, "Failed") else pod_of_rank_0(pods)


def pod_of_rank_0(pods: Sequence[Mapping[str, Any]]) -> str | None:
    """Name of the newest pod that holds rank 0; None where there is none."""
    firsts = [pod for pod in pods if pod["metadata"].get("annotations", {}).get(INDEX) == "0"]
    newest = max(firsts, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), default=None)
    return str(newest["metadata"]["name"]) if newest is not None else None


def _ready(pod: Mapping[str, Any]) -> bool:
    status = pod.get("status", {})
    conditions = status.get("conditions") or ()
    return status.get("phase") == "Running" and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _lost(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is being deleted because its node does not answer: nobody there can end it.

    https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
    """
    conditions = pod.get("status", {}).get("conditions") or ()
    tainted = any(c["type"] == "DisruptionTarget" and c.get("reason") == "DeletionByTaintManager" for c in conditions)
    return tainted and "deletionTimestamp" in pod["metadata"]


def _waiting(pod: Mapping[str, Any]) -> str:
    for status in pod.get("status", {}).get("containerStatuses") or ():
        waiting = status.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"{pod['metadata']['name']}: {waiting['reason']} {waiting.get('message', '')}".strip()
    return ""


def _why_unscheduled(pods: Sequence[Mapping[str, Any]]) -> str:
    for pod in pods:
        for condition in pod.get("status", {}).get("conditions") or ():
            if condition["type"] == "PodScheduled" and condition["status"] == "False" and condition.get("message"):
                return str(condition["message"])
    return ""


def _condition(obj: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    conditions: Sequence[Mapping[str, Any]] = obj.get("status", {}).get("conditions") or ()
    return next((c for c in conditions if c["type"] == kind and c["status"] == "True"), None)
