"""What AWS refuses, one function a row of the table `refusals` in rules.yaml; each answers with the reason, or None."""

import base64
import email
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from muster import catalog, networks
from muster.catalog import services
from muster.plan.aws.cluster import zone_prefix
from muster.settings.aws import LOG_DAYS

from rehearsal.double.world import Inputs, Thing, World, at, values

CATALOG, SERVICES = catalog.load(), services.load()
EKS, GROUP, TEMPLATE = "aws:eks/cluster:Cluster", "aws:eks/nodeGroup:NodeGroup", "aws:ec2/launchTemplate:LaunchTemplate"
SUBNET, RESERVATION = "aws:ec2/subnet:Subnet", "aws:ec2/capacityReservation:CapacityReservation"
RULE_KINDS = {
    "in": "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "out": "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
}
ADDRESSES_QUOTA = 5
ADDONS_THAT_NEED_NODES = ("coredns", "aws-ebs-csi-driver", "aws-fsx-csi-driver", "metrics-server")
"""They have Deployments, which wait for a node without taints: https://docs.aws.amazon.com/eks/latest/userguide/managing-coredns.html"""
ADDONS = {
    *ADDONS_THAT_NEED_NODES,
    "vpc-cni",
    "kube-proxy",
    "eks-pod-identity-agent",
    "eks-node-monitoring-agent",
    "aws-mountpoint-s3-csi-driver",
    "aws-efs-csi-driver",
}
POLICIES = {
    "AmazonEKSClusterPolicy",
    "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEKS_CNI_Policy",
    "service-role/AmazonEBSCSIDriverPolicy",
    "AmazonFSxFullAccess",
}


@dataclass(frozen=True)
class Case:
    """An operation to judge: the new inputs, and the resource as it is, None on creation."""

    world: World
    kind: str
    inputs: Inputs
    old: Thing | None = None

    def get(self, path: str) -> Any:
        """An input by dotted path."""
        return at(self.inputs, path)

    @property
    def template(self) -> Mapping[str, Any]:
        """Inputs of the launch template that a node group names; empty without one."""
        found = self.world.find(TEMPLATE, str(self.get("launchTemplate.id")))
        return found.inputs if found else {}

    @property
    def type_name(self) -> str:
        """Instance type of a node group, wherever it stands."""
        listed = values(self.inputs, "instanceTypes")
        return str(listed[0] if listed else self.template.get("instanceType") or "t3.medium")

    @property
    def type(self) -> catalog.InstanceType | None:
        """What the catalogue knows of it."""
        return CATALOG.types.get(self.type_name)

    @property
    def size(self) -> int:
        """Nodes that a node group wants."""
        return int(self.get("scalingConfig.desiredSize") or 0)

    @property
    def subnets(self) -> list[Thing]:
        """Subnets that the inputs name."""
        found = (self.world.find(SUBNET, str(id_)) for id_ in values(self.inputs, "subnetIds"))
        return [subnet for subnet in found if subnet is not None]


Check = Callable[[Case], str | None]


def vpc_size(case: Case) -> str | None:
    prefix = ipaddress.IPv4Network(case.get("cidrBlock")).prefixlen
    return None if 16 <= prefix <= 28 else f"The CIDR '{case.get('cidrBlock')}' is invalid."


def subnet_range(case: Case) -> str | None:
    vpc = case.world.find("aws:ec2/vpc:Vpc", case.get("vpcId"))
    if vpc is None:
        return None
    inside = ipaddress.IPv4Network(case.get("cidrBlock")).subnet_of(ipaddress.IPv4Network(vpc.get("cidrBlock")))
    return None if inside else f"The CIDR '{case.get('cidrBlock')}' is invalid."


def subnet_conflict(case: Case) -> str | None:
    own = ipaddress.IPv4Network(case.get("cidrBlock"))
    for other in case.world.all(SUBNET):
        if (
            case.old is None
            and other.get("vpcId") == case.get("vpcId")
            and own.overlaps(ipaddress.IPv4Network(other.get("cidrBlock")))
        ):
            return f"The CIDR '{own}' conflicts with another subnet"
    return None


