"""The network: one private subnet a zone, placed so that adding a zone moves none of the others."""

from ipaddress import IPv4Network

from muster import networks
from muster.plan.aws.parts import NetworkPlan, SubnetPlan
from muster.plan.notes import Notes
from muster.settings import AwsCluster, GivenNetwork, OwnNetwork

SMALLEST, LARGEST = 20, 16
"""Prefix lengths of a VPC of our own: AWS takes 28 to 16, but a gang's zone wants at least a /23.

https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
"""
SLOTS = 3
"""Bits of the prefix that number the private subnets: slot 0 is for the public ones, slot N for zone azN."""
NODE_SERVICES = ("ecr.api", "ecr.dkr", "sts", "ec2", "logs", "eks", "eks-auth", "autoscaling")
"""Services that nodes call: https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html"""
SERVICE_CIDR = "172.20.0.0/16"
"""Addresses of Kubernetes Services, outside 10.0.0.0/8: https://docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html"""
CONTROL_PLANE_ADDRESSES = 16
"""https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html recommends so many in each cluster subnet."""


def make(cluster: AwsCluster, pool_zones: frozenset[str], notes: Notes) -> NetworkPlan:
    """The network for the cluster's zones and those of its pools and file systems; mistakes are noted."""
    zones = tuple(sorted({*cluster.zones, *pool_zones}))
    match cluster.network:
        case GivenNetwork() as given:
            return _given(given, cluster, zones, notes)
        case OwnNetwork() as own:
            return _own(own, cluster, zones, notes)


def number(zone: str) -> int:
    """The N of a zone id that ends in azN."""
    return int(zone.rpartition("az")[2])


def _own(own: OwnNetwork, cluster: AwsCluster, zones: tuple[str, ...], notes: Notes) -> NetworkPlan:
    key = "cluster.network"
    network = IPv4Network(own.cidr)
    if not LARGEST <= network.prefixlen <= SMALLEST:
        notes.problem(f"{key}.cidr", own.cidr, f"a prefix of {LARGEST} to {SMALLEST} bits")
        return NetworkPlan(None, own.cidr, (), (), ())
    if not network.is_private:
        notes.problem(f"{key}.cidr", own.cidr, "private addresses, such as 10.0.0.0/16")
    if network.overlaps(IPv4Network(SERVICE_CIDR)):
        notes.problem(f"{key}.cidr", own.cidr, f"a network apart from {SERVICE_CIDR}, the addresses of Services")
    outside = [zone for zone in zones if number(zone) >= 1 << SLOTS]
    if outside:
        notes.phrase(key, f"zone {outside[0]}", f"zones az1 to az{(1 << SLOTS) - 1}: a VPC of our own has no more room")
        return NetworkPlan(None, own.cidr, (), (), ())
    nat_zones = {"none": (), "one": (min(cluster.zones),), "per-zone": zones}[own.nat]
    prefix = network.prefixlen
    subnets = tuple(
        SubnetPlan(
            zone,
            networks.part(own.cidr, prefix + SLOTS, number(zone)),
            public=networks.part(own.cidr, prefix + 8, number(zone)) if zone in nat_zones else None,
        )
        for zone in zones
    )
    services = NODE_SERVICES if own.endpoints or own.nat == "none" else ()
    if own.nat == "none":
        notes.warning(
            f"{key}.nat", "without NAT no image comes from a public registry: platform.mirror must hold every one"
        )
    return NetworkPlan(None, own.cidr, subnets, nat_zones, services)


def _given(given: GivenNetwork, cluster: AwsCluster, zones: tuple[str, ...], notes: Notes) -> NetworkPlan:
    key = "cluster.network.subnets"
    missing = [zone for zone in zones if zone not in given.subnets]
    for zone in missing:
        notes.phrase(key, f"no subnet in {zone}", "one for each zone of the cluster, its pools and file systems")
    ranges = sorted(given.subnets.items())
    for index, (zone, subnet) in enumerate(ranges):
        for other_zone, other in ranges[:index]:
            if IPv4Network(subnet.cidr).overlaps(IPv4Network(other.cidr)):
                notes.problem(f"{key}.{zone}.cidr", subnet.cidr, f"addresses apart from {other.cidr} of {other_zone}")
            if subnet.id == other.id:
                notes.problem(f"{key}.{zone}.id", subnet.id, f"a subnet of its own: that is the one of {other_zone}")
        if IPv4Network(subnet.cidr).overlaps(IPv4Network(SERVICE_CIDR)):
            notes.problem(f"{key}.{zone}.cidr", subnet.cidr, f"addresses apart from {SERVICE_CIDR}, those of Services")
        if zone in cluster.zones and networks.usable(subnet.cidr) < CONTROL_PLANE_ADDRESSES:
            expected = f"room for {CONTROL_PLANE_ADDRESSES} addresses of the control plane"
            notes.problem(f"{key}.{zone}.cidr", subnet.cidr, expected)
    subnets = tuple(
        SubnetPlan(zone, given.subnets[zone].cidr, id=given.subnets[zone].id) for zone in zones if zone not in missing
    )
    return NetworkPlan(given.vpc, None, subnets, (), ())
