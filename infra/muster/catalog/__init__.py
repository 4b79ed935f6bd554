"""Facts about instance types, with their source and date: `make catalog` writes all but by_hand.json again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

FALLBACK_REGION = "us-east-1"
"""Whose price is told where that of another region is not known."""


@dataclass(frozen=True)
class InstanceType:
    """What one machine of a type has, as EC2 says: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceTypeInfo.html.

    `memory_gib` is main memory, `gpu_memory_gib` that of each GPU, `gpu_model` NVIDIA's name of it or empty.
    `efa_interfaces` is the most EFA interfaces, `network_cards` the most interfaces of each card by its index,
    `interfaces` the most of all cards, `ipv4_per_interface` the most addresses of one, `network_gbps` the peak of all
    cards, the primary one included. `nvme_gb` is what all of `nvme_disks` hold, in 10^9 bytes. `usage` is how AWS sells
    it: capacity-block, on-demand, spot. `architecture` is x86_64 or arm64.

    by_hand.json adds with a source for each what EC2 doesn't say. `nvswitch`: every GPU reaches every other at full
    speed. `nccl_floor`: all_reduce bus bandwidth in GB/s at 1 GiB over two nodes, below which something is wrong.
    `refused`: why a type can't be used yet.
    """

    name: str
    vcpu: int
    memory_gib: int
    gpus: int
    gpu_model: str
    gpu_memory_gib: float
    efa_interfaces: int
    network_cards: tuple[int, ...]
    interfaces: int
    ipv4_per_interface: int
    network_gbps: float
    nvme_disks: int
    nvme_gb: int
    usage: tuple[str, ...]
    architecture: str
    nvswitch: bool = False
    nccl_floor: int | None = None
    refused: str | None = None

    @property
    def family(self) -> str:
        """The part before the dot: p5 of p5.48xlarge."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Price:
    """On-demand price of a machine with Linux; `region` is where it holds, perhaps not where it was asked for."""

    usd_per_hour: float
    region: str
    date: str


@dataclass(frozen=True)
class Prices:
    """On-demand prices with Linux and shared tenancy, USD an hour, by region and type.

    `dates` is the day of each region's prices, `date` the oldest of them, `source` every source.
    """

    source: str
    date: str
    dates: Mapping[str, str]
    hourly: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Catalog:
    """Instance types by name; `source` and `date` say where the facts come from and of which day the oldest are.

    `offerings` holds the types of each zone id by region, as known: AWS sells more than is recorded here.
    """

    source: str
    date: str
    types: Mapping[str, InstanceType]
    offerings: Mapping[str, Mapping[str, frozenset[str]]]
    prices: Prices

    def price(self, type_name: str, region: str) -> Price | None:
        """Price in the region, else that of us-east-1; None where the type has no on-demand price."""
        for where in (region, FALLBACK_REGION):
            usd = self.prices.hourly.get(where, {}).get(type_name)
            if usd is not None:
                return Price(usd, where, self.prices.dates[where])
        return None


def parse(
    document: Mapping[str, Any], by_hand: Mapping[str, Any], offerings: Mapping[str, Any], prices: Mapping[str, Any]
) -> Catalog:
    """A catalog from its JSON documents. Raises KeyError or TypeError where a fact is missing or unknown."""
    return Catalog(
        source=document["source"],
        date=document["date"],
        types={
            name: _instance_type(name, facts, by_hand["types"].get(name, {}))
            for name, facts in document["types"].items()
        },
        offerings={
            region: {zone: frozenset(names) for zone, names in zones.items()}
            for region, zones in offerings["regions"].items()
        },
        prices=_prices(prices["regions"]),
    )


def load() -> Catalog:
    """The catalog that is part of this package."""
    folder = resources.files(__name__)
    documents = ("instances.json", "by_hand.json", "offerings.json", "prices.json")
    return parse(*(json.loads(folder.joinpath(name).read_text("utf-8")) for name in documents))


def _instance_type(name: str, facts: Mapping[str, Any], by_hand: Mapping[str, Any]) -> InstanceType:
    return InstanceType(
        name=name,
        vcpu=facts["vcpu"],
        memory_gib=facts["memoryGiB"],
        gpus=facts["gpus"],
        gpu_model=facts["gpuModel"],
        gpu_memory_gib=facts["gpuMemoryGiB"],
        efa_interfaces=facts["efaInterfaces"],
        network_cards=tuple(facts["networkCards"]),
        interfaces=facts["interfaces"],
        ipv4_per_interface=facts["ipv4PerInterface"],
        network_gbps=by_hand.get("networkGbps", facts["networkGbps"]),
        nvme_disks=facts["nvmeDisks"],
        nvme_gb=facts["nvmeGB"],
        usage=tuple(facts["usage"]),
        architecture=facts["architecture"],
        nvswitch=by_hand.get("nvswitch", False),
        nccl_floor=by_hand.get("ncclFloor"),
        refused=by_hand.get("refused"),
    )


def _prices(regions: Mapping[str, Mapping[str, Any]]) -> Prices:
    dates = {region: known["date"] for region, known in regions.items()}
    return Prices(
        source="; ".join(dict.fromkeys(known["source"] for known in regions.values())),
        date=min(dates.values()),
        dates=dates,
        hourly={region: known["hourly"] for region, known in regions.items()},
    )