def zone_exists(case: Case) -> str | None:
    zone, prefix = str(case.get("availabilityZoneId")), zone_prefix(case.world.ground.region)
    return (
        None
        if re.fullmatch(rf"{prefix}-az[1-7]", zone)
        else f"Value ({zone}) for parameter availabilityZoneId is invalid."
    )


def addresses_quota(case: Case) -> str | None:
    used = len(list(case.world.all(case.kind)))
    full = case.old is None and used >= case.world.ground.quotas.get("addresses", ADDRESSES_QUOTA)
    return "The maximum number of addresses has been reached." if full else None


def nat_needs_internet(case: Case) -> str | None:
    subnet = case.world.find(SUBNET, case.get("subnetId"))
    vpc = subnet.get("vpcId") if subnet else None
    gateways = [g for g in case.world.all("aws:ec2/internetGateway:InternetGateway") if g.get("vpcId") == vpc]
    return None if gateways or vpc is None else f"Network {vpc} has no Internet gateway attached"


def endpoint_service(case: Case) -> str | None:
    name, region = str(case.get("serviceName")), case.world.ground.region
    known = ("s3", "ecr.api", "ecr.dkr", "sts", "ec2", "logs", "eks", "eks-auth", "autoscaling", "fsx")
    good = name in {f"com.amazonaws.{region}.{service}" for service in known}
    return None if good else f"The Vpc Endpoint Service '{name}' does not exist"


def template_interfaces_or_groups(case: Case) -> str | None:
    both = case.get("networkInterfaces") and case.get("vpcSecurityGroupIds")
    text = "Network interfaces and an instance-level security groups may not be specified on the same request"
    return text if both else None


def role_name(case: Case) -> str | None:
    name = str(case.get("name"))
    return None if re.fullmatch(r"[\w+=,.@-]{1,64}", name) else f"Member must satisfy constraint on roleName: {name}"


def policy_exists(case: Case) -> str | None:
    arn = str(case.get("policyArn"))
    name = arn.partition(":policy/")[2]
    return None if name in POLICIES else f"Policy {arn} does not exist or is not attachable."


def cluster_version(case: Case) -> str | None:
    version = case.get("version")
    return None if version in SERVICES.support else f"unsupported Kubernetes version {version}"


def cluster_version_step(case: Case) -> str | None:
    if case.old is None or case.old.get("version") == case.get("version"):
        return None
    old, new = _minor(case.old.get("version")), _minor(case.get("version"))
    if new != old + 1:
        return f"Unsupported Kubernetes minor version update from {case.old.get('version')} to {case.get('version')}"
    return None


def cluster_zones(case: Case) -> str | None:
    zones = {s.get("availabilityZoneId") for s in _subnets(case, "vpcConfig.subnetIds")}
    refused = sorted(zones & set(SERVICES.refused_zones))
    if refused:
        return f"Cannot create cluster because {refused[0]} does not currently have sufficient capacity"
    return None if len(zones) > 1 else "Subnets specified must be in at least two different AZs"


def cluster_endpoint(case: Case) -> str | None:
    private, public = case.get("vpcConfig.endpointPrivateAccess"), case.get("vpcConfig.endpointPublicAccess")
    if private is False and public is False:
        return "Private and public endpoint access cannot be false"
    if public is False and case.get("vpcConfig.publicAccessCidrs"):
        return "publicAccessCidrs cannot be specified when public access is disabled"
    return None


def cluster_role_trust(case: Case) -> str | None:
    role = case.world.by("aws:iam/role:Role", "arn", case.get("roleArn"))
    trusted = role is not None and "eks.amazonaws.com" in str(role.get("assumeRolePolicy"))
    arn = case.get("roleArn")
    return None if trusted else f"Role with arn: {arn}, could not be assumed: the trusted entity is not correct"


def cluster_protected(case: Case) -> str | None:
    return "Cluster has deletion protection enabled" if case.get("deletionProtection") else None


def principal(case: Case) -> str | None:
    arn = str(case.get("principalArn"))
    good = re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:(role|user)/.+", arn)
    return None if good else f"The principalArn parameter format is not valid: {arn}"


