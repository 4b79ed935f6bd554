"""Managed node groups: one a pool, every field decided."""

from muster import networks
from muster.catalog import InstanceType
from muster.catalog.services import Services
from muster.plan.aws import capacity, nics
from muster.plan.aws.parts import GroupPlan, NetworkPlan
from muster.plan.inputs import Inputs
from muster.plan.notes import Notes
from muster.plan.parts import POOL_LABEL, PoolPlan
from muster.problems import one_of
from muster.settings import AwsCluster, Pool

FAMILY_LABEL = "muster.dev/instance-family"
SYSTEM_NODES = 2
"""Untainted nodes that CoreDNS and the controllers need, so that one may be replaced."""


def make(name: str, made: PoolPlan, kind: InstanceType, cluster: AwsCluster, inputs: Inputs) -> GroupPlan:
    """The node group of a pool; what can't be is noted."""
    key, pool, services, notes = f"pools.{name}", inputs.settings.pools[name], inputs.services, inputs.notes
    _check_type(key, pool, kind, cluster, inputs)
    found = capacity.make(key, pool, kind, notes, protect=cluster.protect, now=inputs.now)
    efa = made.efa
    if pool.zone is None and (efa or found.mode in ("reservation", "capacity-block")):
        why = "EFA does not leave a zone" if efa else f"a {found.mode} is in a single zone"
        notes.phrase(f"{key}.zone", "no zone", f"the id of one: {why}")
    ami = pool.ami.type or ("al2023-nvidia" if kind.gpus else "al2023")
    family = services.amis[ami]
    if family.gpu != bool(kind.gpus):
        fitting = one_of(name for name, row in services.amis.items() if row.gpu == bool(kind.gpus))
        notes.problem(f"{key}.ami.type", ami, f"{fitting}: {kind.name} has {'GPUs' if kind.gpus else 'no GPU'}")
    layout = nics.layout(kind, efa=bool(efa))
    price = inputs.catalog.price(kind.name, cluster.region)
    pods = nics.max_pods(kind, layout)
    each = 1 + min(pods, services.minimum_addresses + services.warm_addresses)
    return GroupPlan(
        pool=name,
        type=kind,
        nodes=pool.nodes,
        zones=(pool.zone,) if pool.zone else tuple(sorted(cluster.zones)),
        capacity=found,
        ami=ami,
        ami_eks=family.arm if kind.architecture == "arm64" else family.eks,
        release=_release(key, pool, cluster, ami, inputs),
        version=cluster.kubernetes_version,
        disk_gib=pool.disk_gi_b,
        nics=layout,
        efa=efa,
        max_pods=pods,
        addresses=pool.nodes * each,
        interfaces=pool.nodes * max(1, len(layout)),
        labels={POOL_LABEL: name, FAMILY_LABEL: kind.family},
        taints=made.taints,
        repair=pool.repair,
        interrupt=pool.interrupt_jobs,
        quota=capacity.quota(kind, found, pool.nodes, services),
        hourly=pool.nodes * price.usd_per_hour if price else None,
        price_region=price.region if price else None,
    )


def _check_type(key: str, pool: Pool, kind: InstanceType, cluster: AwsCluster, inputs: Inputs) -> None:
    """Note what can't be of a type by itself: no driver for it, no EFA on it, not in the zone."""
    catalog, region, notes = inputs.catalog, cluster.region, inputs.notes
    if kind.refused:
        notes.problem(f"{key}.instanceType", kind.name, f"another type: {kind.refused}")
    if pool.efa and not kind.efa_interfaces:
        siblings = [other for other in catalog.types.values() if other.family == kind.family and other.efa_interfaces]
        smallest = min(siblings, key=lambda other: (other.vcpu, other.name), default=None)
        expected = f"false, or {smallest.name}, the smallest {kind.family} with EFA" if smallest else "false"
        notes.phrase(f"{key}.efa", f"true on {kind.name}, which has none", expected)
    known = catalog.offerings.get(region, {})
    if pool.zone is not None and known and kind.name not in known.get(pool.zone, ()):
        sold = sorted(zone for zone, types in known.items() if kind.name in types)
        where = (
            f"known zones with {kind.name}: {', '.join(sold)}" if sold else f"no zone of {region} is known to have it"
        )
        notes.warning(f"{key}.zone", f"{pool.zone} is not known to have {kind.name}; {where} (data of {catalog.date})")


def check_together(groups: tuple[GroupPlan, ...], network: NetworkPlan, services: Services, notes: Notes) -> None:
    """Note what can't be of all node groups together: addresses, interfaces, system nodes, one device plugin."""
    for subnet in network.subnets:
        drawn = [group for group in groups if subnet.zone in group.zones]
        needed = sum(-(-group.addresses // len(group.zones)) for group in drawn)
        if needed > networks.usable(subnet.cidr):
            pools = ", ".join(group.pool for group in drawn)
            expected = f"at most {networks.usable(subnet.cidr)}, what {subnet.cidr} in {subnet.zone} has"
            notes.phrase("cluster.network", f"{needed} addresses for the nodes of {pools}", expected)
    interfaces = sum(group.interfaces for group in groups)
    if interfaces > services.interfaces_warn:
        notes.warning(
            "pools", f"{interfaces} network interfaces; a region's quota is {services.interfaces_quota} unless raised"
        )
    system = sum(group.nodes for group in groups if not group.taints)
    if system < SYSTEM_NODES:
        expected = f"at least {SYSTEM_NODES} without taints or GPUs, for CoreDNS and the controllers"
        notes.phrase("pools", f"{system or 'no'} node{'' if system == 1 else 's'} without taints", expected)
    families = sorted({group.ami for group in groups if group.type.gpus})
    if len({services.amis[name].device_plugin for name in families}) > 1:
        notes.phrase(
            "pools", f"GPU pools on {' and '.join(families)}", "one of them: only one brings its own device plugin"
        )


def _release(key: str, pool: Pool, cluster: AwsCluster, ami: str, inputs: Inputs) -> str:
    """The pinned release of the node image; empty for Bottlerocket without one, whose releases count differently."""
    services, notes = inputs.services, inputs.notes
    release = pool.ami.release
    if release is None:
        if cluster.protect:
            notes.phrase(f"{key}.ami.release", "nothing", "a release such as 1.35.4-20261023: cluster.protect is on")
        return services.releases.get(cluster.kubernetes_version, "") if ami.startswith("al2023") else ""
    day = release.rpartition("-")[2]
    if day in services.bad_releases:
        bad = services.bad_releases[day]
        notes.problem(f"{key}.ami.release", release, f"another release: {bad.why} ({bad.source})")
    minor = ".".join(release.split(".")[:2])
    if ami.startswith("al2023") and minor != cluster.kubernetes_version:
        expected = f"a release of {cluster.kubernetes_version}, the cluster's version"
        notes.problem(f"{key}.ami.release", release, expected)
    return release
