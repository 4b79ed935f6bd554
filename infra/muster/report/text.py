"""Plans and stacks on a terminal: tables and panels of rich."""

from collections.abc import Sequence

from rich import filesize
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from muster import durations
from muster.plan import Plan, summary
from muster.report.checkpoints import CheckpointView
from muster.report.curve import loss_curve
from muster.report.stack import StackView

COLOURS = {"Complete": "green", "Running": "cyan", "Failed": "red", "Invalid": "red", "Absent": "yellow"}


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


def stack_screen(view: StackView) -> RenderableType:
    """Releases, pools, queues and jobs on one screen."""
    platform = Table(title=f"stack {view.stack}", title_justify="left", title_style="bold", box=None)
    platform.add_column("what")
    platform.add_column("name")
    platform.add_column("state")
    for name, status in view.releases.items():
        platform.add_row("release", name, status)
    for pool in view.pools:
        gpus = f", {pool.gpus} GPUs" if pool.gpus else ""
        platform.add_row("pool", pool.name, f"{pool.ready} of {pool.wanted} nodes ready{gpus}")
    for name, state in view.queues.items():
        platform.add_row("queue", name, state)
    jobs = Table(title="jobs", title_justify="left", title_style="bold", box=None)
    for column in ("job", "state", "pods", "step", "loss", "restarts", "reason"):
        jobs.add_column(column)
    for item in view.jobs:
        jobs.add_row(
            f"{item.namespace}/{item.name}",
            Text(item.state, style=COLOURS.get(item.state, "")),
            f"{item.pods_ready}/{item.pods_wanted}",
            "" if item.last_step is None else str(item.last_step),
            "" if item.last_loss is None else f"{item.last_loss:.6f}",
            str(item.restarts),
            item.reason,
        )
    return Group(platform, Text(), jobs) if view.jobs else platform


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
