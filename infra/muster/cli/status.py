"""`muster status`: one screen for a stack."""

import json

import typer

from muster.cli.context import AsJson, Stack, out, planned, reader


def show(stack: Stack = "local", as_json: AsJson = False) -> None:
    """Show releases, pools, queues and jobs as the cluster has them now."""
    from muster.report import stack as report  # noqa: PLC0415 - only here
    from muster.report import text  # noqa: PLC0415 - only here

    view = report.read(reader(made := planned(stack)), made)
    if as_json:
        typer.echo(json.dumps(view.document()))
    else:
        out.print(text.stack_screen(view))
