"""VPC, subnets, routes, NAT and endpoints; or the ones that are there already."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from muster.plan.aws.parts import NetworkPlan
from muster.resources.aws import security_groups
from muster.resources.aws.account import Account

INTERNAL = {"kubernetes.io/role/internal-elb": "1"}
"""https://docs.aws.amazon.com/eks/latest/userguide/network-load-balancing.html"""

HTTPS = (443, 443)


@dataclass(frozen=True)
class Network:
    """VPC and private subnet ids by zone; `ready` is what nodes need to reach the world."""

    vpc: pulumi.Input[str]
    subnets: Mapping[str, pulumi.Input[str]]
    ready: tuple[pulumi.Resource, ...]


def make(plan: NetworkPlan, account: Account) -> Network:
    """The network. Logical names hold the zone, so that another zone renames nothing."""
    if plan.vpc is not None:
        return Network(plan.vpc, {subnet.zone: str(subnet.id) for subnet in plan.subnets}, ())
    vpc = aws.ec2.Vpc(
        "network",
        cidr_block=plan.cidr,
        enable_dns_hostnames=True,
        enable_dns_support=True,
        tags=account.tags("network"),
        opts=account.options(protect=account.eks.protect),
    )
    subnets = {
        subnet.zone: aws.ec2.Subnet(
            f"private-{subnet.zone}",
            vpc_id=vpc.id,
            cidr_block=subnet.cidr,
            availability_zone_id=subnet.zone,
            map_public_ip_on_launch=False,
            tags={**account.tags(f"private-{subnet.zone}"), **INTERNAL},
            opts=account.options(),
        )
        for subnet in plan.subnets
    }
    gateways = _nat(plan, vpc, account)
    tables: dict[str, aws.ec2.RouteTable] = {}
    ready: list[pulumi.Resource] = []
    for zone, subnet in subnets.items():
        table = aws.ec2.RouteTable(
            f"private-{zone}", vpc_id=vpc.id, tags=account.tags(f"private-{zone}"), opts=account.options()
        )
        tables[zone] = table
        ready.append(
            aws.ec2.RouteTableAssociation(
                f"private-{zone}", subnet_id=subnet.id, route_table_id=table.id, opts=account.options()
            )
        )
        if gateways:
            gateway = gateways.get(zone) or next(iter(gateways.values()))
            ready.append(
                aws.ec2.Route(
                    f"out-{zone}",
                    route_table_id=table.id,
                    destination_cidr_block="0.0.0.0/0",
                    nat_gateway_id=gateway.id,
                    opts=account.options(),
                )
            )
    ready += _endpoints(plan, vpc, subnets, tables, account)
    return Network(vpc.id, {zone: subnet.id for zone, subnet in subnets.items()}, tuple(ready))


def _nat(plan: NetworkPlan, vpc: aws.ec2.Vpc, account: Account) -> dict[str, aws.ec2.NatGateway]:
    """NAT gateways by zone, each in a public subnet of its zone."""
    public = {subnet.zone: subnet.public for subnet in plan.subnets if subnet.public is not None}
    if not public:
        return {}
    internet = aws.ec2.InternetGateway("internet", vpc_id=vpc.id, tags=account.tags("internet"), opts=account.options())
    table = aws.ec2.RouteTable("public", vpc_id=vpc.id, tags=account.tags("public"), opts=account.options())
    route = aws.ec2.Route(
        "internet",
        route_table_id=table.id,
        destination_cidr_block="0.0.0.0/0",
        gateway_id=internet.id,
        opts=account.options(),
    )
    made = {}
    for zone, cidr in public.items():
        subnet = aws.ec2.Subnet(
            f"public-{zone}",
            vpc_id=vpc.id,
            cidr_block=cidr,
            availability_zone_id=zone,
            map_public_ip_on_launch=False,
            tags=account.tags(f"public-{zone}"),
            opts=account.options(),
        )
        joined = aws.ec2.RouteTableAssociation(
            f"public-{zone}", subnet_id=subnet.id, route_table_id=table.id, opts=account.options()
        )
        address = aws.ec2.Eip(
            f"nat-{zone}", domain="vpc", tags=account.tags(f"nat-{zone}"), opts=account.options(internet)
        )
        made[zone] = aws.ec2.NatGateway(
            f"nat-{zone}",
            subnet_id=subnet.id,
            allocation_id=address.id,
            tags=account.tags(f"nat-{zone}"),
            opts=account.options(route, joined),
        )
    return made


def _endpoints(
    plan: NetworkPlan,
    vpc: aws.ec2.Vpc,
    subnets: Mapping[str, aws.ec2.Subnet],
    tables: Mapping[str, aws.ec2.RouteTable],
    account: Account,
) -> list[pulumi.Resource]:
    """The free S3 endpoint always, interface endpoints as planned: https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html."""
    region = account.eks.region
    made: list[pulumi.Resource] = [
        aws.ec2.VpcEndpoint(
            "s3",
            vpc_id=vpc.id,
            vpc_endpoint_type="Gateway",
            service_name=f"com.amazonaws.{region}.s3",
            route_table_ids=[table.id for table in tables.values()],
            tags=account.tags("s3"),
            opts=account.options(),
        )
    ]
    if not plan.endpoints:
        return made
    group = security_groups.make("endpoints", "HTTPS from within the VPC to AWS endpoints", vpc.id, account)
    rule = security_groups.inward("endpoints", group, account, cidr=plan.cidr, ports=HTTPS)
    return [
        *made,
        rule,
        *(
            aws.ec2.VpcEndpoint(
                service,
                vpc_id=vpc.id,
                vpc_endpoint_type="Interface",
                service_name=f"com.amazonaws.{region}.{service}",
                private_dns_enabled=True,
                subnet_ids=[subnet.id for subnet in subnets.values()],
                security_group_ids=[group.id],
                tags=account.tags(service),
                opts=account.options(),
            )
            for service in plan.endpoints
        ),
    ]
