"""What is there before a rehearsal begins: account, quotas, and everything that the stack names but does not make."""

import base64
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from muster.plan import AwsPlan
from muster.plan.aws.parts import GroupPlan

from rehearsal.double.nodes import zone_name
from rehearsal.double.refusals import RESERVATION, SUBNET
from rehearsal.double.world import Ground, Thing, World

CREDENTIAL = "credential.json"
VPC = "aws:ec2/vpc:Vpc"
SPARE = "cr-0a1b2c3d4e5f60700"
"""A reservation that every rehearsal has beside those of the stack."""


def lay(plans: Sequence[AwsPlan], kubeconfig: Path, folder: Path) -> World:
    """A world in `folder` for an environment, its EKS endpoint the embedded cluster of `kubeconfig`.

    It has what every one of the plans needs, for an environment that goes from one to the next.
    """
    plan = plans[0]
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    ground = Ground(
        account=plan.eks.account,
        region=plan.eks.region,
        endpoint=cluster["server"],
        authority=base64.b64encode(Path(cluster["certificate-authority"]).read_bytes()).decode(),
        kubeconfig=str(kubeconfig),
        quotas=_quotas(plans),
    )
    networks = [thing for each in plans for thing in _network(each)]
    world = World.begin(folder, ground, [*networks, *_reservations(plans)])
    path = folder / CREDENTIAL
    path.touch(mode=0o600)
    path.write_text(json.dumps(_credential(user)))
    return world


def _quotas(plans: Sequence[AwsPlan]) -> dict[str, float]:
    """Twice what the stack needs, so that a pool may grow."""
    most: Counter[str] = Counter()
    for plan in plans:
        needed: Counter[str] = Counter()
        for group in plan.groups:
            if group.quota is not None:
                needed[group.quota.code] += 2 * max(1, group.nodes) * group.type.vcpu
        most |= needed
    return {code: float(vcpu) for code, vcpu in most.items()}


def _network(plan: AwsPlan) -> list[Thing]:
    network = plan.network
    if network.vpc is None:
        return []
    made = [Thing(VPC, network.vpc, {"cidrBlock": "10.0.0.0/8"}, {}, seeded=True)]
    for subnet in network.subnets:
        inputs = {"vpcId": network.vpc, "cidrBlock": subnet.cidr, "availabilityZoneId": subnet.zone}
        made.append(Thing(SUBNET, str(subnet.id), inputs, {}, seeded=True))
    return made


def _reservations(plans: Sequence[AwsPlan]) -> list[Thing]:
    """One for each that a pool names, and one that none does, like the last GPU pool, to move to."""
    groups = sorted((group for plan in plans for group in plan.groups), key=lambda group: group.nodes)
    wanted = {group.capacity.reservation: group for group in groups if group.capacity.reservation is not None}
    spare = [(SPARE, group) for group in plans[-1].groups if group.type.gpus][-1:]
    return [_reservation(id_, group, plans[0].eks.region) for id_, group in (*wanted.items(), *spare)]


def _reservation(id_: str, group: GroupPlan, region: str) -> Thing:
    """A reservation of a pool's type, in its zone, with room for twice its nodes."""
    zone = group.zones[0]
    inputs = {
        "instanceType": group.type.name,
        "availabilityZone": zone_name(region, zone),
        "instancePlatform": "Linux/UNIX",
        "instanceCount": 2 * max(1, group.nodes),
    }
    return Thing(RESERVATION, id_, inputs, {"zoneId": zone}, seeded=True)


def _credential(user: dict[str, Any]) -> dict[str, Any]:
    """https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins."""
    return {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "kind": "ExecCredential",
        "status": {
            "clientCertificateData": Path(user["client-certificate"]).read_text(),
            "clientKeyData": Path(user["client-key"]).read_text(),
        },
    }
