"""Questions to AWS: reads alone, each bounded in time, each answered with data or with why there is none.

`muster.preflight.permissions` names every call that is made here.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import date
from functools import partial
from typing import Any, Protocol

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's name
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from muster.plan import Plan
from muster.plan.aws import demand
from muster.plan.aws.parts import STACK_TAG, AwsPlan
from muster.preflight import images
from muster.preflight.answers import (
    Answer,
    AwsAnswers,
    Eks,
    Identity,
    ImageState,
    Instance,
    NodeImage,
    Quota,
    Reservation,
    Subnet,
    T,
    Unasked,
    Version,
    Zone,
)
from muster.preflight.images import EcrImage

BOUNDS = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2, "mode": "standard"})
"""Seconds and attempts of one call."""
HOME = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
"""The region of a partition that every account has; us-east-1 in all others.

https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html
"""
PARAMETERS = 10
"""Names of one call: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html"""
LOG_IN = "aws sso login, or set AWS_PROFILE"
ALLOW = "allow what muster preflight --iam-policy prints"
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException"}
)
REFUSED = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Error codes by what they mean: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and
https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
"""
NO_CREDENTIALS = Unasked("no AWS credentials were found", LOG_IN)


class Session(Protocol):
    """What is used of a boto3 session."""

    def client(self, service_name: str, /, *, region_name: str, config: Any) -> Any:
        """A client of a service in a region."""


def session() -> Session | Unasked:
    """A session with the credentials that are found, as the AWS command finds them; nothing is asked of AWS."""
    import boto3  # noqa: PLC0415 - takes a quarter of a second, and other stacks have no use for it

    try:
        found = boto3.Session()
        credentials = found.get_credentials()
    except (BotoCoreError, ClientError) as error:
        return Unasked(f"no AWS credentials: {error}", LOG_IN)
    if credentials is None:
        return NO_CREDENTIALS
    made: Session = found
    return made


class Asker:
    """Asks, and says before each question what it is about; a service that did not answer is not asked again."""

    def __init__(self, session: Session, say: Callable[[str], None]) -> None:
        self._session, self._say = session, say
        self._clients: dict[tuple[str, str], Any] = {}
        self._silent: dict[tuple[str, str], Unasked] = {}

    def ask(self, about: str, service: str, region: str, question: Callable[[Any], T]) -> Answer[T]:
        """The answer of a service's client in a region."""
        place = (service, region)
        if place in self._silent:
            return self._silent[place]
        self._say(about)
        try:
            if place not in self._clients:
                self._clients[place] = self._session.client(service, region_name=region, config=BOUNDS)
            return question(self._clients[place])
        except ClientError as error:
            return _refusal(error, service)
        except (ConnectionError, HTTPClientError):
            host = f"{service} in {region}"
            self._silent[place] = Unasked(
                f"{host} does not answer", "look at the network, a proxy or a VPN, then again"
            )
            return self._silent[place]
        except (NoCredentialsError, CredentialRetrievalError, SSOError, TokenRetrievalError) as error:
            return Unasked(f"the credentials can't be had: {error}", LOG_IN)
        except BotoCoreError as error:
            return Unasked(f"{service} can't be asked: {error}", "look at the AWS configuration of this machine")


def _refusal(error: ClientError, service: str) -> Unasked:
    code, call = _code(error), f"{PREFIXES.get(service, service)}:{error.operation_name}"
    if code in DENIED:
        return Unasked(f"{call} is denied", ALLOW)
    if code in THROTTLED:
        return Unasked(f"{call} is throttled", "again in a minute")
    if code in REFUSED:
        return Unasked(f"AWS does not accept the credentials ({code})", LOG_IN)
    message = str(error.response.get("Error", {}).get("Message", "")).partition("\n")[0]
    return Unasked(f"{call} failed: {code} {message}".rstrip(), "see what AWS says")


PREFIXES = {"service-quotas": "servicequotas"}
"""Services whose name in IAM is not that of their client.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_servicequotas.html
"""


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def _unless(codes: Collection[str], question: Callable[[], T]) -> T | None:
    """The answer; None where AWS says by one of the codes that there is no such thing."""
    try:
        return question()
    except ClientError as error:
        if _code(error) in codes:
            return None
        raise


