"""What exists in the double's AWS, and the failures that a rehearsal asks for, outlive a process."""

from pathlib import Path

from rehearsal.double.faults import Fault, Faults
from rehearsal.double.world import Ground, Thing, World, at, values

GROUND = Ground("123456789012", "us-west-2", "https://x", "Q0E=", "/none")


def test_a_world_is_read_again_as_it_was(tmp_path: Path) -> None:
    seed = Thing("vpc", "vpc-1", {"cidrBlock": "10.0.0.0/16"}, {}, seeded=True)
    world = World.begin(tmp_path, GROUND, [seed])
    world.put(Thing("subnet", "subnet-1", {"vpcId": "vpc-1"}, {"arn": "a"}))
    again = World(tmp_path)
    assert again.ground == GROUND
    assert [thing.id for thing in again.own()] == ["subnet-1"]
    assert again.by("subnet", "arn", "a") == again.find("subnet", "subnet-1")
    again.remove(next(again.all("subnet")))
    assert World(tmp_path).own() == []


def test_values_by_path() -> None:
    inputs = {"a": {"b": [{"c": 1}, {"c": 2}]}, "list": ["x", "y"]}
    assert at(inputs, "a.b.c") == 1
    assert at(inputs, "a.x.c") is None
    assert values(inputs, "list") == ["x", "y"]
    assert values(inputs, "nothing") == []


def test_a_fault_happens_so_often_and_so_late_as_asked(tmp_path: Path) -> None:
    Faults(tmp_path).plan(Fault("aws:ec2/*", "create", "RequestLimitExceeded", "slow down", times=2, after=1))
    kinds = ["aws:iam/role:Role", "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:ec2/eip:Eip", "aws:ec2/eip:Eip"]
    seen = [Faults(tmp_path).due(kind, "create") is not None for kind in kinds]
    assert seen == [False, False, True, True, False]
    assert Faults(tmp_path).due("aws:ec2/vpc:Vpc", "delete") is None


def test_without_a_plan_nothing_fails(tmp_path: Path) -> None:
    assert Faults(tmp_path).due("aws:ec2/vpc:Vpc", "create") is None
