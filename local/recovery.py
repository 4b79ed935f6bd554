"""Resources that a killed run had made and could not record: found again by their tags, and taken into the state.

Without it, the next run makes them a second time, or fails because their names are taken.
https://www.pulumi.com/docs/iac/concepts/state-and-backends/#pending-operations
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from muster.plan.aws.parts import RESOURCE_TAG
from muster.preview import kind_of

from local.engine import Engine
from local.progress import console, step

Find = Callable[[str, str], Sequence[str]]
"""(stack, logical name): ARNs of the resources that carry both as tags."""
Inputs = Mapping[str, Any]

BY_INPUTS: Mapping[str, Callable[[Inputs], str]] = {
    "aws:iam/role:Role": lambda given: given["name"],
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": lambda given: f"{given['role']}/{given['policyArn']}",
    "aws:iam/rolePolicy:RolePolicy": lambda given: f"{given['role']}:{given['name']}",
    "aws:cloudwatch/logGroup:LogGroup": lambda given: given["name"],
    "aws:ec2/placementGroup:PlacementGroup": lambda given: given["name"],
    "aws:ec2/route:Route": lambda given: f"{given['routeTableId']}_{given['destinationCidrBlock']}",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": lambda given: f"{given['subnetId']}/{given['routeTableId']}",
    "aws:eks/cluster:Cluster": lambda given: given["name"],
    "aws:eks/addon:Addon": lambda given: f"{given['clusterName']}:{given['addonName']}",
    "aws:eks/accessEntry:AccessEntry": lambda given: f"{given['clusterName']}:{given['principalArn']}",
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": lambda given: "#".join(
        (given["clusterName"], given["principalArn"], given["policyArn"])
    ),
    "aws:ecr/repository:Repository": lambda given: given["name"],
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": lambda given: given["repository"],
    "aws:ecr/pullThroughCacheRule:PullThroughCacheRule": lambda given: given["ecrRepositoryPrefix"],
}
"""Kinds whose import id follows from their inputs, as the import section of each page says.

https://www.pulumi.com/registry/packages/aws/api-docs/
"""
BY_TAG = {
    "aws:ec2/vpc:Vpc": "vpc",
    "aws:ec2/subnet:Subnet": "subnet",
    "aws:ec2/internetGateway:InternetGateway": "internet-gateway",
    "aws:ec2/eip:Eip": "elastic-ip",
    "aws:ec2/natGateway:NatGateway": "natgateway",
    "aws:ec2/routeTable:RouteTable": "route-table",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "vpc-endpoint",
    "aws:ec2/securityGroup:SecurityGroup": "security-group",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "security-group-rule",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "security-group-rule",
    "aws:ec2/launchTemplate:LaunchTemplate": "launch-template",
    "aws:eks/nodeGroup:NodeGroup": "nodegroup",
    "aws:fsx/lustreFileSystem:LustreFileSystem": "file-system",
    "aws:fsx/dataRepositoryAssociation:DataRepositoryAssociation": "association",
}
"""Kinds that are found by their tags, with what stands before the id in their ARN.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html
"""
BUDGET = "aws:budgets/budget:Budget"


def adopt(engine: Engine, account: str, find: Find) -> list[str]:
    """Take into the state what a killed run left out of it; the URNs that were found. Raises Problem."""
    pending = engine.pending_creates()
    found = {
        urn: id_ for urn, inputs in pending.items() if (id_ := import_id(urn, inputs, engine.stack, account, find))
    }
    if found:
        with step(f"taking {len(found)} resources into the state that an interrupted run had made"):
            engine.adopt(found)
        for urn, id_ in found.items():
            console.print(f"  {urn.rpartition('::')[2]}: {id_}", markup=False)
    return list(found)


def import_id(urn: str, inputs: Inputs, stack: str, account: str, find: Find) -> str | None:
    """By what id a resource can be imported; None where it is not there or of a kind that needs none of this."""
    kind = kind_of(urn)
    if kind == BUDGET:
        return f"{account}:{inputs['name']}"
    if kind in BY_INPUTS:
        return BY_INPUTS[kind](inputs)
    if kind not in BY_TAG:
        return None
    name = (inputs.get("tags") or {}).get(RESOURCE_TAG)
    arns = find(stack, name) if name else ()
    ids = [arn.rpartition(f":{BY_TAG[kind]}/")[2] for arn in arns if f":{BY_TAG[kind]}/" in arn]
    if kind == "aws:eks/nodeGroup:NodeGroup":
        return next((":".join(id_.split("/")[:2]) for id_ in ids), None)
    return ids[0] if len(ids) == 1 else None
