"""`muster plan`: what a stack file means."""

from muster.cli.context import Stack, out, planned


def show(stack: Stack = "local") -> None:
    """Check a stack file and show what it means; asks no cluster and no cloud."""
    from muster.plan import summary  # noqa: PLC0415 - only here
    from muster.report import text  # noqa: PLC0415 - rich tables only where they are drawn

    made = planned(stack)
    out.print(text.plan_blocks(made))
    for line in summary.lines(made):
        out.print(line, markup=False, soft_wrap=True)
