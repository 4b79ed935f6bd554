"""Progress lines with elapsed time on stderr, so that stdout stays free for results."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(stderr=True, highlight=False)

HEARTBEAT_S = 15.0
"""Seconds between signs of life where there is no terminal to draw on."""


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show `title` with its elapsed time while the body runs, and how it ended.

    On a terminal the line is live; elsewhere a line appears every `HEARTBEAT_S` seconds and one at the end.
    """
    start = time.monotonic()
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_S):
            console.print(f"  … {title} ({time.monotonic() - start:.0f} s)", style="dim")

    if sys.stderr.isatty():
        live = console.status(title)
        live.start()

        def tick() -> None:
            while not ended.wait(0.5):
                live.update(f"{title} ({time.monotonic() - start:.0f} s)")

        ticker = threading.Thread(target=tick, daemon=True)
    else:
        live = None
        ticker = threading.Thread(target=beat, daemon=True)
    ticker.start()
    well = False
    try:
        yield
        well = True
    finally:
        ended.set()
        ticker.join()
        if live is not None:
            live.stop()
        ended_with(title, time.monotonic() - start, well=well)


def ended_with(title: str, seconds: float, *, well: bool) -> None:
    """Show that something ended, how, and how long it took."""
    console.print(f"{'[green]✓[/green]' if well else '[red]✗[/red]'} {title} [dim]{seconds:.1f} s[/dim]")