def association_needs_entry(case: Case) -> str | None:
    id_ = f"{case.get('clusterName')}:{case.get('principalArn')}"
    there = case.world.find("aws:eks/accessEntry:AccessEntry", id_)
    return None if there else f"The specified principalArn could not be found: {case.get('principalArn')}"


def addon_name(case: Case) -> str | None:
    name = case.get("addonName")
    return None if name in ADDONS else f"Addon {name} specified is not supported"


def addon_needs_nodes(case: Case) -> str | None:
    if case.get("addonName") not in ADDONS_THAT_NEED_NODES:
        return None
    for group in case.world.all(GROUP):
        if group.get("clusterName") == case.get("clusterName") and group.status == "ACTIVE":
            blocking = [t for t in values(group.inputs, "taints") if t["effect"] != "PREFER_NO_SCHEDULE"]
            if not blocking and int(group.get("scalingConfig.desiredSize") or 0):
                return None
    return "The add-on is unhealthy because it doesn't have the desired number of replicas."


def addon_configuration(case: Case) -> str | None:
    try:
        json.loads(case.get("configurationValues") or "{}")
    except ValueError:
        return "ConfigurationValue provided in request is not supported: not JSON"
    return None


def group_sizes(case: Case) -> str | None:
    low, want, high = (int(case.get(f"scalingConfig.{key}Size") or 0) for key in ("min", "desired", "max"))
    if low > want:
        return f"Minimum capacity {low} can't be greater than desired size {want}"
    if want > high:
        return f"desired capacity {want} can't be greater than max size {high}"
    return None if high >= 1 else "max size must be at least 1"


def group_type_once(case: Case) -> str | None:
    named, templated = values(case.inputs, "instanceTypes"), case.template.get("instanceType")
    if named and templated:
        return "Cannot specify instance types in launch template and API request"
    if not named and not templated:
        return "no instance type: AWS would start t3.medium"
    return None


def group_disk(case: Case) -> str | None:
    both = case.get("diskSize") and case.template
    return "Disk size must be specified within the launch template." if both else None


def group_template_forbidden(case: Case) -> str | None:
    for key in ("iamInstanceProfile", "instanceInitiatedShutdownBehavior", "hibernationOptions"):
        if case.template.get(key):
            return f"Launch template should not specify {key}"
    if any(nic.get("subnetId") for nic in values(case.template, "networkInterfaces")):
        return "Network interfaces in the launch template should not specify a subnet"
    market = at(case.template, "instanceMarketOptions.marketType")
    return "Launch template should not specify spot options" if market == "spot" else None


def group_image(case: Case) -> str | None:
    image = case.template.get("imageId")
    named = next((key for key in ("amiType", "version", "releaseVersion") if image and case.get(key)), None)
    return f"You cannot specify {named} when the launch template has an image id" if named else None


def group_ami_fits_type(case: Case) -> str | None:
    kind, ami = case.type, str(case.get("amiType"))
    if kind is None:
        return f"[{case.type_name}] is not a valid instance type"
    arm = kind.architecture == "arm64"
    if ("ARM_64" in ami) != arm or ("NVIDIA" in ami) != bool(kind.gpus):
        return f"[{kind.name}] Instance types are not supported for AMI type {ami}"
    return None


def group_version(case: Case) -> str | None:
    cluster = case.world.find(EKS, str(case.get("clusterName")))
    version, release = case.get("version"), case.get("releaseVersion")
    if cluster is not None and version and _minor(version) > _minor(cluster.get("version")):
        return f"Nodegroup Kubernetes version {version} cannot be newer than cluster version {cluster.get('version')}"
    if release and version and not str(release).startswith(f"{version}."):
        return f"Requested release version {release} is not valid for kubernetes version {version}."
    return None


def group_block(case: Case) -> str | None:
    block = at(case.template, "instanceMarketOptions.marketType") == "capacity-block"
    if (case.get("capacityType") == "CAPACITY_BLOCK") != block:
        return "Capacity type CAPACITY_BLOCK and market type capacity-block go together"
    if not block:
        return None
    if not _reservation_id(case) or not case.template.get("instanceType"):
        return "A launch template for Capacity Blocks must name instance type and capacity reservation"
    return None if len(values(case.inputs, "subnetIds")) == 1 else "A Capacity Block needs one subnet, in its zone"


