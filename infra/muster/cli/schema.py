"""`muster schema`: what editors check stack files by."""

import json

import typer

from muster import settings


def show() -> None:
    """Print the JSON Schema of stack files, for editors."""
    typer.echo(json.dumps(settings.schema(), indent=2))