def ask(plan: Plan, aws: AwsPlan, found: Session | Unasked, say: Callable[[str], None]) -> AwsAnswers:
    """Everything about a plan.

    Without credentials, or with those of another account, or in a region that the account has not enabled, no question
    that depends on them is asked.
    """
    if isinstance(found, Unasked):
        return _nothing(plan, aws, found, found, found)
    asker = Asker(found, say)
    region, home = aws.eks.region, HOME.get(aws.eks.partition, "us-east-1")
    place, identity = region, asker.ask("credentials", "sts", region, _identity)
    if isinstance(identity, Unasked) and home != region:
        # A region that is not enabled accepts no credentials; from a closed network only its own region may be reached.
        elsewhere = asker.ask("credentials", "sts", home, _identity)
        place, identity = (region, identity) if isinstance(elsewhere, Unasked) else (home, elsewhere)
    if isinstance(identity, Unasked):
        return _nothing(plan, aws, identity, identity, identity)
    if identity.account != aws.eks.account:
        other = Unasked("the credentials are of another account", LOG_IN)
        return _nothing(plan, aws, other, identity, other)
    opted = asker.ask(f"region {region}", "ec2", place, partial(_region, name=region))
    if opted in (None, "not-opted-in"):
        return _nothing(plan, aws, Unasked(f"the account has no region {region}", "see region"), identity, opted)

    def here(about: str, service: str, question: Callable[[Any], T]) -> Answer[T]:
        return asker.ask(about, service, region, question)

    return AwsAnswers(
        identity=identity,
        region=opted,
        zones=here("zones", "ec2", partial(_zones, ids=[subnet.zone for subnet in aws.network.subnets])),
        sold=here("zones of the instance types", "ec2", partial(_sold, aws=aws)),
        quotas={
            row.code: here(f"quota {row.code}", "service-quotas", partial(_quota, code=row.code))
            for row in demand.quotas(aws.groups)
        },
        instances=here("running instances", "ec2", _instances),
        reservations={
            name: here(f"reservation {name}", "ec2", partial(_reservation, name=name)) for name in _reserved(aws)
        },
        subnets=here("subnets", "ec2", partial(_subnets, ids=_given(aws))) if _given(aws) else {},
        eks=here(f"cluster {aws.eks.name}", "eks", partial(_eks, name=aws.eks.name)),
        version=here(f"Kubernetes {aws.eks.version}", "eks", partial(_version, version=aws.eks.version)),
        addons={
            addon.name: here(f"add-on {addon.name}", "eks", partial(_addon, name=addon.name, version=aws.eks.version))
            for addon in aws.eks.addons
        },
        node_images=here("node images", "ssm", partial(_node_images, aws=aws)),
        images={
            image.name: asker.ask(f"image {image.name}", "ecr", image.region, partial(_image, image=image))
            for image in images.in_ecr(images.named(plan))
        },
    )


def _nothing(
    plan: Plan, aws: AwsPlan, why: Unasked, identity: Answer[Identity], region: Answer[str | None]
) -> AwsAnswers:
    """What is known where nothing more was asked."""
    return AwsAnswers(
        identity=identity,
        region=region,
        zones=why,
        sold=why,
        quotas={row.code: why for row in demand.quotas(aws.groups)},
        instances=why,
        reservations=dict.fromkeys(_reserved(aws), why),
        subnets=why,
        eks=why,
        version=why,
        addons={addon.name: why for addon in aws.eks.addons},
        node_images=why,
        images={image.name: why for image in images.in_ecr(images.named(plan))},
    )


def _reserved(aws: AwsPlan) -> list[str]:
    return sorted({group.capacity.reservation for group in aws.groups if group.capacity.reservation})


def _given(aws: AwsPlan) -> list[str]:
    return [subnet.id for subnet in aws.network.subnets if subnet.id is not None]


def _identity(sts: Any) -> Identity:
    answer = sts.get_caller_identity()
    return Identity(answer["Account"], answer["Arn"])


def _region(ec2: Any, name: str) -> str | None:
    answer = _unless({"InvalidParameterValue"}, lambda: ec2.describe_regions(RegionNames=[name], AllRegions=True))
    return answer["Regions"][0]["OptInStatus"] if answer and answer["Regions"] else None


def _zones(ec2: Any, ids: Sequence[str]) -> dict[str, Zone]:
    answer = ec2.describe_availability_zones(
        AllAvailabilityZones=True, Filters=[{"Name": "zone-id", "Values": list(ids)}]
    )
    return {
        row["ZoneId"]: Zone(row["ZoneId"], row["State"], row.get("OptInStatus") != "not-opted-in")
        for row in answer["AvailabilityZones"]
    }


def _sold(ec2: Any, aws: AwsPlan) -> frozenset[tuple[str, str]]:
    pages = ec2.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone-id",
        Filters=[{"Name": "instance-type", "Values": sorted({group.type.name for group in aws.groups})}],
    )
    return frozenset((row["Location"], row["InstanceType"]) for page in pages for row in page["InstanceTypeOfferings"])


