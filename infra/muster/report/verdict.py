"""One line on top of a report: safe, needs care or dangerous, and why."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from muster.preview import Change, Operation
from muster.report.impact import NODE_GROUP, Area, Impact, JobState, JobWhat, PoolImpact, Touched
from muster.report.money import Money
from muster.report.risks import Risks

Level = Literal["safe", "needs care", "dangerous"]
LEVELS: tuple[Level, ...] = ("safe", "needs care", "dangerous")
DEARER = 0.2
"""Growth of the bill, as a part of what it was, from which it needs care."""


@dataclass(frozen=True)
class Facts:
    """What a verdict is made of. `policies` are sentences on mandatory policies that are broken."""

    changed: Sequence[Change]
    impact: Impact
    money: Money | None
    risks: Risks
    errors: Sequence[str] = ()
    policies: Sequence[str] = ()


@dataclass(frozen=True)
class Reason:
    """Why a change is not safe."""

    level: Level
    text: str


@dataclass(frozen=True)
class Verdict:
    """The level, and every reason for it, the most serious first."""

    level: Level
    reasons: tuple[Reason, ...]
    calm: str
    """What is said where there is no reason."""

    @property
    def line(self) -> str:
        """The one line."""
        first = self.reasons[0].text if self.reasons else self.calm
        more = len(self.reasons) - 1
        return f"{self.level}: {first}" + (f" (and {more} more reason{'s' if more > 1 else ''})" if more > 0 else "")


def judge(facts: Facts) -> Verdict:
    """The verdict by the rules of RULES."""
    reasons = [Reason(level, text) for level, rule in RULES for text in rule(facts)]
    level: Level = reasons[0].level if reasons else "safe"
    return Verdict(level, tuple(reasons), _calm(facts))


def _calm(facts: Facts) -> str:
    if not facts.changed:
        return "nothing changes"
    return "nothing that runs is touched"


def _failed(facts: Facts) -> Iterable[str]:
    if facts.errors:
        yield "the preview failed, so nobody knows what the update would do"


LOST: Mapping[Area, str] = {
    "data": "the data is lost",
    "control plane": "everything in the cluster goes too",
    "network": "everything inside goes too",
    "CRDs": "all objects of its kinds go too, jobs among them",
    "namespace": "everything inside goes too",
}
"""What is lost with a thing of an area that is replaced or deleted."""
CARE: Mapping[Area, tuple[str, str]] = {
    "control plane": ("the control plane changes under everything that runs", ""),
    "network": ("the network changes under everything that runs", ""),
    "platform": ("jobs depend on it", "what it does for jobs ends"),
    "CRDs": ("jobs depend on it", ""),
    "runtime": (
        "jobs that start later get it; those that run go on from their snapshot",
        "no job can start with it; those that run go on from their snapshot",
    ),
    "mount": ("jobs mount it", "no pod can mount it any more"),
    "secret": ("jobs that run keep the old value until they are run again", "no pod can start with it any more"),
    "access": ("others may use the cluster", "somebody may use the cluster no more"),
}
"""What a change of an area means that loses nothing by itself, and what a deletion."""
NOUNS: Mapping[Area, str] = {
    "CRDs": "release ",
    "namespace": "namespace ",
    "platform": "release ",
    "runtime": "runtime ",
    "mount": "volume ",
    "secret": "secret ",
}
"""What the names of an area are names of, where they don't say it."""
DONE: Mapping[Operation, str] = {"update": "updated", "replace": "replaced", "delete": "deleted"}


def _losses(facts: Facts) -> Iterable[str]:
    """Things that hold others, together where they are of one area."""
    lost: dict[tuple[Area, Operation], list[Touched]] = defaultdict(list)
    for one in facts.impact.touched:
        if one.area in LOST and one.operation in ("replace", "delete"):
            lost[one.area, one.operation].append(one)
    order = list(LOST)
    for (area, operation), things in sorted(lost.items(), key=lambda item: order.index(item[0][0])):
        names = [_named(one) for one in things]
        because = _because(things[0]) if len(things) == 1 else ""
        yield f"{_list(names)} {'is' if len(names) == 1 else 'are'} {DONE[operation]}: {LOST[area]}{because}"


