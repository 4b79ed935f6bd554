"""A loss curve drawn with characters."""

from collections.abc import Sequence

import plotext


def loss_curve(losses: Sequence[tuple[int, float]], title: str, *, width: int = 72, height: int = 14) -> str:
    """Plot of loss over step for a terminal `width` columns wide; empty for fewer than two points."""
    if len(losses) < 2:  # noqa: PLR2004 - a curve needs two points
        return ""
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot([step for step, _ in losses], [loss for _, loss in losses], marker="braille")
    plotext.title(title)
    plotext.xlabel("step")
    plotext.plotsize(width, height)
    return str(plotext.uncolorize(plotext.build()))