def _quota(quotas: Any, code: str) -> Quota:
    row = quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]
    return Quota(row["QuotaName"], row["Value"])


def _instances(ec2: Any) -> tuple[Instance, ...]:
    pages = ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    )
    return tuple(
        _instance(row) for page in pages for reservation in page["Reservations"] for row in reservation["Instances"]
    )


def _instance(row: dict[str, Any]) -> Instance:
    tags = {tag["Key"]: tag["Value"] for tag in row.get("Tags", [])}
    cpu, stack = row.get("CpuOptions", {}), tags.get(STACK_TAG, "")
    lifecycle = row.get("InstanceLifecycle", "")
    return Instance(
        type=row["InstanceType"],
        vcpu=cpu.get("CoreCount", 0) * cpu.get("ThreadsPerCore", 0),
        market=lifecycle if lifecycle in ("spot", "capacity-block") else "on-demand",
        stack=stack,
        pool=tags.get("Name", "").removeprefix(f"{stack}-") if stack else "",
        subnet=row.get("SubnetId", ""),
        reservation=row.get("CapacityReservationId", ""),
    )


def _reservation(ec2: Any, name: str) -> Reservation | None:
    answer = _unless(
        {"InvalidCapacityReservationId.NotFound", "InvalidCapacityReservationId.Malformed"},
        lambda: ec2.describe_capacity_reservations(CapacityReservationIds=[name]),
    )
    if answer is None or not answer["CapacityReservations"]:
        return None
    row = answer["CapacityReservations"][0]
    return Reservation(
        type=row["InstanceType"],
        zone=row["AvailabilityZoneId"],
        state=row["State"],
        total=row["TotalInstanceCount"],
        free=row["AvailableInstanceCount"],
        block=row.get("ReservationType") == "capacity-block",
        starts=row.get("StartDate"),
        ends=row.get("EndDate"),
    )


def _subnets(ec2: Any, ids: Sequence[str]) -> dict[str, Subnet]:
    answer = ec2.describe_subnets(Filters=[{"Name": "subnet-id", "Values": list(ids)}])
    return {
        row["SubnetId"]: Subnet(
            row["VpcId"], row["AvailabilityZoneId"], row["CidrBlock"], row["AvailableIpAddressCount"]
        )
        for row in answer["Subnets"]
    }


def _eks(eks: Any, name: str) -> Eks | None:
    answer = _unless({"ResourceNotFoundException"}, lambda: eks.describe_cluster(name=name))
    if answer is None:
        return None
    row = answer["cluster"]
    return Eks(row["status"], row["version"], row.get("tags", {}).get(STACK_TAG, ""))


def _version(eks: Any, version: str) -> Version | None:
    answer = _unless(
        {"InvalidParameterException", "ResourceNotFoundException"},
        lambda: eks.describe_cluster_versions(clusterVersions=[version]),
    )
    if answer is None or not answer["clusterVersions"]:
        return None
    row = answer["clusterVersions"][0]
    ends = row.get("endOfStandardSupportDate")
    return Version(row["versionStatus"], date(ends.year, ends.month, ends.day) if ends else None)


def _addon(eks: Any, name: str, version: str) -> tuple[str, ...]:
    pages = eks.get_paginator("describe_addon_versions").paginate(addonName=name, kubernetesVersion=version)
    found = _unless(
        {"InvalidParameterException", "ResourceNotFoundException"},
        lambda: [row for page in pages for addon in page["addons"] for row in addon["addonVersions"]],
    )
    return tuple(row["addonVersion"] for row in found or ())


def _node_images(ssm: Any, aws: AwsPlan) -> dict[str, NodeImage]:
    wanted = {images.parameters(group) for group in aws.groups}
    names = sorted({name for one in wanted for name in (one.image, one.newest)})
    values: dict[str, str] = {}
    for start in range(0, len(names), PARAMETERS):
        answer = ssm.get_parameters(Names=names[start : start + PARAMETERS])
        values |= {row["Name"]: row["Value"] for row in answer["Parameters"]}
    return {one.image: NodeImage(one.image in values, values.get(one.newest)) for one in wanted}


def _image(ecr: Any, image: EcrImage) -> ImageState:
    which = {"imageDigest": image.digest} if image.digest else {"imageTag": image.tag}
    try:
        ecr.describe_images(registryId=image.account, repositoryName=image.repository, imageIds=[which])
    except ClientError as error:
        match _code(error):
            case "RepositoryNotFoundException":
                return "no repository"
            case "ImageNotFoundException":
                return "no image"
            case _:
                raise
    return "there"
