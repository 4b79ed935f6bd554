"""A double of AWS behind real clients: botocore checks what is asked, and shapes what is answered as AWS would."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from muster.plan.aws.parts import AwsPlan

Params = Mapping[str, Any]
Reply = Mapping[str, Any] | str | Exception | Callable[[Params], "Reply"]
"""What is answered: fields, the code of an error, an exception of the way there, or one of these by what was asked."""
CALLER = "arn:aws:sts::123456789012:assumed-role/deployer/me"


@cache
def _session() -> Any:
    """One for all clients: it reads each service's model once."""
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing")  # noqa: S106 - of the double


class Cloud:
    """A session whose clients get these replies by IAM action, or by region and action; what has none is denied.

    `asked` holds region, action and parameters of every call.
    """

    def __init__(self, replies: Mapping[str, Reply]) -> None:
        self.replies = dict(replies)
        self.asked: list[tuple[str, str, Params]] = []

    @property
    def actions(self) -> set[str]:
        """IAM actions that were used."""
        return {action for _, action, _ in self.asked}

    def client(self, service_name: str, /, *, region_name: str, config: Any) -> Any:
        client = _session().client(service_name, region_name=region_name, config=config)
        client.meta.events.register("before-parameter-build", self._keep)
        client.meta.events.register("before-call", self._reply)
        return client

    def _keep(self, params: Params, context: dict[str, Any], **_: Any) -> None:
        context["asked"] = dict(params)

    def _reply(self, model: Any, context: dict[str, Any], **_: Any) -> tuple[Any, Any]:
        action, params = f"{model.service_model.signing_name}:{model.name}", context["asked"]
        region = context["client_region"]
        self.asked.append((region, action, params))
        reply: Any = self.replies.get(f"{region} {action}", self.replies.get(action, "AccessDenied"))
        while callable(reply):
            reply = reply(params)
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, str):
            failed = {"Error": {"Code": reply, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            return AWSResponse("", 400, {}, None), failed
        known = model.output_shape.members
        assert set(reply) <= set(known), f"{action} has no {set(reply) - set(known)}"
        return AWSResponse("", 200, {}, None), dict(reply)


def filtered(params: Params, name: str) -> list[str]:
    """Values of one filter of a call."""
    return [value for row in params["Filters"] if row["Name"] == name for value in row["Values"]]


def instance(kind: str, cores: int, **more: Any) -> dict[str, Any]:
    """A running machine as EC2 describes it; `stack` and `pool` are the tags of a node."""
    tags = {"muster:stack": more.pop("stack", None)}
    tags["Name"] = f"{tags['muster:stack']}-{more.pop('pool', '')}" if tags["muster:stack"] else "somebody's"
    return {
        "InstanceType": kind,
        "CpuOptions": {"CoreCount": cores, "ThreadsPerCore": 2},
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items() if value],
        **more,
    }


def running(*rows: Mapping[str, Any]) -> Reply:
    """Machines that run, as EC2 lists them."""
    return {"Reservations": [{"Instances": [row]} for row in rows]}


def reserved(**other: Any) -> Reply:
    """A reservation that fits the environment's GPU pool, but for `other`."""
    row = {
        "InstanceType": "p5.48xlarge",
        "AvailabilityZoneId": "usw2-az2",
        "State": "active",
        "TotalInstanceCount": 2,
        "AvailableInstanceCount": 2,
        "ReservationType": "default",
        **other,
    }
    return {"CapacityReservations": [row]}


def version(status: str = "STANDARD_SUPPORT", until: datetime = datetime(2027, 3, 27, tzinfo=UTC)) -> Reply:
    """A Kubernetes version of EKS."""
    return {"clusterVersions": [{"versionStatus": status, "endOfStandardSupportDate": until}]}


def eks(**other: Any) -> Reply:
    """A cluster of the stack `test`, but for `other`."""
    return {"cluster": {"status": "ACTIVE", "version": "1.35", "tags": {"muster:stack": "test"}, **other}}


def subnet(name: str, zone: str, cidr: str, **other: Any) -> dict[str, Any]:
    """A subnet with room."""
    row = {"SubnetId": name, "VpcId": "vpc-0a1b2c3d", "AvailabilityZoneId": zone, "CidrBlock": cidr}
    return {**row, "AvailableIpAddressCount": 4000, **other}


def well(aws: AwsPlan) -> dict[str, Reply]:
    """Replies of an AWS where everything is as the plan wants it, and nothing of it is made yet."""
    sold = sorted({(zone, group.type.name) for group in aws.groups for zone in group.zones})
    there = [subnet(str(one.id), one.zone, one.cidr) for one in aws.network.subnets]
    return {
        "sts:GetCallerIdentity": {"Account": aws.eks.account, "Arn": CALLER},
        "ec2:DescribeRegions": {"Regions": [{"RegionName": aws.eks.region, "OptInStatus": "opt-in-not-required"}]},
        "ec2:DescribeAvailabilityZones": lambda params: {
            "AvailabilityZones": [
                {"ZoneId": zone, "State": "available", "OptInStatus": "opt-in-not-required"}
                for zone in filtered(params, "zone-id")
            ]
        },
        "ec2:DescribeInstanceTypeOfferings": {
            "InstanceTypeOfferings": [{"Location": zone, "InstanceType": kind} for zone, kind in sold]
        },
        "servicequotas:GetServiceQuota": lambda params: {
            "Quota": {"QuotaName": f"vCPU of {params['QuotaCode']}", "Value": 1000.0}
        },
        "ec2:DescribeInstances": running(),
        "ec2:DescribeCapacityReservations": reserved(),
        "ec2:DescribeSubnets": {"Subnets": there},
        "eks:DescribeCluster": "ResourceNotFoundException",
        "eks:DescribeClusterVersions": version(),
        "eks:DescribeAddonVersions": {"addons": [{"addonVersions": [{"addonVersion": "v2"}, {"addonVersion": "v1"}]}]},
        "ssm:GetParameters": lambda params: {
            "Parameters": [{"Name": name, "Value": _parameter(name)} for name in params["Names"]]
        },
        "ecr:DescribeImages": {"imageDetails": [{"repositoryName": "deepspeed"}]},
    }


def _parameter(name: str) -> str:
    return "ami-0a1b2c3d" if name.endswith("image_id") else "1.35.6-20261119"
