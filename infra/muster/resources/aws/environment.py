"""An environment on AWS in order: network, control plane, early add-ons, nodes, late add-ons, storage, and the rest."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from muster.manifests.aws import iam
from muster.plan.aws.parts import AwsPlan, GroupPlan
from muster.resources.aws import account as accounts
from muster.resources.aws import budget, busy, checks, cluster, network, node_groups, registry, storage
from muster.resources.aws.storage import FileSystem
from muster.resources.connection import Connection

S3_ADDON = "aws-mountpoint-s3-csi-driver"


@dataclass(frozen=True)
class Environment:
    """What stands on AWS; `ready` is everything that must be there before the cluster is used, and go after it."""

    kubeconfig: pulumi.Output[str]
    connection: Connection
    ready: tuple[pulumi.Resource, ...]
    groups: Mapping[str, aws.eks.NodeGroup]
    file_systems: Mapping[str, FileSystem]


def make(plan: AwsPlan, file: str) -> Environment:
    """Everything on AWS. Raises SettingsError for what AWS knows to be impossible."""
    account = accounts.connect(plan.eks)
    checks.check(plan.groups, account, file)
    net = network.make(plan.network, account)
    control_plane = cluster.make(plan.eks, net, account)
    connection = Connection(None, None, control_plane.kubeconfig)
    reads = {item.bucket: iam.read_bucket(plan.eks.partition, item.bucket) for item in plan.buckets}
    inline = {S3_ADDON: {f"read-{bucket}": document for bucket, document in reads.items()}}

    def refuse_while_busy(group: GroupPlan) -> pulumi.ResourceHook:
        return pulumi.ResourceHook(
            f"busy-{group.pool}",
            lambda args: busy.refuse(group, args.old_inputs or {}, args.new_inputs or {}, connection.reader),
        )

    early = [addon for addon in plan.eks.addons if addon.early]
    late = [addon for addon in plan.eks.addons if not addon.early]
    first = cluster.addons(early, control_plane, account, control_plane.ready, inline)
    shared = node_groups.fabric(net, control_plane, account)
    ground = node_groups.Ground(net, control_plane, account, [*net.ready, *first, *control_plane.ready])
    groups = node_groups.make(plan.groups, shared, ground, refuse_while_busy)
    last = cluster.addons(late, control_plane, account, [*groups.values()], inline)
    found = storage.file_systems(plan.file_systems, net, shared.security_groups, account)
    if plan.budget is not None:
        budget.make(plan.budget, account)
    registry.make(plan.registry, account)
    ready = (*control_plane.ready, *first, *groups.values(), *last)
    return Environment(control_plane.kubeconfig, connection, ready, groups, found)
