"""The Pulumi program: read what the stack says, plan it, declare it."""

import gc
import json
import os
import signal
from pathlib import Path

# Collecting garbage while the SDKs are imported is a quarter of the program's time, and finds nothing.
gc.disable()

import pulumi  # noqa: E402
from muster import program, stack  # noqa: E402
from muster.problems import SettingsError  # noqa: E402
from muster.settings import secrets  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent


# The engine interrupts the program when a resource fails; its traceback would hide the resource's own error.
signal.signal(signal.SIGINT, signal.SIG_DFL)


def value(text: str) -> object:
    """A configuration value as written in the stack file; the engine hands maps over as JSON text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


keys = json.loads(os.environ.get("PULUMI_CONFIG_SECRET_KEYS", "[]"))
config = {key: value(text) for key, text in json.loads(os.environ.get("PULUMI_CONFIG", "{}")).items()}
try:
    config = secrets.veiled(config, keys, stack.file_of(pulumi.get_stack()))
    planned = stack.from_config(config, pulumi.get_stack(), ROOT, os.environ)
    program.declare(planned, wait=os.environ.get("MUSTER_WAIT") != "no")
except SettingsError as error:
    raise pulumi.RunError(f"the stack file has mistakes, nothing was changed\n{error}") from None
gc.enable()
