"""Launch templates and managed node groups."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from muster.manifests.aws import iam, launch_template
from muster.plan.aws.parts import GroupPlan
from muster.resources.aws import roles, security_groups
from muster.resources.aws.account import Account
from muster.resources.aws.cluster import ControlPlane
from muster.resources.aws.network import Network

CAPACITY_TYPES = {
    "on-demand": "ON_DEMAND",
    "reservation": "ON_DEMAND",
    "capacity-block": "CAPACITY_BLOCK",
    "spot": "SPOT",
}
"""https://docs.aws.amazon.com/eks/latest/APIReference/API_Nodegroup.html#AmazonEKS-Type-Nodegroup-capacityType"""
EFFECTS = {"NoSchedule": "NO_SCHEDULE", "PreferNoSchedule": "PREFER_NO_SCHEDULE", "NoExecute": "NO_EXECUTE"}
"""Taint effects as EKS spells them: https://docs.aws.amazon.com/eks/latest/APIReference/API_Taint.html"""
PATIENCE = pulumi.CustomTimeouts(create="30m", update="3h", delete="1h")
"""A group without capacity fails after half an hour and not after an hour; an update drains node by node."""


@dataclass(frozen=True)
class Ground:
    """What node groups stand on, and what comes before them."""

    network: Network
    control_plane: ControlPlane
    account: Account
    depends_on: Sequence[pulumi.Resource]


@dataclass(frozen=True)
class Fabric:
    """What every node shares: its role, and the security groups for traffic among nodes and with the control plane."""

    role: aws.iam.Role
    security_groups: tuple[pulumi.Input[str], ...]
    ready: tuple[pulumi.Resource, ...]


def fabric(network: Network, control_plane: ControlPlane, account: Account) -> Fabric:
    """Role and security groups. EFA needs a group that allows everything to and from itself, both ways.

    The cluster's own group is named beside it: a template that lists groups gets no other.
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-start.html#efa-start-security
    """
    eks = account.eks
    trusted = iam.trust("ec2.amazonaws.com", account=eks.account)
    role, attached = roles.role("node", trusted, [roles.managed(account, name) for name in iam.NODE_POLICIES], account)
    group = security_groups.make("fabric", "All traffic among nodes, as EFA needs it", network.vpc, account)
    inward = security_groups.inward("fabric", group, account, source=group.id)
    outward = security_groups.outward_to_itself("fabric", group, account)
    return Fabric(role, (control_plane.security_group, group.id), (*attached, inward, outward))


def make(
    plans: Sequence[GroupPlan],
    shared: Fabric,
    ground: Ground,
    refuse_while_busy: Callable[[GroupPlan], pulumi.ResourceHook],
) -> Mapping[str, aws.eks.NodeGroup]:
    """Node groups by pool."""
    return {plan.pool: _group(plan, shared, ground, refuse_while_busy(plan)) for plan in plans}


def _group(plan: GroupPlan, shared: Fabric, ground: Ground, busy: pulumi.ResourceHook) -> aws.eks.NodeGroup:
    account, name = ground.account, f"pool-{plan.pool}"
    eks = account.eks
    placement = None
    if plan.capacity.placement_group:
        # Only without a reservation: within one, a group of our own finds no capacity.
        # https://github.com/eksctl-io/eksctl/issues/7949
        placement = aws.ec2.PlacementGroup(
            name, name=f"{eks.name}-{plan.pool}", strategy="cluster", opts=account.options()
        )
    template = aws.ec2.LaunchTemplate(
        name,
        name=f"{eks.name}-{plan.pool}",
        tags=account.tags(name),
        **launch_template.build(
            plan, shared.security_groups, dict(eks.tags), placement.name if placement is not None else None
        ),
        opts=account.options(*shared.ready),
    )
    block = plan.capacity.mode == "capacity-block"
    # One failing node at a time: two at once would take the gang's spare and the gang.
    at_once = 1 if plan.repair else None
    repair = aws.eks.NodeGroupNodeRepairConfigArgs(enabled=plan.repair, max_parallel_nodes_repaired_count=at_once)
    return aws.eks.NodeGroup(
        name,
        cluster_name=ground.control_plane.resource.name,
        # Names are unique, and a replacement is there before the old group goes: a fixed name would be taken.
        # https://github.com/hashicorp/terraform-provider-aws/issues/12525
        node_group_name_prefix=f"{plan.pool[:37]}-",
        node_role_arn=shared.role.arn,
        subnet_ids=[ground.network.subnets[zone] for zone in plan.zones],
        ami_type=plan.ami_eks,
        version=plan.version,
        release_version=plan.release or None,
        capacity_type=CAPACITY_TYPES[plan.capacity.mode],
        instance_types=None if block else [plan.type.name],
        launch_template={"id": template.id, "version": template.latest_version.apply(str)},
        scaling_config={"desired_size": plan.nodes, "min_size": 0, "max_size": max(1, plan.nodes)},
        labels=dict(plan.labels),
        tags=account.tags(name),
        taints=[
            aws.eks.NodeGroupTaintArgs(key=taint.key, effect=EFFECTS[taint.effect], value=taint.value)
            for taint in plan.taints
        ],
        # The default first starts more machines than there are, which no reservation has.
        # https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html
        update_config={"max_unavailable": 1, "update_strategy": "MINIMAL" if plan.type.gpus else "DEFAULT"},
        node_repair_config=repair,
        opts=pulumi.ResourceOptions.merge(
            account.options(*shared.ready, *ground.depends_on),
            pulumi.ResourceOptions(
                custom_timeouts=PATIENCE,
                # GPU capacity is rarely there twice: the old machines go before the new ones come.
                delete_before_replace=bool(plan.type.gpus),
                hooks=pulumi.ResourceHookBinding(before_update=[busy]),
            ),
        ),
    )
