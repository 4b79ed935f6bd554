"""Facts about the services of AWS, with their sources: versions, images, quotas, prices, limits."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Any

HOURS_PER_MONTH = 730
"""What AWS reckons a month: https://calculator.aws/#/"""


@dataclass(frozen=True)
class Support:
    """Last days of a Kubernetes version on EKS."""

    standard_until: date
    extended_until: date


@dataclass(frozen=True)
class AmiType:
    """A family of node images. `device_plugin`: it advertises GPUs by itself, so a second plugin must stay away."""

    eks: str
    arm: str
    gpu: bool
    device_plugin: bool


@dataclass(frozen=True)
class BadRelease:
    """A release of node images that is known to be broken."""

    why: str
    source: str


@dataclass(frozen=True)
class ServicePrices:
    """USD: an hour for the control plane, a NAT gateway, an endpoint in a zone; a GiB and month for volumes."""

    control_plane: Mapping[str, float]
    nat_gateway: float
    endpoint: float
    gp3: float
    fsx_lustre: Mapping[int, float]


@dataclass(frozen=True)
class Services:
    """Everything that is known of AWS's services.

    `support` holds the Kubernetes versions of EKS, `platform` those that the locked set was made for, `releases` the
    node image release of each, by date of `bad_releases`. `spot_quotas` and `quotas` are service quota codes in vCPU by
    group of instance types. `pod_addresses` are what the network plugin keeps ready on a node, beyond its own.
    """

    support: Mapping[str, Support]
    platform: tuple[str, ...]
    refused_zones: tuple[str, ...]
    amis: Mapping[str, AmiType]
    releases: Mapping[str, str]
    bad_releases: Mapping[str, BadRelease]
    quotas: Mapping[str, str]
    spot_quotas: Mapping[str, str]
    prices: ServicePrices
    interfaces_warn: int
    interfaces_quota: int
    warm_addresses: int
    minimum_addresses: int


def parse(document: Mapping[str, Any]) -> Services:
    """Facts from their JSON document. Raises KeyError or ValueError where one is missing or malformed."""
    versions, amis, prices, limits = (document[key] for key in ("versions", "amis", "prices", "limits"))
    return Services(
        support={
            name: Support(date.fromisoformat(row["standardUntil"]), date.fromisoformat(row["extendedUntil"]))
            for name, row in versions["support"].items()
        },
        platform=tuple(versions["platform"]),
        refused_zones=tuple(document["clusterZonesRefused"]["zones"]),
        amis={
            name: AmiType(row["eks"], row["arm"], row["gpu"], row["devicePlugin"])
            for name, row in amis["types"].items()
        },
        releases=amis["releases"],
        bad_releases={day: BadRelease(row["why"], row["source"]) for day, row in amis["badReleases"].items()},
        quotas=document["quotas"]["onDemand"],
        spot_quotas=document["quotas"]["spot"],
        prices=ServicePrices(
            control_plane={kind: prices["controlPlane"][kind] for kind in ("standard", "extended")},
            nat_gateway=prices["natGateway"]["hourly"],
            endpoint=prices["endpoint"]["hourlyPerZone"],
            gp3=prices["gp3"]["gibMonth"],
            fsx_lustre={int(rate): usd for rate, usd in prices["fsxLustre"]["gibMonth"].items()},
        ),
        interfaces_warn=limits["interfacesPerRegion"]["warn"],
        interfaces_quota=limits["interfacesPerRegion"]["quota"],
        warm_addresses=limits["podAddresses"]["warm"],
        minimum_addresses=limits["podAddresses"]["minimum"],
    )


def load() -> Services:
    """The facts that are part of this package."""
    return parse(json.loads(resources.files("muster.catalog").joinpath("services.json").read_text("utf-8")))
