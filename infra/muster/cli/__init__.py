"""The `muster` command: look at a stack's plan, manifests and state. It changes nothing that is there."""

import sys
from collections.abc import Callable, Mapping

import typer

from muster.cli import check, checkpoints, doctor, drift, logs, plan, preflight, render, report, schema, status, watch
from muster.cli.context import err
from muster.engine import EngineFailed
from muster.problems import SettingsError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

COMMANDS: Mapping[str, Callable[..., None]] = {
    "plan": plan.show,
    "preflight": preflight.show,
    "check": check.show,
    "render": render.show,
    "report": report.show,
    "status": status.show,
    "watch": watch.show,
    "doctor": doctor.show,
    "logs": logs.show,
    "checkpoints": checkpoints.show,
    "drift": drift.show,
    "schema": schema.show,
}
"""Every command by name, in the order of the help: what is to be, what is there, what files may say."""

for name, command in COMMANDS.items():
    app.command(name)(command)


def main() -> None:
    """Run the command; what can't be used or reached ends with one line each and exit code 1."""
    from muster.report.reader import Unreachable  # noqa: PLC0415 - keeps commands that need no cluster quick

    try:
        app()
    except SettingsError as error:
        err.print(str(error), markup=False, soft_wrap=True)
        sys.exit(1)
    except EngineFailed as error:
        err.print(f"muster: the engine can't say what would change: {error}", markup=False, soft_wrap=True)
        sys.exit(1)
    except Unreachable as error:
        err.print(f"muster: the cluster can't be read: {error}", markup=False, soft_wrap=True)
        sys.exit(1)