def group_block_change(case: Case) -> str | None:
    if case.old is None or case.get("capacityType") != "CAPACITY_BLOCK":
        return None
    changed = case.old.get("launchTemplate") != case.get("launchTemplate")
    nodes = int(case.old.get("scalingConfig.desiredSize") or 0)
    return (
        f"Upgrade of the node group is not allowed when the current capacity is {nodes}" if changed and nodes else None
    )


def group_cni(case: Case) -> str | None:
    there = case.world.find("aws:eks/addon:Addon", f"{case.get('clusterName')}:vpc-cni")
    return None if there or not case.size else "Instances failed to join the kubernetes cluster: no network plugin"


def group_interfaces(case: Case) -> str | None:
    nics, kind = values(case.template, "networkInterfaces"), case.type
    if not nics or kind is None:
        return None
    if not any(_place(nic) == (0, 0) for nic in nics):
        return "The primary network interface must be on network card 0, device 0"
    per_card: dict[int, int] = {}
    fabric: dict[int, int] = {}
    for nic in nics:
        card, device = _place(nic)
        if card >= len(kind.network_cards):
            return f"Network card index {card} exceeds the limit for {kind.name}"
        if device >= kind.network_cards[card]:
            return f"maximum devices for this network card is {kind.network_cards[card]}"
        per_card[card] = per_card.get(card, 0) + 1
        if nic.get("interfaceType") in ("efa", "efa-only"):
            fabric[card] = fabric.get(card, 0) + 1
            if nic.get("interfaceType") == "efa-only" and (card, device) == (0, 0):
                return "An EFA-only interface can't be the primary network interface"
            if card < len(kind.network_cards) - kind.efa_interfaces:
                return f"Network card {card} of {kind.name} does not support EFA"
    if len({_place(nic) for nic in nics}) < len(nics):
        return "Each network interface requires a unique device index on its card"
    if any(count > 1 for count in fabric.values()):
        return "You can attach only one EFA per network card"
    if any(count > kind.network_cards[card] for card, count in per_card.items()):
        return f"AttachmentLimitExceeded: too many interfaces for {kind.name}"
    return None


def group_public_address(case: Case) -> str | None:
    nics = values(case.template, "networkInterfaces")
    public = any(nic.get("associatePublicIpAddress") in (True, "true") for nic in nics)
    public = public or any(subnet.get("mapPublicIpOnLaunch") for subnet in case.subnets)
    text = "The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces."
    return text if public and len(nics) > 1 else None


def group_security_groups(case: Case) -> str | None:
    cluster = case.world.find(EKS, str(case.get("clusterName")))
    own = at(cluster.outputs, "vpcConfig.clusterSecurityGroupId") if cluster else None
    nics = values(case.template, "networkInterfaces")
    listed = [values(nic, "securityGroups") for nic in nics] or [values(case.template, "vpcSecurityGroupIds")]
    lost = any(groups and own not in groups for groups in listed)
    return "Instances failed to join the kubernetes cluster" if lost and case.size else None


def group_user_data(case: Case) -> str | None:
    text = base64.b64decode(case.template.get("userData") or "").decode()
    if not text or str(case.get("amiType")).startswith("BOTTLEROCKET"):
        return None
    message = email.message_from_string(text)
    if not message.is_multipart():
        return "User data was not in the MIME multipart format."
    return None


def group_zone(case: Case) -> str | None:
    sold = CATALOG.offerings.get(case.world.ground.region, {})
    for subnet in case.subnets:
        zone = subnet.get("availabilityZoneId")
        if case.type_name not in sold.get(zone, ()):
            return f"Your requested instance type ({case.type_name}) is not supported in the zone {zone}."
    return None


