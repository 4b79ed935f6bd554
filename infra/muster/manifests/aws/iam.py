"""IAM policy documents: who may take a role, and what it may do."""

import json
from typing import Any

VERSION = "2012-10-17"
CLUSTER_POLICIES = ("AmazonEKSClusterPolicy",)
NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
"""What a node needs; the network plugin's rights go to its own pods: https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html"""
POD_IDENTITY = "pods.eks.amazonaws.com"


def trust(service: str, *, account: str, cluster: str | None = None) -> str:
    """Trust policy for an AWS service; for Pod Identity, bound to the cluster that may hand the role to its pods.

    https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
    """
    actions = ["sts:AssumeRole", "sts:TagSession"] if service == POD_IDENTITY else ["sts:AssumeRole"]
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": service}, "Action": actions}
    if cluster is not None:
        statement["Condition"] = {
            "StringEquals": {"aws:SourceAccount": account, "aws:RequestTag/eks-cluster-name": cluster}
        }
    return _document([statement])


def read_bucket(partition: str, bucket: str) -> str:
    """Policy to list and read one bucket: what Mountpoint needs for a volume that is only read.

    https://docs.aws.amazon.com/eks/latest/userguide/s3-csi-create.html
    """
    arn = f"arn:{partition}:s3:::{bucket}"
    return _document(
        [
            {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [arn]},
            {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [f"{arn}/*"]},
        ]
    )


def _document(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": VERSION, "Statement": statements})