def _named(one: Touched) -> str:
    return f"{NOUNS.get(one.area, '')}{one.name}"


def _because(one: Touched) -> str:
    return f" ({one.detail})" if one.detail else ""


def _cut_off(facts: Facts) -> Iterable[str]:
    """Pools that go away under jobs; where nobody could look, jobs that the stack has count as running."""
    for pool in facts.impact.pools:
        if pool.what in ("removed", "replaced", "emptied"):
            done = "scaled to zero" if pool.what == "emptied" else pool.what
            running = [job.name for job in facts.impact.jobs if job.pool == pool.pool and job.state == "running"]
            perhaps = [job.name for job in facts.impact.jobs if job.pool == pool.pool and job.state == "unknown"]
            if running:
                yield f"pool {pool.pool} is {done} under {_list(running)}, which run{_s(running)} there"
            elif perhaps:
                names = f"{_list(perhaps)} run{_s(perhaps)}"
                yield f"pool {pool.pool} is {done}, and nobody looked whether {names} there"


def _unprotected(facts: Facts) -> Iterable[str]:
    for one in facts.impact.touched:
        if one.area == "protection":
            what = "is protected and would go" if one.operation in ("replace", "delete") else "is protected no more"
            yield f"{one.name} {what}"


def _over_budget(facts: Facts) -> Iterable[str]:
    money = facts.money
    if money is not None and money.left is not None and money.left < 0:
        yield f"${money.after:,.2f}/h is over budget.maxHourlyUsd, ${money.ceiling:,.2f}"


def _moved(facts: Facts) -> Iterable[str]:
    """Pools that lose nodes, if only for a while."""
    for pool in facts.impact.hurt():
        yield pool_sentence(pool)


def pool_sentence(pool: PoolImpact) -> str:
    """What becomes of a pool, in one sentence."""
    count = f"{pool.nodes_before} node{'s' if pool.nodes_before != 1 else ''}"
    match pool.what:
        case "removed":
            return f"pool {pool.pool} is removed: {count} and {pool.gpus_gone} GPUs go"
        case "replaced":
            if pool.gpus_away:
                return f"pool {pool.pool} is replaced: all {pool.gpus_away} GPUs are away for up to {pool.minutes} min"
            return f"pool {pool.pool} is replaced: {count} go when the new ones are there"
        case "emptied":
            return f"pool {pool.pool} is scaled to zero: {count} and {pool.gpus_gone} GPUs go"
        case "drained" if pool.gpus_away:
            return (
                f"pool {pool.pool}: {count} are replaced one after another, {pool.gpus_away} of {pool.gpus_before} "
                f"GPUs away at a time, up to {pool.minutes} min in all"
            )
        case "drained":
            return f"pool {pool.pool}: {count} are replaced one after another, the new one first"
        case "shrunk":
            return f"pool {pool.pool} shrinks from {pool.nodes_before} to {pool.nodes_after}: {pool.gpus_gone} GPUs go"
        case "grown":
            return f"pool {pool.pool} grows from {pool.nodes_before} to {pool.nodes_after}"
        case "new":
            return f"pool {pool.pool} is new: {pool.nodes_after} node{'s' if pool.nodes_after != 1 else ''}"


def _jobs(facts: Facts) -> Iterable[str]:
    """Jobs that are hit, together where the same happens to them."""
    hit: dict[tuple[JobWhat, JobState], list[str]] = defaultdict(list)
    for job in facts.impact.jobs:
        hit[job.what, job.state].append(job.name)
    for (what, state), names in hit.items():
        one, many = FATES[what]
        noun, text = ("job", one) if len(names) == 1 else ("jobs", many)
        yield f"{noun} {_list(names)} ({state_text(state)}) {text}"


