"""What is there before a rehearsal begins, for an environment that goes from one plan to the next."""

import dataclasses
from pathlib import Path

import pytest
import yaml
from muster import stack
from muster.plan import AwsPlan

from rehearsal import ground
from rehearsal.double.refusals import RESERVATION
from rehearsal.double.world import World
from tests.program.recorder import ENVIRON, ROOT

P5, P5EN, SPARE = "cr-0a1b2c3d4e5f60718", "cr-0a1b2c3d4e5f60719", "cr-0a1b2c3d4e5f60700"


def prod(nodes: int, reservation: str) -> AwsPlan:
    """Production with so many p5 nodes of a reservation."""
    plan = stack.from_file("prod", ROOT, ENVIRON).aws
    assert plan is not None
    groups = [
        dataclasses.replace(
            group,
            nodes=nodes,
            quota=dataclasses.replace(group.quota, vcpu=192 * nodes) if group.quota else None,
            capacity=dataclasses.replace(group.capacity, reservation=reservation),
        )
        if group.pool == "p5"
        else group
        for group in plan.groups
    ]
    return dataclasses.replace(plan, groups=tuple(groups))


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text(name)
    cluster = {"server": "https://192.0.2.1:6443", "certificate-authority": str(tmp_path / "ca")}
    user = {"client-certificate": str(tmp_path / "cert"), "client-key": str(tmp_path / "key")}
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump({"clusters": [{"cluster": cluster}], "users": [{"user": user}]}))
    return file


def reservations(world: World) -> dict[str, int]:
    return {thing.id: thing.inputs["instanceCount"] for thing in world.all(RESERVATION)}


def test_each_reservation_has_room_for_twice_its_nodes(kubeconfig: Path, tmp_path: Path) -> None:
    world = ground.lay([prod(4, P5)], kubeconfig, tmp_path / "world")
    assert reservations(world) == {P5: 8, P5EN: 4, SPARE: 2}
    assert world.ground.quotas["L-417A185B"] == 2 * (4 + 2) * 192


@pytest.mark.parametrize(("before", "after"), [(8, 1), (1, 8)], ids=["shrinks", "grows"])
def test_two_plans_find_what_each_of_them_needs(kubeconfig: Path, tmp_path: Path, before: int, after: int) -> None:
    world = ground.lay([prod(before, P5), prod(after, P5)], kubeconfig, tmp_path / "world")
    assert reservations(world) == {P5: 16, P5EN: 4, SPARE: 2}
    assert world.ground.quotas["L-417A185B"] == 2 * (8 + 2) * 192


def test_a_reservation_that_only_one_plan_names_is_there(kubeconfig: Path, tmp_path: Path) -> None:
    world = ground.lay([prod(4, P5), prod(4, "cr-0123456789abcdef0")], kubeconfig, tmp_path / "world")
    assert reservations(world) == {P5: 8, "cr-0123456789abcdef0": 8, P5EN: 4, SPARE: 2}
