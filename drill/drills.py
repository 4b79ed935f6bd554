"""The drills: what is done to a gang, and what must come of it."""

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from drill import processes
from drill.gang import STEPS, Gang, Ground, in_node
from local.processes import parent

SAME_SIZE, RESIZED = 1e-6, 1e-5
"""How far a loss may be from the one of an undisturbed run, at the same and at another number of ranks."""
HURT_AT = 6
"""Step at which a script meets its fault: after the first checkpoint."""
VICTIM = 1
RESIZE = "drill-resize-2"
"""Gang that begins the checkpoints which others of another size go on from."""
DISK = "48m"
"""Room for four checkpoints of the model, of 10.5 MB each."""


@dataclass(frozen=True)
class Drill:
    """A way to hurt a gang. `hurt` is None where the script meets the fault by itself.

    `code` is the exit code of the pod that ended first; with `everyone` that of every pod. `restarts` is how often the
    gang starts again, `counted` how many of these its budget pays for; it completes unless `fails`.
    """

    name: str
    code: int
    hurt: Callable[[Gang], None] | None = None
    everyone: bool = False
    restarts: int = 1
    counted: int | None = None
    fails: bool = False
    said: str = ""
    """Words that must be in the reason."""
    fault: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    alone: bool = False
    events: tuple[str, ...] = ("loaded",)
    """What the gang must say when it is back."""


