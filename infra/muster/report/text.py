"""Plans and stacks on a terminal: tables and panels of rich."""

from collections.abc import Sequence
from datetime import datetime

from rich import filesize
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from muster import durations, moments
from muster.plan import Plan, summary
from muster.report.checkpoints import CheckpointView
from muster.report.curve import loss_curve
from muster.report.gangs import QueueView
from muster.report.job import JobView
from muster.report.pools import PoolView
from muster.report.stack import StackView

COLOURS = {"Complete": "green", "Running": "cyan", "Failed": "red", "Invalid": "red", "Absent": "yellow"}
FINISHED = 10
"""Completed jobs that a screen shows unless all are asked for."""


def plan_blocks(plan: Plan) -> RenderableType:
    """One block for each pool and job, then the warnings."""
    parts: list[RenderableType] = []
    for block in summary.blocks(plan):
        table = Table(title=block.title, title_justify="left", title_style="bold", show_header=False, box=None)
        for name, fact in block.facts:
            table.add_row(name, fact, style="")
        parts += [table, Text()]
    parts += [Text(f"warning: {warning}", style="yellow") for warning in plan.warnings]
    return Group(*parts)


def checkpoint_table(job: str, found: Sequence[CheckpointView], now: float) -> RenderableType:
    """Checkpoints of a job at a moment in seconds since 1970."""
    if not found:
        return Text(f"job {job} has no checkpoints yet")
    table = Table(title=f"checkpoints of {job}", title_justify="left", title_style="bold", box=None)
    for column in ("folder", "step", "size", "age", "ranks", "state"):
        table.add_column(column)
    for item in found:
        table.add_row(
            item.name,
            "" if item.step is None else str(item.step),
            filesize.decimal(item.bytes),
            durations.text(max(1, int(now - item.time))),
            {None: "", 0: "any"}.get(item.world_size, str(item.world_size)),
            Text(item.problem, style="yellow") if item.problem else Text("whole", style="green"),
        )
    return table


def stack_screen(view: StackView, now: datetime, *, every: bool = True) -> RenderableType:
    """Releases, pools, queues and jobs on one screen; of many finished jobs only the last ones unless `every`."""
    parts: list[RenderableType] = [Text(f"stack {view.stack}", style="bold"), _releases(view)]
    parts += [Text(), _pools(view.pools)] if view.pools else []
    parts += [Text(), _queues(view.queues)] if view.queues else []
    parts += [Text(), _jobs(view.jobs, now, every)] if view.jobs else []
    return Group(*parts)


def _releases(view: StackView) -> RenderableType:
    table = Table(show_header=False, box=None)
    for state in sorted(set(view.releases.values()), key=lambda state: state == "deployed"):
        names = ", ".join(name for name, its in view.releases.items() if its == state)
        table.add_row("releases", Text(state, style="green" if state == "deployed" else "red"), names)
    return table


def _pools(found: Sequence[PoolView]) -> RenderableType:
    table = _table("pools", "pool", "nodes ready", "GPUs", "held", "free", "fabric")
    for pool in found:
        amounts = (pool.gpus, pool.gpus_held, pool.gpus_free) if pool.gpus or pool.no_gpus else ("", "", "")
        lacking = f" ({len(pool.no_gpus)} nodes lack GPUs)" if pool.no_gpus else ""
        table.add_row(
            pool.name,
            Text(f"{pool.ready}/{pool.wanted}", style="yellow" if pool.ready < pool.wanted else ""),
            Text(f"{amounts[0]}{lacking}", style="red" if lacking else ""),
            str(amounts[1]),
            str(amounts[2]),
            Text(pool.fabric, style="red" if pool.no_efa else ""),
        )
    return table


def _queues(found: Sequence[QueueView]) -> RenderableType:
    table = _table("queues", "queue", "state", "gangs running", "waiting", "GPUs held")
    for queue in found:
        table.add_row(queue.name, queue.state, str(queue.running), str(queue.pending), str(queue.gpus))
    return table


def _jobs(found: Sequence[JobView], now: datetime, every: bool) -> RenderableType:
    done = sorted((item for item in found if item.state == "Complete"), key=lambda item: item.ended, reverse=True)
    folded = [] if every else done[FINISHED:]
    table = _table("jobs", "job", "state", "pods", "step", "loss", "restarts", "time", "reason")
    hidden = {id(item) for item in folded}
    for item in found:
        if id(item) in hidden:
            continue
        table.add_row(
            f"{item.namespace}/{item.name}",
            Text(item.state, style=COLOURS.get(item.state, "")),
            f"{item.pods_ready}/{item.pods_wanted}",
            item.progress,
            "" if item.last_loss is None else f"{item.last_loss:.6f}",
            str(item.restarts),
            elapsed(item, now),
            Text(item.reason),
        )
    if not folded:
        return table
    return Group(table, Text(f"… and {len(folded)} more that completed: --all shows them", style="dim"))


def elapsed(item: JobView, now: datetime) -> str:
    """How long a job has been there, or took in all once it is over; its two largest units."""
    if not item.created:
        return ""
    until = moments.parse(item.ended) if item.ended else now
    return durations.rough(max(0, int((until - moments.parse(item.created)).total_seconds())))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None)
    for column in columns:
        table.add_column(column)
    return table


def curves(view: StackView) -> str:
    """Loss curves of the jobs whose logs have one."""
    drawn = [
        loss_curve(
            item.losses,
            f"{item.name}: loss {item.losses[0][1]:.4f} at step {item.losses[0][0]}, {item.last_loss:.4f} last",
        )
        for item in view.jobs
        if item.losses
    ]
    return "\n\n".join(curve for curve in drawn if curve)
