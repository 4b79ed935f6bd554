"""Facts about instance types, with their source and date."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

FALLBACK_REGION = "us-east-1"


@dataclass(frozen=True)
class InstanceType:
    """What one machine of a type has.

    `gpu_memory_gib` is that of each GPU, `efa_interfaces` the most EFA interfaces, `network_cards` the most interfaces
    of each card by its index, `network_gbps` the peak of all cards, `usage` how AWS sells it. `nccl_floor` is the
    all_reduce bus bandwidth in GB/s at 1 GiB over two nodes below which something is wrong; `refused` says why a type
    can't be used yet.
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
    """On-demand price of a machine with Linux, USD an hour; `region` is where it holds, perhaps not where it was asked for."""

    usd_per_hour: float
    region: str
    date: str


@dataclass(frozen=True)
class Prices:
    """On-demand prices, USD an hour, by region and type."""

    source: str
    date: str
    hourly: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Catalog:
    """Instance types by name; `source` and `date` say where the facts come from and of which day they are.

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
                return Price(usd, where, self.prices.date)
        return None


def parse(
    document: Mapping[str, Any], by_hand: Mapping[str, Any], offerings: Mapping[str, Any], prices: Mapping[str, Any]
) -> Catalog:
    """A catalog from its JSON documents. Raises KeyError or TypeError where a fact is missing or unknown."""
    hand = by_hand["types"]
    types = {
        name: InstanceType(
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
            network_gbps=hand.get(name, {}).get("networkGbps", facts["networkGbps"]),
            nvme_disks=facts["nvmeDisks"],
            nvme_gb=facts["nvmeGB"],
            usage=tuple(facts["usage"]),
            architecture=facts["architecture"],
            nvswitch=hand.get(name, {}).get("nvswitch", False),
            nccl_floor=hand.get(name, {}).get("ncclFloor"),
            refused=hand.get(name, {}).get("refused"),
        )
        for name, facts in document["types"].items()
    }
    return Catalog(
        source=document["source"],
        date=document["date"],
        types=types,
        offerings={
            region: {zone: frozenset(names) for zone, names in zones.items()}
            for region, zones in offerings["regions"].items()
        },
        prices=Prices(prices["source"], prices["date"], prices["hourly"]),
    )


def load() -> Catalog:
    """The catalog that is part of this package."""
    folder = resources.files(__name__)
    documents = ("instances.json", "by_hand.json", "offerings.json", "prices.json")
    return parse(*(json.loads(folder.joinpath(name).read_text("utf-8")) for name in documents))
