"""A stack by name: its file, the checkout and the locked set joined into a plan."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from muster import catalog, moments, places, plan, releases, repository, settings
from muster.catalog import services
from muster.plan import Plan
from muster.settings import Settings

CHARTS = "../charts"
"""Materialised charts, relative to the program's folder: an absolute path would differ from machine to machine."""


def file_of(name: str) -> str:
    """The stack's file, relative to the checkout, as problems name it."""
    return f"stacks/Pulumi.{name}.yaml"


def from_config(config: Mapping[str, object], name: str, root: Path, environ: Mapping[str, str]) -> Plan:
    """Plan from the configuration that the engine hands over. Raises muster.problems.SettingsError."""
    return _plan(settings.parse(config, file_of(name)), name, root, environ)


def from_file(name: str, root: Path, environ: Mapping[str, str]) -> Plan:
    """Plan from the stack's file. Raises muster.problems.SettingsError with every mistake."""
    return _plan(declared(name, root), name, root, environ)


def declared(name: str, root: Path) -> Settings:
    """Settings of the stack's file. Raises muster.problems.SettingsError with every mistake."""
    return settings.read(root / file_of(name), file_of(name))


def now(environ: Mapping[str, str]) -> datetime:
    """The moment by which dates are judged: that of MUSTER_NOW, so that a plan can be made again, else the present."""
    told = environ.get("MUSTER_NOW")
    return moments.parse(told) if told else datetime.now(UTC)


def _plan(found: Settings, name: str, root: Path, environ: Mapping[str, str]) -> Plan:
    embedded = found.cluster.provider == "embedded"
    return plan.make(
        found,
        repository.load(root),
        catalog.load(),
        services.load(),
        releases.load(),
        stack=name,
        source=file_of(name),
        now=now(environ),
        charts=CHARTS,
        kubeconfig=str(places.embedded_kubeconfig(environ)) if embedded else environ.get("KUBECONFIG"),
    )