@dataclass(frozen=True)
class Outcome:
    """What came of a drill. `recover_s` is the time from the fault to the first step after it, None without one."""

    name: str
    expected: int
    seen: int | None
    recover_s: float | None
    loss_equal: bool | None
    """None where the gang is not meant to come to an end."""
    wrong: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether all was as it must be."""
        return not self.wrong


def rank_killed(gang: Gang) -> None:
    """SIGKILL to a rank, as for lack of memory."""
    gang.signal(signal.SIGKILL, VICTIM)


def launcher_killed(gang: Gang) -> None:
    """SIGKILL to what started the ranks."""
    processes.end(parent(processes.ranks(gang.uids())[VICTIM]), signal.SIGKILL)


def pod_killed(gang: Gang) -> None:
    """SIGKILL to everything in a pod."""
    processes.end(processes.first(gang.uids()[VICTIM]), signal.SIGKILL)


def pod_deleted(gang: Gang) -> None:
    """A person deletes a pod."""
    gang.ground.kubectl("delete", "pod", _pod(gang), "--wait=false")


def pod_evicted(gang: Gang) -> None:
    """A drain evicts a pod: a disruption, for which the gang's budget doesn't pay."""
    meta = f'"metadata": {{"name": "{_pod(gang)}", "namespace": "{gang.namespace}"}}'
    path = f"/api/v1/namespaces/{gang.namespace}/pods/{_pod(gang)}/eviction"
    body = f'{{"apiVersion": "policy/v1", "kind": "Eviction", {meta}}}'
    gang.ground.kubectl("create", "--raw", path, "--filename", "-", given=body)


def one_stopped(gang: Gang) -> None:
    """SIGTERM to one pod."""
    processes.end(processes.first(gang.uids()[VICTIM]), signal.SIGTERM)


def all_stopped(gang: Gang) -> None:
    """SIGTERM to all pods."""
    for uid in gang.uids():
        processes.end(processes.first(uid), signal.SIGTERM)


def network_cut(gang: Gang) -> None:
    """The link of a pod goes down without a word to anybody."""
    processes.cut_network(gang.uids()[VICTIM])


def shard_lost(gang: Gang) -> None:
    """The last of two checkpoints loses a file, then a rank dies."""
    gang.until_saved(2)
    newest = max(gang.folder.glob("step*"), key=lambda folder: int(folder.name.removeprefix("step")))
    next(newest.glob("*rank_1_*optim*")).unlink()
    rank_killed(gang)


def disk_full(gang: Gang) -> None:
    """No room for the next checkpoint, until the gang has failed over it."""
    in_node("fallocate", "--length", _free(gang), f"{gang.mounted}/ballast")
    gang.until("a save that fails", lambda: gang.first_ending(0))
    in_node("rm", f"{gang.mounted}/ballast")


def suspended(gang: Gang) -> None:
    """A person suspends the job, and resumes it when its pods are gone."""
    for state in ("true", "false"):
        patch = f'{{"spec": {{"suspend": {state}}}}}'
        gang.ground.kubectl("patch", "trainjob", gang.name, "--type=merge", "--patch", patch)
        if state == "true":
            gang.until("no pods", lambda: not gang.pods())


def _pod(gang: Gang) -> str:
    return str(gang.pods()[VICTIM]["metadata"]["name"])


def _free(gang: Gang) -> str:
    """All but a MiB of the room, in bytes."""
    words = ("stat", "--file-system", "--format", "%a %S", gang.mounted)
    blocks, size = map(int, in_node(*words).split())
    return str(blocks * size - 1024**2)


def at(kind: str) -> tuple[str, ...]:
    """Arguments of fault.py."""
    return (kind, str(HURT_AT), str(VICTIM))


DRILLS = (
    Drill("rank-exception", 1, fault=at("exception"), said="ValueError: a fault of this drill"),
    Drill("rank-killed", 137, rank_killed, said="SIGKILL"),
    Drill("rank-killed-torchrun", 137, rank_killed, env=(("MUSTER_LAUNCHER", "torchrun"),), said="SIGKILL"),
    Drill("launcher-killed", 70, launcher_killed, said="launcher ended"),
    Drill("pod-killed", 137, pod_killed),
    Drill("pod-deleted", 75, pod_deleted, everyone=True),
    Drill("pod-evicted", 75, pod_evicted, everyone=True, counted=0),
    Drill("container-oom", 137, fault=at("oom")),
    Drill("sigterm-one", 75, one_stopped, everyone=True),
    Drill("sigterm-all", 75, all_stopped, everyone=True),
    Drill("suspend-resume", 75, suspended, everyone=True, restarts=0),
    Drill("network-cut", 74, network_cut, everyone=True, said="PeerLostError"),
    Drill("hang", 74, fault=at("hang"), everyone=True, said="PeerLostError"),
    Drill(
        "missing-peer",
        74,
        restarts=0,
        fails=True,
        alone=True,
        env=(("MUSTER_PEER_WAIT_SECONDS", "5"),),
        said="missing-peer-node-0-1",
    ),
    Drill("bad-config", 78, restarts=0, fails=True, args=("--no-such-flag",), said="no-such-flag"),
    Drill("disk-full", 73, disk_full, said="can't be saved"),
    Drill("shard-lost", 137, shard_lost, events=("torn", "loaded")),
)


def run(drill: Drill, ground: Ground, golden: Mapping[int, float]) -> Outcome:
    """One drill from start to end. Raises Problem when something is not seen in time."""
    name = f"drill-{drill.name}"
    room = DISK if drill.hurt is disk_full else None
    with Gang(ground, name, drill.args, fault=drill.fault, env=dict(drill.env), alone=drill.alone, room=room) as gang:
        if drill.fails:
            gang.until_over()
            return judge(drill, gang, {}, None)
        if drill.hurt is None:
            gang.until("the fault", lambda: gang.first_ending(0), within=180)
            start = time.monotonic()
        else:
            gang.until_saved()
            start = time.monotonic()
            drill.hurt(gang)
        gang.until("a step after the fault", lambda: gang.losses(drill.restarts), within=240)
        recover_s = time.monotonic() - start
        gang.until_over()
        return judge(drill, gang, golden, recover_s)


def judge(drill: Drill, gang: Gang, golden: Mapping[int, float], recover_s: float | None) -> Outcome:
    """Compare what was seen with what must be."""
    view, status, ending = gang.view(), gang.jobset(), gang.first_ending(0)
    codes = sorted(code for code in gang.codes(0).values() if code)
    events = [event.get("event") for event in gang.events(drill.restarts)]
    losses = gang.losses(drill.restarts)
    equal = close(losses, golden, SAME_SIZE) if golden else None
    end, restarts = ("Failed" if drill.fails else "Complete"), int(status.get("restarts", 0))
    counted = drill.restarts if drill.counted is None else drill.counted
    checks = {
        f"ended {view.state}, not {end}": view.state == end,
        f"codes {codes}": not drill.everyone or codes == [drill.code] * gang.nodes,
        f"first code {ending and ending.code}": ending is not None and ending.code == drill.code,
        f"reason {ending and ending.reason!r}": ending is not None and drill.said in ending.reason,
        f"{restarts} restarts, not {drill.restarts}": restarts == drill.restarts,
        f"{status.get('restartsCountTowardsMax', 0)} restarts counted": status.get("restartsCountTowardsMax", 0)
        == counted,
        f"no {drill.events} among {events}": drill.fails or set(drill.events) <= set(events),
        f"losses {losses} are not {dict(golden)}": equal is not False,
    }
    wrong = tuple(text for text, right in checks.items() if not right)
    return Outcome(drill.name, drill.code, ending.code if ending else None, recover_s, equal, wrong)


def close(found: Mapping[int, float], golden: Mapping[int, float], within: float) -> bool:
    """Whether a run came to the last step, and to the same loss at each of its steps."""
    return max(golden) in found and all(abs(loss - golden[step]) <= within for step, loss in found.items())


def resize(ground: Ground, golden: Mapping[int, float]) -> Outcome:
    """Two nodes, then one, then three, on the same checkpoints."""
    stages, wrong, start = ((2, 5), (1, 10), (3, STEPS)), [], time.monotonic()
    losses: dict[int, float] = {}
    for nodes, steps in stages:
        with Gang(
            ground, f"drill-resize-{nodes}", nodes=nodes, steps=steps, keeps=None if nodes == stages[0][0] else RESIZE
        ) as gang:
            view = gang.until_over()
            if view.state != "Complete":
                wrong.append(f"{nodes} nodes: {view.sentence()}")
            losses |= gang.losses()
            events = {event.get("event") for event in gang.events()}
            if gang.keeps is not None and not {"converting", "loaded"} <= events:
                wrong.append(f"{nodes} nodes did not go on from the checkpoint of others: {sorted(map(str, events))}")
    equal = close(losses, golden, RESIZED)
    if not equal:
        wrong.append(f"losses {losses} are not {dict(golden)}")
    return Outcome("resize-2-1-3", 0, 1 if wrong else 0, time.monotonic() - start, equal, tuple(wrong))
