"""File systems of FSx for Lustre, and what the classes of volumes are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from muster.plan.aws.parts import FileSystemPlan
from muster.resources.aws import security_groups
from muster.resources.aws.account import Account
from muster.resources.aws.network import Network

LUSTRE_PORTS = ((988, 988), (1018, 1023))
"""https://docs.aws.amazon.com/fsx/latest/LustreGuide/limit-access-security-groups.html"""
LINKED = "/s3"
"""Folder of a file system that its bucket is linked to."""


@dataclass(frozen=True)
class FileSystem:
    """A file system as volumes name it."""

    id: pulumi.Output[str]
    dns_name: pulumi.Output[str]
    mount_name: pulumi.Output[str]


def file_systems(
    plans: Sequence[FileSystemPlan], network: Network, nodes: Sequence[pulumi.Input[str]], account: Account
) -> Mapping[str, FileSystem]:
    """File systems by name, reachable from `nodes`, the security groups of the nodes."""
    if not plans:
        return {}
    group = security_groups.make("lustre", "Lustre between file systems and nodes", network.vpc, account)
    sources = {"self": group.id, "nodes": nodes[-1]}
    rules = [
        security_groups.inward(f"lustre-{name}-{ports[0]}", group, account, source=source, ports=ports)
        for name, source in sources.items()
        for ports in LUSTRE_PORTS
    ]
    rules.append(security_groups.outward_to_itself("lustre", group, account))
    return {plan.name: _file_system(plan, network, group, rules, account) for plan in plans}


def _file_system(
    plan: FileSystemPlan,
    network: Network,
    group: aws.ec2.SecurityGroup,
    rules: Sequence[pulumi.Resource],
    account: Account,
) -> FileSystem:
    made = aws.fsx.LustreFileSystem(
        f"storage-{plan.name}",
        subnet_ids=network.subnets[plan.zone],
        storage_capacity=plan.size_gib,
        storage_type="SSD",
        deployment_type="PERSISTENT_2",
        per_unit_storage_throughput=plan.throughput,
        file_system_type_version="2.15",
        data_compression_type="LZ4",
        security_group_ids=[group.id],
        copy_tags_to_backups=True,
        tags=account.tags(f"storage-{plan.name}"),
        opts=account.options(*rules, protect=account.eks.protect),
    )
    if plan.bucket is not None:
        # importPath and exportPath are of older deployment types; PERSISTENT_2 has associations.
        # https://docs.aws.amazon.com/fsx/latest/LustreGuide/create-dra-linked-data-repo.html
        events = ["NEW", "CHANGED", "DELETED"]
        aws.fsx.DataRepositoryAssociation(
            f"storage-{plan.name}",
            file_system_id=made.id,
            file_system_path=LINKED,
            data_repository_path=f"s3://{plan.bucket}",
            tags=account.tags(f"storage-{plan.name}"),
            s3={"auto_import_policy": {"events": events}, "auto_export_policy": {"events": events}},
            opts=account.options(),
        )
    return FileSystem(made.id, made.dns_name, made.mount_name)
