"""The EKS control plane, its administrators and its add-ons."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from muster.manifests.aws import iam, kubeconfig
from muster.plan.aws.network import SERVICE_CIDR
from muster.plan.aws.parts import AddonPlan, EksPlan
from muster.resources.aws import roles
from muster.resources.aws.account import Account
from muster.resources.aws.network import Network

POLICY = "arn:{}:eks::aws:cluster-access-policy/{}"
ADMIN, READER = "AmazonEKSClusterAdminPolicy", "AmazonEKSAdminViewPolicy"
"""https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html"""
LOGS = ["api", "audit", "authenticator"]
"""controllerManager and scheduler say much and little: https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html"""


@dataclass(frozen=True)
class ControlPlane:
    """The cluster as others use it. `ready` is what must be there before anybody asks its API server."""

    resource: aws.eks.Cluster
    kubeconfig: pulumi.Output[str]
    security_group: pulumi.Output[str]
    ready: tuple[pulumi.Resource, ...]


def make(eks: EksPlan, network: Network, account: Account) -> ControlPlane:
    """The control plane. Its replacement is never wanted: name, subnets' zones and the creator's rights are fixed."""
    trusted = iam.trust("eks.amazonaws.com", account=eks.account)
    owner, attached = roles.role(
        "cluster", trusted, [roles.managed(account, name) for name in iam.CLUSTER_POLICIES], account
    )
    # EKS would make this group itself, without an end of retention, and leave it behind.
    # https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html
    logs = aws.cloudwatch.LogGroup(
        "control-plane",
        name=f"/aws/eks/{eks.name}/cluster",
        retention_in_days=eks.log_retention_days,
        opts=account.options(),
    )
    encryption = None
    if eks.kms_key is not None:
        key = aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=eks.kms_key)
        encryption = aws.eks.ClusterEncryptionConfigArgs(provider=key, resources=["secrets"])
    cluster = aws.eks.Cluster(
        "cluster",
        name=eks.name,
        role_arn=owner.arn,
        version=eks.version,
        vpc_config={
            "subnet_ids": [network.subnets[zone] for zone in eks.zones],
            "endpoint_private_access": True,
            "endpoint_public_access": bool(eks.public_cidrs),
            "public_access_cidrs": list(eks.public_cidrs) or None,
        },
        kubernetes_network_config={"service_ipv4_cidr": SERVICE_CIDR},
        # Changing the creator's rights replaces the cluster, so they are never given: admins have entries of their own.
        # https://github.com/pulumi/pulumi-aws/issues/3997
        access_config={"authentication_mode": "API", "bootstrap_cluster_creator_admin_permissions": False},
        bootstrap_self_managed_addons=False,
        enabled_cluster_log_types=LOGS,
        encryption_config=encryption,
        upgrade_policy={"support_type": eks.support},
        deletion_protection=eks.protect,
        opts=account.options(*attached, logs, *network.ready, protect=eks.protect),
    )
    entries = [
        *(_access("admin", admin, POLICY.format(eks.partition, ADMIN), cluster, account) for admin in eks.admins),
        *(_access("reader", reader, POLICY.format(eks.partition, READER), cluster, account) for reader in eks.readers),
    ]
    config = pulumi.Output.all(cluster.endpoint, cluster.certificate_authority.data).apply(
        lambda found: kubeconfig.build(eks, found[0], found[1])
    )
    group = cluster.vpc_config.cluster_security_group_id.apply(str)
    return ControlPlane(cluster, config, group, (cluster, *entries))


def _access(kind: str, principal: str, policy_arn: str, cluster: aws.eks.Cluster, account: Account) -> pulumi.Resource:
    """A principal's entry and its policy over the whole cluster."""
    name = f"{kind}-{principal.split(':', 5)[5].replace('/', '-')}"
    entry = aws.eks.AccessEntry(name, cluster_name=cluster.name, principal_arn=principal, opts=account.options())
    return aws.eks.AccessPolicyAssociation(
        name,
        cluster_name=cluster.name,
        principal_arn=principal,
        policy_arn=policy_arn,
        access_scope={"type": "cluster"},
        opts=account.options(entry),
    )


def addons(
    plans: Sequence[AddonPlan],
    control_plane: ControlPlane,
    account: Account,
    depends_on: Sequence[pulumi.Resource],
    inline: Mapping[str, Mapping[str, str]],
) -> list[pulumi.Resource]:
    """Add-ons, after `depends_on`. `inline` are policies of our own by add-on and name.

    https://docs.aws.amazon.com/eks/latest/userguide/workloads-add-ons-available-eks.html
    """
    made: list[pulumi.Resource] = []
    for plan in plans:
        identity, before = None, list(depends_on)
        if plan.service_account is not None:
            policies = [roles.managed(account, plan.policy)] if plan.policy else []
            owner, attached = roles.for_pods(plan.name, policies, account, inline.get(plan.name))
            identity = [
                aws.eks.AddonPodIdentityAssociationArgs(role_arn=owner.arn, service_account=plan.service_account)
            ]
            before += attached
        made.append(
            aws.eks.Addon(
                plan.name,
                cluster_name=control_plane.resource.name,
                addon_name=plan.name,
                addon_version=plan.version,
                configuration_values=json.dumps(plan.configuration) if plan.configuration else None,
                pod_identity_associations=identity,
                resolve_conflicts_on_create="OVERWRITE",
                resolve_conflicts_on_update="PRESERVE",
                opts=account.options(*before),
            )
        )
    return made
