"""The EKS cluster: its version, who may reach it, its add-ons."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from muster.catalog.services import Services
from muster.plan.aws.parts import STACK_TAG, AddonPlan, EksPlan
from muster.plan.inputs import Inputs
from muster.plan.notes import Notes
from muster.problems import hint, one_of
from muster.settings import S3, AwsCluster, FsxLustre, Settings
from muster.settings.aws import LOG_DAYS

WARN_DAYS = 90
EVERYWHERE = "0.0.0.0/0"
TOLERATE_ALL: Mapping[str, Any] = {"node": {"tolerateAllTaints": True}}
DIRECTIONS = {
    **{name: name[0] for name in ("central", "east", "north", "south", "west")},
    **{name: name[0] + name[5] for name in ("northeast", "northwest", "southeast", "southwest")},
    "gov-east": "ge",
    "gov-west": "gw",
}
"""Middle parts of regions' names as zone ids have them."""


def make(stack: str, cluster: AwsCluster, inputs: Inputs) -> EksPlan:
    """The control plane as it will be; what can't be is noted."""
    key, settings, services, now, notes = "cluster", inputs.settings, inputs.services, inputs.now, inputs.notes
    _version(cluster, services, now, notes)
    refused = [zone for zone in cluster.zones if zone in services.refused_zones]
    for zone in refused:
        notes.problem(f"{key}.zones", zone, "another zone: EKS puts no control plane there")
    if len(set(cluster.zones)) < len(cluster.zones):
        notes.problem(f"{key}.zones", list(cluster.zones), "each zone once")
    _zones_of_region(cluster, settings, notes)
    for admin in cluster.access.admins:
        _principal(f"{key}.access.admins", admin, cluster, notes)
    for reader in cluster.access.readers:
        _principal(f"{key}.access.readers", reader, cluster, notes)
        if reader in cluster.access.admins:
            notes.problem(f"{key}.access.readers", reader, "one that is not among access.admins: it has one entry")
    if EVERYWHERE in cluster.access.public_cidrs:
        notes.problem(f"{key}.access.publicCidrs", EVERYWHERE, "the networks that need it, not everyone")
    if not cluster.access.public_cidrs:
        notes.warning(
            f"{key}.access.publicCidrs",
            "the API server answers within the VPC alone: Pulumi must run there, or behind a VPN into it",
        )
    if cluster.log_retention_days not in LOG_DAYS:
        notes.problem(f"{key}.logRetentionDays", cluster.log_retention_days, f"one of {', '.join(map(str, LOG_DAYS))}")
    return EksPlan(
        name=cluster.name or f"muster-{stack}",
        account=cluster.account,
        region=cluster.region,
        partition=cluster.access.admins[0].split(":")[1],
        version=cluster.kubernetes_version,
        zones=tuple(sorted(set(cluster.zones))),
        admins=cluster.access.admins,
        readers=cluster.access.readers,
        public_cidrs=tuple(sorted(cluster.access.public_cidrs)),
        support="EXTENDED" if cluster.support == "extended" else "STANDARD",
        protect=cluster.protect,
        log_retention_days=cluster.log_retention_days,
        kms_key=cluster.kms_key,
        addons=_addons(cluster, settings, services, notes),
        tags={**cluster.tags, STACK_TAG: stack},
    )


def _version(cluster: AwsCluster, services: Services, now: datetime, notes: Notes) -> None:
    key, version = "cluster.kubernetesVersion", cluster.kubernetes_version
    support = services.support.get(version)
    if support is None or version not in services.platform:
        notes.problem(key, version, one_of(services.platform) + ", what the locked set of versions was made for")
        return
    today = now.date()
    if today > support.extended_until or (today > support.standard_until and cluster.support == "standard"):
        notes.problem(
            key, version, f"a newer version, or support: extended: its support ended on {support.standard_until}"
        )
        return
    days = (support.standard_until - today).days
    if days < 0:
        rate = services.prices.control_plane["extended"]
        notes.warning(key, f"{version} is in extended support at ${rate:.2f} an hour until {support.extended_until}")
    elif days < WARN_DAYS:
        then = "AWS upgrades the control plane then" if cluster.support == "standard" else "extended support costs more"
        notes.warning(key, f"standard support of {version} ends in {days} days, on {support.standard_until}: {then}")


