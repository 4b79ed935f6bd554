"""Helm releases: which of the locked set a stack needs, and in which order."""

import graphlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from muster.gang import Backend
from muster.plan.parts import ReleasePlan
from muster.problems import Problem, SettingsError

FILE = "infra/muster/releases.yaml"


class Release(Protocol):
    """What a plan needs to know of a release; `gang` is the backend it belongs to, empty where every stack has it."""

    @property
    def chart(self) -> str:
        """Name of the chart."""

    @property
    def namespace(self) -> str:
        """Where it is installed."""

    @property
    def gang(self) -> str:
        """Gang backend that it belongs to."""

    @property
    def needs(self) -> Sequence[str]:
        """Releases that come first, where the stack has them."""

    @property
    def values(self) -> Mapping[str, Any]:
        """Values of the chart."""

    @property
    def timeout(self) -> int:
        """Seconds Helm may wait for readiness."""


def make(releases: Mapping[str, Release], backend: Backend, charts: str) -> tuple[ReleasePlan, ...]:
    """Releases of a stack, each after those it needs. Raises SettingsError for missing and circular needs."""
    chosen = {name: release for name, release in releases.items() if release.gang in ("", backend.name)}
    missing = [
        Problem(FILE, f"releases.{name}.needs", f'"{need}"', "a release of this file")
        for name, release in releases.items()
        for need in release.needs
        if need not in releases
    ]
    if missing:
        raise SettingsError(missing)
    needs = {name: tuple(need for need in release.needs if need in chosen) for name, release in chosen.items()}
    try:
        order = tuple(graphlib.TopologicalSorter(needs).static_order())
    except graphlib.CycleError as error:
        circle = " -> ".join(error.args[1])
        raise SettingsError([Problem(FILE, "releases", f"needs in a circle ({circle})", "an order")]) from None
    return tuple(
        ReleasePlan(
            name=name,
            namespace=chosen[name].namespace,
            chart=f"{charts}/{chosen[name].chart}",
            values=chosen[name].values,
            timeout_s=chosen[name].timeout,
            needs=needs[name],
        )
        for name in order
    )
