"""Rules of machines: their disks, their metadata, their zones and where they come from."""

from collections.abc import Iterator, Sequence

from muster.policy.network import LAUNCH_TEMPLATE, is_efa
from muster.policy.parts import UNKNOWN, Breach, Context, Resource, hidden, is_on, items, mapping, maps, number, of_kind

NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
STORAGE_CLASS = "kubernetes:storage.k8s.io/v1:StorageClass"
EBS = "ebs.csi.aws.com"
HOPS = 1
"""One hop ends on the node itself: pods, one further, don't get the node's rights."""


def disks(resource: Resource) -> Iterator[str]:
    """Disks that are not encrypted."""
    if resource.kind == LAUNCH_TEMPLATE:
        for device in maps(resource.at("blockDeviceMappings")):
            disk = device.get("ebs")
            encrypted = mapping(disk).get("encrypted")
            if not (is_on(encrypted) or hidden(disk) or hidden(encrypted)):
                yield f"the disk {device.get('deviceName')} is not encrypted"
    if resource.kind == STORAGE_CLASS and resource.at("provisioner") == EBS:
        encrypted = resource.at("parameters.encrypted")
        if encrypted != UNKNOWN and not is_on(encrypted):
            yield "volumes of the class are not encrypted"


def metadata(resource: Resource) -> Iterator[str]:
    """Instance metadata that pods, or requests forged by a server on the node, can read."""
    if resource.kind != LAUNCH_TEMPLATE or resource.at("metadataOptions") == UNKNOWN:
        return
    if resource.at("metadataOptions.httpEndpoint") in ("disabled", UNKNOWN):
        return
    if resource.at("metadataOptions.httpTokens") not in ("required", UNKNOWN):
        yield "instance metadata answers without a token"
    hops = number(resource.at("metadataOptions.httpPutResponseHopLimit"))
    if hops is not None and hops > HOPS:
        yield f"instance metadata answers over {hops:g} hops"


def efa_zones(resources: Sequence[Resource], _: Context) -> Iterator[Breach]:
    """Node groups with EFA that span zones; a launch template has the logical name of its node group."""
    templates = of_kind(resources, LAUNCH_TEMPLATE)
    efa = {template.name for template in templates if any(map(is_efa, maps(template.at("networkInterfaces"))))}
    for group in of_kind(resources, NODE_GROUP):
        subnets = items(group.at("subnetIds"))
        if group.name in efa and len(subnets) > 1:
            yield group, f"machines with EFA in {len(subnets)} subnets"


def spot_in_production(resources: Sequence[Resource], context: Context) -> Iterator[Breach]:
    """Spot machines where the stack is protected."""
    if context.production:
        yield from ((group, "spot machines in production") for group in resources if is_spot(group))


def is_spot(resource: Resource) -> bool:
    """Whether a resource is a node group of spot machines."""
    return resource.kind == NODE_GROUP and resource.at("capacityType") == "SPOT"
