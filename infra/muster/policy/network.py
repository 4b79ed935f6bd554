"""Rules of what can be reached from outside, and of the fabric within."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from muster.policy.parts import UNKNOWN, Breach, Context, Resource, hidden, is_on, items, mapping, maps, of_kind

CLUSTER = "aws:eks/cluster:Cluster"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
GROUP_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
SUBNET = "aws:ec2/subnet:Subnet"
LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
SERVICE = "kubernetes:core/v1:Service"
INTERNAL = {
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
}
"""https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/annotations/"""
WORLD_BITS = 8
"""A prefix shorter than this holds most of what there is: 0.0.0.0/0, ::/0, two halves of either, 2000::/3."""
ALL_TRAFFIC = "-1"


def api_server(resource: Resource) -> Iterator[str]:
    """An API server that answers everyone. AWS's own default is public, to 0.0.0.0/0."""
    if resource.kind != CLUSTER or resource.at("vpcConfig") == UNKNOWN:
        return
    if resource.at("vpcConfig.endpointPublicAccess") in (False, UNKNOWN):
        return
    networks = resource.at("vpcConfig.publicAccessCidrs")
    if not networks:
        yield "the API server answers the world, which is what AWS does without publicAccessCidrs"
    yield from (f"the API server answers {network}" for network in items(networks) if _is_world(network))


def open_ingress(resource: Resource) -> Iterator[str]:
    """Security groups that let everyone in."""
    blocks: list[Any] = []
    if resource.kind == INGRESS:
        blocks += [resource.at("cidrIpv4"), resource.at("cidrIpv6")]
    elif resource.kind == GROUP_RULE and resource.at("type") == "ingress":
        blocks += [*items(resource.at("cidrBlocks")), *items(resource.at("ipv6CidrBlocks"))]
    elif resource.kind == GROUP:
        blocks += [
            block
            for rule in maps(resource.at("ingress"))
            for block in (*items(rule.get("cidrBlocks")), *items(rule.get("ipv6CidrBlocks")))
        ]
    yield from (f"traffic from {block} is let in" for block in blocks if _is_world(block))


def public_addresses(resource: Resource) -> Iterator[str]:
    """Machines with an address on the internet."""
    if resource.kind == SUBNET and is_on(resource.at("mapPublicIpOnLaunch")):
        yield "machines in it get a public address"
    if resource.kind == LAUNCH_TEMPLATE and any(
        is_on(interface.get("associatePublicIpAddress")) for interface in maps(resource.at("networkInterfaces"))
    ):
        yield "machines made from it get a public address"


def public_services(resource: Resource) -> Iterator[str]:
    """Load balancers on the internet."""
    if resource.kind != SERVICE or resource.at("spec.type") != "LoadBalancer":
        return
    annotations, ranges = resource.at("metadata.annotations"), resource.at("spec.loadBalancerSourceRanges")
    known = mapping(annotations)
    if UNKNOWN in (annotations, ranges) or any(str(known.get(key)) == value for key, value in INTERNAL.items()):
        return
    if not ranges or any(_is_world(block) for block in items(ranges)):
        yield "a load balancer that anybody can reach"


def fabric_groups(resources: Sequence[Resource], _: Context) -> Iterator[Breach]:
    """Machines with EFA whose security groups don't let all traffic in from, and out to, themselves.

    Before groups have ids, any rule of a group of the stack that refers to a group counts.
    """
    inward = {*_closed_circles(resources, INGRESS)}
    outward = {*_closed_circles(resources, EGRESS)}
    for template in of_kind(resources, LAUNCH_TEMPLATE):
        interfaces = [one for one in maps(template.at("networkInterfaces")) if is_efa(one)]
        groups = [{*_ids(one)} for one in interfaces]
        if any(not _meets(own, inward) or not _meets(own, outward) for own in groups):
            yield template, "an EFA interface has no security group that lets all traffic from and to itself pass"


def is_efa(interface: Mapping[str, Any]) -> bool:
    """Whether an interface of a launch template is one of EFA."""
    return interface.get("interfaceType") in ("efa", "efa-only")


def _closed_circles(resources: Sequence[Resource], kind: str) -> Iterator[str]:
    """Groups with a rule of a kind, for all traffic, that refers to the group itself."""
    for rule in of_kind(resources, kind):
        group, other = rule.at("securityGroupId"), rule.at("referencedSecurityGroupId")
        if rule.at("ipProtocol") not in (ALL_TRAFFIC, UNKNOWN) or None in (group, other):
            continue
        if UNKNOWN in (group, other):
            yield UNKNOWN
        elif group == other:
            yield str(group)


def _ids(interface: Mapping[str, Any]) -> Sequence[str]:
    groups = interface.get("securityGroups")
    found = [groups] if hidden(groups) else items(groups)
    return [UNKNOWN if hidden(group) else str(group) for group in found]


def _meets(own: set[str], known: set[str]) -> bool:
    return bool(own & known) or (bool(known) and UNKNOWN in own | known)


def _is_world(block: object) -> bool:
    try:
        return ipaddress.ip_network(str(block), strict=False).prefixlen < WORLD_BITS
    except ValueError:
        return False