def _zones_of_region(cluster: AwsCluster, settings: Settings, notes: Notes) -> None:
    prefix = zone_prefix(cluster.region)
    if prefix is None:
        return
    named = {f"cluster.zones[{index}]": zone for index, zone in enumerate(cluster.zones)}
    named |= {f"pools.{name}.zone": pool.zone for name, pool in settings.pools.items() if pool.zone}
    named |= {
        f"storage.{name}.zone": storage.zone
        for name, storage in settings.storage.items()
        if isinstance(storage, FsxLustre)
    }
    for key, zone in named.items():
        if not zone.startswith(f"{prefix}-az"):
            notes.problem(key, zone, f"a zone of {cluster.region}, such as {prefix}-az1")


def zone_prefix(region: str) -> str | None:
    """What the zone ids of a region begin with: usw2 of us-west-2, apne1 of ap-northeast-1; None for unknown regions.

    https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-availability-zones.html
    """
    area, *middle, number = region.split("-")
    short = DIRECTIONS.get("-".join(middle))
    return f"{area}{short}{number}" if short else None


def _principal(key: str, principal: str, cluster: AwsCluster, notes: Notes) -> None:
    parts = principal.split(":", 5)
    if len(parts) < 6 or parts[2] != "iam" or not parts[5].startswith(("role/", "user/")):  # noqa: PLR2004 - an ARN's parts
        role = parts[5].split("/")[1] if len(parts) == 6 and parts[5].startswith("assumed-role/") else "NAME"  # noqa: PLR2004
        notes.problem(key, principal, f"the role or user itself, such as arn:aws:iam::{cluster.account}:role/{role}")
    elif parts[4] != cluster.account:
        notes.warning(key, f"{principal} is of another account than {cluster.account}")


def _addons(cluster: AwsCluster, settings: Settings, services: Services, notes: Notes) -> tuple[AddonPlan, ...]:
    """Add-ons in the order of their creation; network first, what needs running nodes last.

    https://docs.aws.amazon.com/eks/latest/userguide/workloads-add-ons-available-eks.html
    """
    # Without these the plugin keeps a whole spare interface ready, 50 addresses of a p5's zone.
    addresses = {
        "env": {
            "WARM_IP_TARGET": str(services.warm_addresses),
            "MINIMUM_IP_TARGET": str(services.minimum_addresses),
        }
    }
    kinds = {type(storage) for storage in settings.storage.values()}
    made = [
        AddonPlan("vpc-cni", True, addresses, "aws-node", "AmazonEKS_CNI_Policy"),
        AddonPlan("kube-proxy", True),
        AddonPlan("eks-pod-identity-agent", True),
        AddonPlan("coredns", False),
        AddonPlan(
            "aws-ebs-csi-driver",
            False,
            TOLERATE_ALL,
            "ebs-csi-controller-sa",
            "service-role/AmazonEBSCSIDriverPolicy",
        ),
        AddonPlan("eks-node-monitoring-agent", False),
    ]
    if FsxLustre in kinds:
        made.append(
            AddonPlan("aws-fsx-csi-driver", False, TOLERATE_ALL, "fsx-csi-controller-sa", "AmazonFSxFullAccess")
        )
    if S3 in kinds:
        made.append(AddonPlan("aws-mountpoint-s3-csi-driver", False, TOLERATE_ALL, "s3-csi-driver-sa"))
    names = [addon.name for addon in made]
    for name in cluster.addons:
        if name not in names:
            notes.phrase(f"cluster.addons.{name}", "no add-on of this stack", one_of(names) + hint(name, names))
    return tuple(replace(addon, version=cluster.addons.get(addon.name)) for addon in made)
