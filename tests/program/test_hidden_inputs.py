"""What a preview can't know or show breaks no rule, wherever it stands, and no shape stops the rules."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from muster import policy
from muster.policy import Context, Resource
from muster.policy.network import EGRESS, INGRESS
from muster.policy.parts import SECRET, UNKNOWN

from tests.program.test_policies import registered

Path = tuple[str | int, ...]
PLACES = 150
"""Places of one resource that are looked at: those of one with many equal interfaces are alike."""


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in an input."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, below in value.items():
            yield from places(below, (*path, key))
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from places(below, (*path, number))


def put(value: Any, path: Path, new: object) -> Any:
    """A copy with another value at a place."""
    if not path:
        return new
    if isinstance(value, dict):
        return {**value, path[0]: put(value[path[0]], path[1:], new)}
    return [put(item, path[1:], new) if number == path[0] else item for number, item in enumerate(value)]


def variants(name: str, new: object) -> Iterator[tuple[Resource, Path, Sequence[Resource]]]:
    """One resource of each kind of a stack with each of its places in turn changed, the place, and all resources.

    Rules of security groups all stay: which of them belong together is what a policy looks at.
    """
    firsts = {one.kind: one for one in reversed(registered(name)[1])}
    one_each = [one for one in registered(name)[1] if one is firsts[one.kind] or one.kind in (INGRESS, EGRESS)]
    for resource in firsts.values():
        for path in list(places(dict(resource.props)))[:PLACES]:
            changed = dataclasses.replace(resource, props=put(dict(resource.props), path, new))
            yield changed, path, [changed if one is resource else one for one in one_each]


def found_by(changed: Resource, resources: Sequence[Resource], known: Context) -> list[policy.Finding]:
    """What the rules find: of one resource where they judge each by itself, else of all together."""
    return [
        one
        for rule in policy.RULES.values()
        for one in policy.findings(rule, [changed] if rule.each is not None else resources, known)
    ]


def context(name: str) -> Context:
    """The stack's, with more that it asks for."""
    registries = ("docker.io/muster", "123456789012.dkr.ecr.us-west-2.amazonaws.com", "registry.k8s.io/jobset")
    more = {"required_tags": ("team",) if name != "local" else (), "allowed_registries": registries}
    return dataclasses.replace(policy.context(registered(name)[0]), **more)


@pytest.mark.parametrize("new", [UNKNOWN, SECRET], ids=["unknown", "secret"])
@pytest.mark.parametrize("name", ["dev", "prod", "local"])
def test_what_can_not_be_seen_breaks_no_rule(name: str, new: str) -> None:
    looked = 0
    known = context(name)
    for changed, path, resources in variants(name, new):
        looked += 1
        found = [one for one in found_by(changed, resources, known) if one.blocks]
        assert found == [], (changed.name, path)
    assert looked > 300


@pytest.mark.parametrize("new", [None, "x", 1.0, []], ids=["nothing", "text", "number", "list"])
def test_no_shape_stops_the_rules(new: object) -> None:
    known = context("dev")
    judged = [found_by(changed, resources, known) for changed, _, resources in variants("dev", new)]
    assert len(judged) > 300
