"""Network interfaces of launch templates: the documented rules for every type, exact tables for the big ones."""

import gzip
import json
from collections import Counter
from functools import cache
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from muster import catalog
from muster.catalog import InstanceType
from muster.plan.aws import nics
from muster.plan.aws.parts import Nic

TYPES = catalog.load().types
WITH_EFA = sorted(name for name, kind in TYPES.items() if kind.efa_interfaces)


def row(first_fabric: int, last_fabric: int) -> list[tuple[int, int, str]]:
    """One interface with an address on card 0, and one for EFA alone on each card of a range."""
    fabric = [(card, 1 if card == 0 else 0, "efa-only") for card in range(first_fabric, last_fabric + 1)]
    return [(0, 0, "interface"), *fabric]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("p4d.24xlarge", row(0, 3)),
        ("p4de.24xlarge", row(0, 3)),
        ("p5.48xlarge", row(0, 31)),
        ("p5e.48xlarge", row(0, 31)),
        ("p5en.48xlarge", row(0, 15)),
        ("p6-b200.48xlarge", row(0, 7)),
        ("p6-b300.48xlarge", row(1, 16)),
        ("g6e.48xlarge", row(0, 3)),
    ],
)
def test_the_big_ones(name: str, expected: list[tuple[int, int, str]]) -> None:
    assert [(nic.card, nic.device, nic.kind) for nic in nics.layout(TYPES[name], efa=True)] == expected


@pytest.mark.parametrize("name", WITH_EFA)
def test_no_documented_rule_is_broken(name: str) -> None:
    kind = TYPES[name]
    check(kind, nics.layout(kind, efa=True))


def check(kind: InstanceType, layout: tuple[Nic, ...]) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-acc-inst-types.html."""
    assert (layout[0].card, layout[0].device, layout[0].kind) == (0, 0, "interface")
    assert len({(nic.card, nic.device) for nic in layout}) == len(layout)
    assert all(nic.device < kind.network_cards[nic.card] for nic in layout)
    assert all(count <= kind.network_cards[card] for card, count in Counter(nic.card for nic in layout).items())
    fabric = [nic.card for nic in layout if nic.kind == "efa-only"]
    assert len(fabric) == len(set(fabric)) == kind.efa_interfaces
    assert sum(nic.kind == "interface" for nic in layout) == 1


@cache
def cards(name: str) -> list[dict[str, Any]]:
    """Network cards of a type as DescribeInstanceTypes tells them."""
    file = resources.files("moto") / "ec2/resources/instance_types.json.gz"
    found: list[dict[str, Any]] = json.loads(gzip.decompress(file.read_bytes()))[name]["NetworkInfo"]["NetworkCards"]
    return found


@pytest.mark.parametrize("name", WITH_EFA)
def test_every_card_takes_its_kind_of_interface(name: str) -> None:
    allowed = {card["NetworkCardIndex"]: card["InterfaceTypes"] for card in cards(name)}
    for nic in nics.layout(TYPES[name], efa=True):
        assert nic.kind in allowed[nic.card], nic


@given(st.integers(1, 40), st.integers(2, 15), st.booleans())
def test_types_that_may_come(fabric: int, per_card: int, spare: bool) -> None:
    kind = made_up([per_card] * (fabric + spare), fabric)
    check(kind, nics.layout(kind, efa=True))


def made_up(network_cards: list[int], efa: int) -> InstanceType:
    return InstanceType(
        name="x1.huge",
        vcpu=192,
        memory_gib=2048,
        gpus=8,
        gpu_model="X",
        gpu_memory_gib=80,
        efa_interfaces=efa,
        network_cards=tuple(network_cards),
        interfaces=sum(network_cards),
        ipv4_per_interface=50,
        network_gbps=100.0,
        nvme_disks=0,
        nvme_gb=0,
        usage=("on-demand",),
        architecture="x86_64",
    )


@pytest.mark.parametrize("name", ["m7i.xlarge", "g6e.xlarge", "g5.4xlarge"])
def test_without_efa_the_template_lists_no_interface(name: str) -> None:
    assert nics.layout(TYPES[name], efa=True) == ()
    assert nics.layout(TYPES["p5.48xlarge"], efa=False) == ()


@pytest.mark.parametrize(
    ("name", "pods"), [("p5.48xlarge", 51), ("p6-b200.48xlarge", 149), ("p4d.24xlarge", 250), ("m7i.xlarge", 58)]
)
def test_pods_have_the_addresses_that_efa_leaves_on_card_0(name: str, pods: int) -> None:
    assert nics.max_pods(TYPES[name], nics.layout(TYPES[name], efa=True)) == pods
