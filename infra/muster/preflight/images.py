"""Images by name: those of the plan, which of them lie in ECR, and the public parameters of node images."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from muster.plan import Plan
from muster.plan.aws.parts import GroupPlan

_ECR = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?"
    r"/(?P<repository>[a-z0-9._/-]+)(:(?P<tag>[\w.-]+))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
)
"""https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html#registry_concepts"""


@dataclass(frozen=True)
class EcrImage:
    """An image in a registry of AWS; it has a tag or a digest."""

    name: str
    account: str
    region: str
    repository: str
    tag: str
    digest: str


def named(plan: Plan) -> tuple[str, ...]:
    """Every image that runtimes and jobs name, once."""
    images = [runtime.image for runtime in plan.runtimes] + [job.image for job in plan.jobs if job.image]
    return tuple(sorted(set(images)))


def in_ecr(images: Sequence[str]) -> tuple[EcrImage, ...]:
    """Those of the images that lie in ECR."""
    found = ((name, _ECR.fullmatch(name)) for name in images)
    return tuple(
        EcrImage(
            name,
            match["account"],
            match["region"],
            match["repository"],
            match["tag"] or ("" if match["digest"] else "latest"),
            match["digest"] or "",
        )
        for name, match in found
        if match
    )


def pinned(image: str) -> bool:
    """Whether a name says which image: by digest, or by a tag other than `latest`."""
    last = image.rpartition("/")[2]
    return "@" in last or (":" in last and not last.endswith(":latest"))


@dataclass(frozen=True)
class NodeParameters:
    """Names of the public parameters of a release of node images, and of the newest release beside it."""

    image: str
    newest: str


def parameters(group: GroupPlan) -> NodeParameters:
    """Parameters of the pool's node image.

    https://docs.aws.amazon.com/eks/latest/userguide/retrieve-ami-id.html and retrieve-ami-id-bottlerocket.html; pinned
    releases of Amazon Linux as Karpenter finds them:
    https://github.com/aws/karpenter-provider-aws/blob/main/pkg/providers/amifamily/al2023.go
    """
    arch = "arm64" if "_ARM_64" in group.ami_eks else "x86_64"
    nvidia = group.ami_eks.endswith("_NVIDIA")
    version = group.version
    if group.ami_eks.startswith("BOTTLEROCKET"):
        base = f"/aws/service/bottlerocket/aws-k8s-{version}{'-nvidia' if nvidia else ''}/{arch}"
        return NodeParameters(f"{base}/{group.release or 'latest'}/image_id", f"{base}/latest/image_version")
    variant = "nvidia" if nvidia else "standard"
    base = f"/aws/service/eks/optimized-ami/{version}/amazon-linux-2023/{arch}/{variant}"
    day = group.release.rpartition("-")[2]
    name = f"amazon-eks-node-al2023-{arch}-{variant}-{version}-v{day}"
    return NodeParameters(f"{base}/{name}/image_id", f"{base}/recommended/release_version")
