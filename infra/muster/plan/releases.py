"""Helm releases: which of the locked set a stack needs, in which order, and with which values."""

import graphlib
from collections.abc import Mapping
from typing import Any

from muster.gang import Backend
from muster.plan.aws import gpu
from muster.plan.aws.parts import AwsPlan, GroupPlan
from muster.plan.images import mirrored
from muster.plan.inputs import Inputs
from muster.plan.parts import ReleasePlan
from muster.problems import Problem, SettingsError
from muster.releases import Bad, Release, Releases

FILE = "infra/muster/releases.yaml"


def make(
    locked: Releases, backend: Backend, charts: str, aws: AwsPlan | None, inputs: Inputs
) -> tuple[ReleasePlan, ...]:
    """Releases of a stack, each after those it needs.

    Raises SettingsError for missing and circular needs, and for versions that are known to be bad for these pools.
    """
    releases, platform, services = locked.releases, inputs.settings.platform, inputs.services
    pools = gpu.wanted(aws)
    chosen = {
        name: release
        for name, release in releases.items()
        if release.gang in ("", backend.name) and (not release.pools or release.pools in pools)
    }
    missing = [
        Problem(FILE, f"releases.{name}.needs", f'"{need}"', "a release of this file")
        for name, release in releases.items()
        for need in release.needs
        if need not in releases
    ]
    bad = [problem for row in locked.bad for problem in _bad(row, locked, chosen, pools)]
    if missing or bad:
        raise SettingsError([*missing, *bad])
    needs = {name: tuple(need for need in release.needs if need in chosen) for name, release in chosen.items()}
    try:
        order = tuple(graphlib.TopologicalSorter(needs).static_order())
    except graphlib.CycleError as error:
        circle = " -> ".join(error.args[1])
        raise SettingsError([Problem(FILE, "releases", f"needs in a circle ({circle})", "an order")]) from None
    registry = platform.mirror.registry if platform.mirror else None
    return tuple(
        ReleasePlan(
            name=name,
            namespace=chosen[name].namespace,
            chart=f"{charts}/{chosen[name].chart}",
            values=_values(
                chosen[name], gpu.values(name, pools.get(chosen[name].pools, ()), platform, services), registry
            ),
            timeout_s=chosen[name].timeout,
            needs=needs[name],
        )
        for name in order
    )


def _values(release: Release, derived: Mapping[str, Any], registry: str | None) -> Mapping[str, Any]:
    """Locked values, what the pools add, and mirrored image names."""
    values = merged(release.values, derived)
    for path, image in release.images.items() if registry else ():
        values = merged(values, nested(path.split("."), mirrored(image, registry)))
    return values


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over` put in, map by map."""
    made = dict(base)
    for key, value in over.items():
        old = made.get(key)
        made[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return made


def nested(path: list[str], value: object) -> dict[str, Any]:
    """Maps within maps down to `value`."""
    head, *rest = path
    return {head: nested(rest, value) if rest else value}


def _bad(
    row: Bad, locked: Releases, chosen: Mapping[str, Release], pools: Mapping[str, tuple[GroupPlan, ...]]
) -> list[Problem]:
    """The problem of a chart version that is known to be bad with what the stack has."""
    if row.chart not in {release.chart for release in chosen.values()}:
        return []
    version = locked.charts[row.chart].online.version
    inside = _number(row.since) <= _number(version) < _number(row.below)
    hit = any(row.families == () or group.type.family in row.families for group in pools.get(row.pools, ()))
    if not inside or (row.pools and not hit):
        return []
    return [
        Problem(FILE, f"charts.{row.chart}.online.version", version, f"{row.below} or later: {row.why} ({row.source})")
    ]


def _number(version: str) -> tuple[int, ...]:
    """A version such as v26.3.1 as numbers that compare."""
    return tuple(int(part) for part in version.removeprefix("v").split("-")[0].split("."))