FATES: Mapping[JobWhat, tuple[str, str]] = {
    "starts again": (
        "starts again from its last checkpoint, or from its beginning",
        "start again from their last checkpoint, or from their beginning",
    ),
    "ends": ("ends", "end"),
    "holds the update up": (
        "runs on nodes that would go: the update is refused until it has ended",
        "run on nodes that would go: the update is refused until they have ended",
    ),
    "is interrupted": (
        "loses its nodes one after another and restarts each time",
        "lose their nodes one after another and restart each time",
    ),
    "loses its nodes": ("loses its nodes", "lose their nodes"),
    "may lose nodes": ("may lose a node", "may lose a node"),
}
"""What becomes of a job, of one and of several."""


def state_text(state: str) -> str:
    """The state of a job in words."""
    return {"unknown": "not looked at", "idle": "has no pods"}.get(state, state)


def _careful(facts: Facts) -> Iterable[str]:
    order = list(CARE)
    touched = [
        one
        for one in facts.impact.touched
        if one.area in CARE and not (one.area in LOST and one.operation in ("replace", "delete"))
    ]
    for one in sorted(touched, key=lambda one: order.index(one.area)):
        kept, gone = CARE[one.area]
        yield f"{_named(one)} is {DONE[one.operation]}: {gone if one.operation == 'delete' else kept}{_because(one)}"


def _spot(facts: Facts) -> Iterable[str]:
    for risk in facts.risks.pools:
        if risk.mode == "spot":
            yield f"pool {risk.pool}: {risk.text}"


def _dearer(facts: Facts) -> Iterable[str]:
    money = facts.money
    if money is not None and money.before and money.change / money.before > DEARER:
        yield f"it costs {money.change / money.before:.0%} more, ${money.change:,.2f}/h"
    if money is not None and money.over_alarm():
        yield f"a month of it is more than budget.monthlyUsd, ${money.alarm:,.0f}"


def _policies(facts: Facts) -> Iterable[str]:
    yield from facts.policies


NAMED: tuple[str, ...] = (
    NODE_GROUP,
    "aws:ec2/launchTemplate:LaunchTemplate",
    "kubernetes:core/v1:ConfigMap",
    "kubernetes:core/v1:Node",
    "kubernetes:core/v1:PersistentVolume",
)
"""Kinds whose replacement is told by what it does to pools and jobs, or that nothing holds on to."""


def _others(facts: Facts) -> Iterable[str]:
    """Whatever else goes."""
    told = {one.name for one in facts.impact.touched}
    gone = [
        change
        for change in facts.changed
        if change.operation in ("replace", "delete")
        and change.kind not in NAMED
        and change.noun != "TrainJob"
        and not {change.name, str((change.old.get("metadata") or {}).get("name"))} & told
    ]
    operations: tuple[Operation, ...] = ("delete", "replace")
    for operation in operations:
        kinds = Counter(change.noun for change in gone if change.operation == operation)
        if kinds:
            names = [f"{count} {noun}" for noun, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))]
            yield f"other resources are {DONE[operation]}: {_list(names)}"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004


def _s(names: Sequence[str]) -> str:
    return "" if len(names) > 1 else "s"


RULES: tuple[tuple[Level, Callable[[Facts], Iterable[str]]], ...] = (
    ("dangerous", _failed),
    ("dangerous", _cut_off),
    ("dangerous", _losses),
    ("dangerous", _unprotected),
    ("dangerous", _over_budget),
    ("dangerous", _policies),
    ("needs care", _moved),
    ("needs care", _jobs),
    ("needs care", _careful),
    ("needs care", _spot),
    ("needs care", _dearer),
    ("needs care", _others),
)
"""What makes a change dangerous, then what needs care, the most serious first; anything else is safe."""
