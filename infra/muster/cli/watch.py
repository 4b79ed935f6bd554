"""`muster watch`: the screen of a stack as it changes."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from muster import durations
from muster.cli.context import AsJson, Stack, err, out, planned, reader

if TYPE_CHECKING:
    from muster.report.stack import StackView

Tell = Callable[["StackView | None", "StackView", float], None]
"""(seen before, seen now, seconds since the start)."""


def show(
    stack: Stack = "local",
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
    until_done: Annotated[
        bool, typer.Option("--until-done", help="End when all jobs are over: code 0 all complete, 1 one failed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a stack's screen again and again until Ctrl-C; without a terminal, one line for each change of state.

    Exit code 0: ended by Ctrl-C, or every job is complete. 1: a job failed, or nobody could look.
    """
    from rich.live import Live  # noqa: PLC0415 - only here

    from muster.report import changes, text  # noqa: PLC0415 - only here
    from muster.report import stack as report  # noqa: PLC0415 - only here

    made = planned(stack)
    cluster = reader(made)
    drawn = out.is_terminal and not as_json

    def look() -> "StackView":
        return report.read(cluster, made, logs=report.LOGS if drawn or as_json else 0)

    def lines(before: "StackView | None", now: "StackView", elapsed: float) -> None:
        for change in changes.lines(before, now):
            out.print(f"{durations.text(int(elapsed)):>8}  {change}", markup=False, soft_wrap=True)

    def document(before: "StackView | None", now: "StackView", _: float) -> None:
        if before is None or before.document() != now.document():
            typer.echo(json.dumps(now.document()))

    def missed(trouble: str) -> None:
        err.print(f"muster: the cluster can't be read, looking again: {trouble}", markup=False, soft_wrap=True)

    try:
        if not drawn:
            code = follow(look, document if as_json else lines, missed, every=every, until_done=until_done)
        else:
            with Live(console=out, auto_refresh=False) as live:

                def screen(_: "StackView | None", now: "StackView", __: float) -> None:
                    live.update(text.stack_screen(now, datetime.now(UTC), every=False), refresh=True)

                code = follow(look, screen, missed, every=every, until_done=until_done)
    except KeyboardInterrupt:
        code = 0
    raise typer.Exit(code)


def follow(
    look: "Callable[[], StackView]", tell: Tell, missed: Callable[[str], None], *, every: float, until_done: bool
) -> int:
    """Look and tell until every job is over, or for ever; the exit code. Raises Unreachable for the first look alone.

    A cluster that stops answering later may come back: `missed` hears why, once, and what was told last stays.
    """
    from muster.report import changes  # noqa: PLC0415 - as above
    from muster.report.reader import Unreachable  # noqa: PLC0415 - as above

    start, before, trouble = time.monotonic(), None, ""
    while True:
        try:
            now = look()
        except Unreachable as error:
            if before is None:
                raise
            if not trouble:
                missed(str(error))
            trouble = str(error)
        else:
            tell(before, now, time.monotonic() - start)
            before, trouble = now, ""
            code = changes.outcome(now) if until_done else None
            if code is not None:
                return code
        time.sleep(every)
