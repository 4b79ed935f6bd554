"""What a destroyed stack left on AWS, found by its tag.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from collections.abc import Mapping, Sequence

from muster.doctor.finding import Finding
from muster.plan.aws.parts import STACK_TAG

COMMANDS: Mapping[str, str] = {
    "ec2:instance/": "ec2 terminate-instances --instance-ids {}",
    "ec2:vpc/": "ec2 delete-vpc --vpc-id {}",
    "ec2:subnet/": "ec2 delete-subnet --subnet-id {}",
    "ec2:internet-gateway/": "ec2 delete-internet-gateway --internet-gateway-id {}",
    "ec2:elastic-ip/": "ec2 release-address --allocation-id {}",
    "ec2:natgateway/": "ec2 delete-nat-gateway --nat-gateway-id {}",
    "ec2:route-table/": "ec2 delete-route-table --route-table-id {}",
    "ec2:vpc-endpoint/": "ec2 delete-vpc-endpoints --vpc-endpoint-ids {}",
    "ec2:security-group/": "ec2 delete-security-group --group-id {}",
    "ec2:launch-template/": "ec2 delete-launch-template --launch-template-id {}",
    "ec2:placement-group/": "ec2 delete-placement-group --group-name {}",
    "ec2:network-interface/": "ec2 delete-network-interface --network-interface-id {}",
    "ec2:volume/": "ec2 delete-volume --volume-id {}",
    "eks:nodegroup/": "eks delete-nodegroup --cluster-name {0} --nodegroup-name {1}",
    "eks:addon/": "eks delete-addon --cluster-name {0} --addon-name {1}",
    "eks:podidentityassociation/": "eks delete-pod-identity-association --cluster-name {0} --association-id {1}",
    "eks:access-entry/": "eks delete-access-entry --cluster-name {0} --principal-arn arn:aws:iam::{2}:{1}/{3}",
    "eks:cluster/": "eks delete-cluster --name {}",
    "fsx:association/": "fsx delete-data-repository-association --association-id {1}",
    "fsx:file-system/": "fsx delete-file-system --file-system-id {}",
    "logs:log-group:": "logs delete-log-group --log-group-name {}",
    "ecr:repository/": "ecr delete-repository --repository-name {} --force",
    "iam:role/": "iam delete-role --role-name {}",
    "iam:policy/": "iam delete-policy --policy-arn {arn}",
    "kms:key/": "kms schedule-key-deletion --key-id {}",
    "sns:": "sns delete-topic --topic-arn {arn}",
    "sqs:": "sqs delete-queue --queue-url {}",
    "s3:": "s3 rb s3://{}",
}
"""The `aws` command that deletes a resource, by service and what stands before its id in the ARN, in the order in which
what is left should go where order matters. {} is all of the id, {0} and so on its parts between slashes.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""
ORDER = (
    "ec2:instance/", "eks:nodegroup/", "eks:addon/", "eks:podidentityassociation/", "eks:access-entry/", "eks:cluster/",
    "fsx:association/", "fsx:file-system/", "ec2:natgateway/", "ec2:vpc-endpoint/", "ec2:network-interface/",
)  # fmt: skip
"""What must go before the network does."""
LAST = ("ec2:subnet/", "ec2:route-table/", "ec2:security-group/", "ec2:internet-gateway/", "ec2:vpc/")


def findings(arns: Sequence[str], region: str) -> list[Finding]:
    """One finding for each resource, in the order in which they should go."""
    return [_finding(arn, region) for arn in sorted(arns, key=lambda arn: (_rank(_kind(arn)), arn))]


def _finding(arn: str, region: str) -> Finding:
    kind = _kind(arn)
    said = f"tagged {STACK_TAG}; AWS lists some deleted resources for up to an hour"
    if not kind:
        look = f"aws resourcegroupstaggingapi get-resources --resource-arn-list {arn} --region {region}"
        return Finding("left-over-aws", arn, said, look)
    id_ = arn.split(":", 5)[5].removeprefix(kind.partition(":")[2]).removesuffix(":*")
    command = COMMANDS[kind].format(*([id_] if "{}" in COMMANDS[kind] else id_.split("/")), arn=arn)
    return Finding("left-over-aws", arn, said, f"aws {command} --region {region}")


def _kind(arn: str) -> str:
    """Key of COMMANDS for an ARN; empty for a kind that is not in it."""
    _, _, service, _, _, rest = arn.split(":", 5)
    return next((kind for kind in COMMANDS if f"{service}:{rest}".startswith(kind)), "")


def _rank(kind: str) -> int:
    if kind in ORDER:
        return ORDER.index(kind)
    return len(ORDER) + (1 + LAST.index(kind) if kind in LAST else 0)
