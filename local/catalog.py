"""The instance catalogue's JSON, from what EC2 says: as moto recorded it, or asked now.

moto carries what DescribeInstanceTypes and DescribeInstanceTypeOfferings answered: https://github.com/getmoto/moto
"""

import gzip
import importlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from local.places import ROOT
from local.problem import Problem

FOLDER = ROOT / "infra" / "muster" / "catalog"
"""Where the files lie."""
GPU_TYPES = re.compile(r"(p4d|p4de|p5|p5e|p5en|p6-b200|p6-b300|g5|g6|g6e|gr6|g7|g7e)\..+")
"""All sizes of the families with whole NVIDIA GPUs that know bf16, on x86_64."""
SYSTEM_TYPES = re.compile(r"(m6i|m7i|c7i|r7i|m7g)\.(large|[248]?xlarge)|t3\.(medium|large)")
"""Types for nodes without GPUs."""
GPU_MODELS = {"RTX PRO Server 6000": "RTX PRO 6000"}
"""EC2's name of a GPU where it isn't NVIDIA's own: https://aws.amazon.com/ec2/instance-types/g7e/"""
DECIMAL = 0.1
"""GiB to which a GPU's memory is told."""
RECORD = ("5.2.5", "2026-10-27")
"""Release of moto and its day: the last on which its record of EC2 can have been made."""
TYPES_SOURCE = (
    "EC2 DescribeInstanceTypes, https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html"
)
OFFERINGS_SOURCE = (
    "EC2 DescribeInstanceTypeOfferings by availability-zone-id, "
    "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypeOfferings.html"
)
PRICES_SOURCE = (
    "AWS Price List GetProducts, "
    "https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html"
)
PRICES_ENDPOINT = "us-east-1"
"""One of the few regions that answer for prices, of all regions: https://docs.aws.amazon.com/general/latest/gr/billing.html"""


class Client(Protocol):
    """What is used of a boto3 client."""

    def get_paginator(self, operation_name: str, /) -> Any:
        """The paginator of an operation."""


def wanted(name: str) -> bool:
    """Whether an instance type belongs into the catalogue."""
    return bool(GPU_TYPES.fullmatch(name) or SYSTEM_TYPES.fullmatch(name))


def recorded() -> dict[str, str]:
    """instances.json and offerings.json as moto's record has them, by name. The record has no prices."""
    release, day = RECORD
    installed = metadata.version("moto")
    if installed != release:
        raise Problem(f"moto {installed} is installed, the day of its record is not known; set RECORD in {__file__}")
    folder = Path(str(metadata.distribution("moto").locate_file("moto/ec2/resources")))
    zones = folder / "instance_type_offerings" / "availability-zone-id"
    offered = {path.name.partition(".")[0]: _zones(_unpacked(path)) for path in sorted(zones.glob("*.json.gz"))}
    found = {"date": day, "types": _types(_unpacked(folder / "instance_types.json.gz").values())}
    return {
        "instances.json": _lines({"source": f"{TYPES_SOURCE}, as recorded in moto {release}", **found}),
        "offerings.json": _lines(
            {"source": f"{OFFERINGS_SOURCE}, as recorded in moto {release}", "date": day, "regions": offered}
        ),
    }


def asked(region: str, today: str, ec2: Client, pricing: Client, folder: Path = FOLDER) -> dict[str, str]:
    """The files of `folder` by name, with what AWS answers about a region in place of what they say about it.

    `ec2` is a client in that region. Types that the region doesn't have, and other regions, stay as they are; so does
    `date`, the day of the oldest facts, while `live` tells which regions were asked, and when.
    """
    instances, offerings, prices = (
        json.loads((folder / name).read_text("utf-8")) for name in ("instances.json", "offerings.json", "prices.json")
    )
    types = _types(_all(ec2, "describe_instance_types", "InstanceTypes"))
    if not types:
        raise Problem(f"EC2 has none of the catalogue's instance types in {region}; name another region")
    instances["types"] = dict(sorted({**instances["types"], **types}.items()))
    sold = _all(ec2, "describe_instance_type_offerings", "InstanceTypeOfferings", LocationType="availability-zone-id")
    offerings["regions"] = dict(sorted({**offerings["regions"], region: _zones(sold)}.items()))
    for document in (instances, offerings):
        document["live"] = dict(sorted({**document.get("live", {}), region: today}.items()))
    hourly = _hourly(region, pricing)
    prices["regions"] = dict(
        sorted({**prices["regions"], region: {"source": PRICES_SOURCE, "date": today, "hourly": hourly}}.items())
    )
    return {
        "instances.json": _lines(instances),
        "offerings.json": _lines(offerings),
        "prices.json": json.dumps(prices, indent=2) + "\n",
    }