def group_quota(case: Case) -> str | None:
    kind = case.type
    if kind is None or case.get("capacityType") == "CAPACITY_BLOCK":
        return None
    spot = case.get("capacityType") == "SPOT"
    code = _quota_code(kind, spot=spot)
    limit = case.world.ground.quotas.get(code)
    if limit is None:
        return None
    used = 0
    for group in case.world.all(GROUP):
        other = Case(case.world, GROUP, group.inputs)
        if other.type is None or (case.old is not None and group.id == case.old.id):
            continue
        if (
            _quota_code(other.type, spot=other.get("capacityType") == "SPOT") == code
            and other.get("capacityType") != "CAPACITY_BLOCK"
        ):
            used += other.size * other.type.vcpu
    wanted = used + case.size * kind.vcpu
    return (
        f"You have requested more vCPU capacity than your current vCPU limit of {limit:g} allows"
        if wanted > limit
        else None
    )


def group_reservation(case: Case) -> str | None:
    id_ = _reservation_id(case)
    if id_ is None or not case.size:
        return None
    reservation = case.world.find(RESERVATION, id_)
    if reservation is None:
        return f"The capacity reservation '{id_}' does not exist"
    if reservation.get("instanceType") != case.type_name:
        return f"The instance type {case.type_name} does not match the capacity reservation {id_}"
    zones = {subnet.get("availabilityZoneId") for subnet in case.subnets}
    if zones != {reservation.outputs["zoneId"]}:
        return f"The Availability Zone does not match the capacity reservation {id_}"
    count = int(reservation.get("instanceCount"))
    return f"The capacity reservation {id_} has {count} instances" if case.size > count else None


def group_placement(case: Case) -> str | None:
    both = at(case.template, "placement.groupName") and _reservation_id(case)
    return "There is no capacity available that matches your request in the placement group." if both else None


def group_addresses(case: Case) -> str | None:
    for subnet in case.subnets:
        room = networks.usable(subnet.get("cidrBlock"))
        if case.size > room:
            return f"{subnet.id} does not have enough free addresses"
    return None


def lustre_size(case: Case) -> str | None:
    size = int(case.get("storageCapacity") or 0)
    good = size == 1200 or (size > 0 and size % 2400 == 0)
    return None if good else f"The storage capacity {size} is not supported for this deployment type"


def lustre_shrink(case: Case) -> str | None:
    smaller = case.old is not None and int(case.get("storageCapacity")) < int(case.old.get("storageCapacity"))
    return "The new storage capacity must be larger than the current one" if smaller else None


def lustre_ports(case: Case) -> str | None:
    for group in values(case.inputs, "securityGroupIds"):
        for rule in case.world.all(RULE_KINDS["in"]):
            opened = rule.get("securityGroupId") == group and rule.get("referencedSecurityGroupId") == group
            if opened and (rule.get("ipProtocol") == "-1" or int(rule.get("fromPort") or 0) == 988):
                return None
    return "The provided security groups do not permit Lustre LNET network traffic on port 988"


def retention(case: Case) -> str | None:
    return None if int(case.get("retentionInDays") or 1) in LOG_DAYS else "Invalid retention"


def _minor(version: object) -> int:
    return int(str(version).split(".")[1])


def _subnets(case: Case, path: str) -> list[Thing]:
    found = (case.world.find(SUBNET, str(id_)) for id_ in values(case.inputs, path))
    return [subnet for subnet in found if subnet is not None]


def _place(nic: Mapping[str, Any]) -> tuple[int, int]:
    return int(nic.get("networkCardIndex") or 0), int(nic.get("deviceIndex") or 0)


def _reservation_id(case: Case) -> str | None:
    path = "capacityReservationSpecification.capacityReservationTarget.capacityReservationId"
    found = at(case.template, path)
    return str(found) if found else None


def _quota_code(kind: catalog.InstanceType, *, spot: bool) -> str:
    if spot:
        group = next((name for name in SERVICES.spot_quotas if kind.family.startswith(name)), "standard")
        return SERVICES.spot_quotas[group]
    return SERVICES.quotas[kind.family[0] if kind.gpus and kind.family[0] in SERVICES.quotas else "standard"]


CHECKS: Mapping[str, Check] = {
    name.replace("_", "-"): check
    for name, check in globals().items()
    if callable(check) and getattr(check, "__annotations__", {}).get("case") is Case and not name.startswith("_")
}
"""Every check by the name of its row."""