@contextmanager
def clients(region: str) -> Iterator[tuple[Client, Client]]:
    """boto3 clients of EC2 in the region and of prices; what AWS refuses while they are used becomes a problem.

    boto3 is imported here alone: it takes a quarter of a second, and every command imports this module.
    """
    boto3 = importlib.import_module("boto3")
    errors = importlib.import_module("botocore.exceptions")
    try:
        yield boto3.client("ec2", region_name=region), boto3.client("pricing", region_name=PRICES_ENDPOINT)
    except (errors.BotoCoreError, errors.ClientError) as error:
        raise Problem(f"AWS can't be asked about {region}: {error}") from error


def write(files: Mapping[str, str], folder: Path = FOLDER) -> list[str]:
    """Write files by name; returns the names of those that changed."""
    changed = [name for name, text in files.items() if (folder / name).read_text("utf-8") != text]
    for name in changed:
        (folder / name).write_text(files[name], "utf-8")
    return changed


def _types(described: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {facts["InstanceType"]: _facts(facts) for facts in described if wanted(facts["InstanceType"])}
    return dict(sorted(found.items()))


def _facts(described: Mapping[str, Any]) -> dict[str, Any]:
    network = described["NetworkInfo"]
    cards = sorted(network["NetworkCards"], key=lambda card: card["NetworkCardIndex"])
    gpus = described.get("GpuInfo", {}).get("Gpus", [])
    storage = described.get("InstanceStorageInfo", {})
    return {
        "vcpu": described["VCpuInfo"]["DefaultVCpus"],
        "memoryGiB": described["MemoryInfo"]["SizeInMiB"] // 1024,
        "gpus": sum(gpu["Count"] for gpu in gpus),
        "gpuModel": GPU_MODELS.get(gpus[0]["Name"], gpus[0]["Name"]) if gpus else "",
        "gpuMemoryGiB": _gib(gpus[0]["MemoryInfo"]["SizeInMiB"]) if gpus else 0,
        "efaInterfaces": network.get("EfaInfo", {}).get("MaximumEfaInterfaces", 0),
        "networkCards": [card["MaximumNetworkInterfaces"] for card in cards],
        "interfaces": network["MaximumNetworkInterfaces"],
        "ipv4PerInterface": network["Ipv4AddressesPerInterface"],
        "networkGbps": sum(card["PeakBandwidthInGbps"] for card in cards),
        "nvmeDisks": sum(disk["Count"] for disk in storage.get("Disks", [])),
        "nvmeGB": storage.get("TotalSizeInGB", 0),
        "usage": sorted(described["SupportedUsageClasses"]),
        "architecture": described["ProcessorInfo"]["SupportedArchitectures"][0],
    }


def _gib(mib: int) -> float:
    """GiB with one decimal, whole where less than that is missing or over: 22.4, but 179 for 179.06."""
    gib = mib / 1024
    return round(gib) if abs(gib - round(gib)) < DECIMAL else round(gib, 1)


def _zones(sold: Iterable[Mapping[str, str]]) -> dict[str, list[str]]:
    pairs = [(offer["Location"], offer["InstanceType"]) for offer in sold if wanted(offer["InstanceType"])]
    return {
        zone: sorted(name for where, name in pairs if where == zone) for zone in sorted({zone for zone, _ in pairs})
    }


def _hourly(region: str, pricing: Client) -> dict[str, float]:
    """On-demand USD an hour by type; one product a type, as attributes of products are chosen."""
    terms = {
        "regionCode": region,
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
    }
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in terms.items()]
    found: dict[str, float] = {}
    for text in _all(pricing, "get_products", "PriceList", ServiceCode="AmazonEC2", Filters=filters):
        product = json.loads(text)
        name = product["product"]["attributes"]["instanceType"]
        for term in product["terms"].get("OnDemand", {}).values():
            for dimension in term["priceDimensions"].values():
                usd = float(dimension["pricePerUnit"]["USD"])
                if wanted(name) and usd > 0:
                    found[name] = usd
    return dict(sorted(found.items()))


def _all(client: Client, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**parameters):
        yield from page[key]


def _unpacked(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))


def _lines(document: Mapping[str, Any]) -> str:
    """JSON with a line for each entry of the maps that hold types or regions, so that a change of one is one line."""
    parts = []
    for key, value in document.items():
        if key in ("types", "regions"):
            rows = ",\n".join(f"    {json.dumps(name)}: {json.dumps(facts)}" for name, facts in value.items())
            parts.append(f"  {json.dumps(key)}: {{\n{rows}\n  }}")
        else:
            parts.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
