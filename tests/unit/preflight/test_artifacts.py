"""Charts of a checkout, and images by name."""

from pathlib import Path

import pytest
from muster import charts, releases
from muster.preflight import artifacts, images
from muster.preflight.images import EcrImage, NodeParameters
from muster.preflight.lines import Line

from tests.unit import planned
from tests.unit.aws import environment

SHA = "sha256:" + "0123456789abcdef" * 4
ECR = "123456789012.dkr.ecr.us-west-2.amazonaws.com"


def chart(folder: Path, name: str, text: str) -> str:
    """Materialise a chart; its digest."""
    (folder / name).mkdir(parents=True)
    (folder / name / "Chart.yaml").write_text(text)
    return charts.digest(folder / name)


def test_a_digest_is_of_paths_and_contents(tmp_path: Path) -> None:
    assert chart(tmp_path, "one", "name: one\n") == chart(tmp_path, "two", "name: one\n")
    assert charts.digest(tmp_path / "one") != chart(tmp_path, "three", "name: three\n")
    assert charts.digest(tmp_path / "none") == ""


def test_charts_as_they_lie_in_the_checkout(tmp_path: Path) -> None:
    locked = releases.load()
    right = chart(tmp_path / "charts", "jobset", "name: jobset\n")
    chart(tmp_path / "charts", "volcano", "name: volcano\n")
    pins = {"jobset": right, "volcano": "1" * 64, "gpu-operator": ""}
    rows = {name: row.model_copy(update={"digest": pins.get(name, "2" * 64)}) for name, row in locked.charts.items()}
    made = environment.plan()
    found = {line.name: line for line in artifacts.check(made, locked.model_copy(update={"charts": rows}), tmp_path)}
    assert found["chart jobset 0.12.0"] == Line("chart jobset 0.12.0", "ok", f"as pinned, {right[:12]}")
    volcano = charts.digest(tmp_path / "charts" / "volcano")
    assert found["chart volcano 1.14.1"] == Line(
        "chart volcano 1.14.1", "fail", f"has digest {volcano[:12]}, releases.yaml pins 111111111111", "make charts"
    )
    assert found["chart gpu-operator v26.7.0"] == Line(
        "chart gpu-operator v26.7.0",
        "fail",
        "nothing pins it: never fetched from https://helm.ngc.nvidia.com/nvidia",
        "make charts PIN=published, then commit releases.yaml",
    )
    assert found["chart trainer-crds 2.3.0"] == Line(
        "chart trainer-crds 2.3.0", "warn", "not made yet", "make charts, as make up does"
    )
    assert len(found) == len(made.releases) == 8


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("docker.io/team/deepspeed:1", True),
        (f"docker.io/team/deepspeed@{SHA}", True),
        (f"docker.io/team/deepspeed:latest@{SHA}", True),
        ("localhost:5000/deepspeed:1", True),
        ("localhost:5000/deepspeed", False),
        ("docker.io/team/deepspeed", False),
        ("docker.io/team/deepspeed:latest", False),
    ],
)
def test_which_names_say_a_version(image: str, pinned: bool) -> None:
    assert images.pinned(image) == pinned


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (f"{ECR}/deepspeed:1", ("us-west-2", "deepspeed", "1", "")),
        (f"{ECR}/team/a_b.c:0.19.8-efa1.50.0", ("us-west-2", "team/a_b.c", "0.19.8-efa1.50.0", "")),
        (f"{ECR}/deepspeed@{SHA}", ("us-west-2", "deepspeed", "", SHA)),
        (f"{ECR}/deepspeed:1@{SHA}", ("us-west-2", "deepspeed", "1", SHA)),
        (f"{ECR}/deepspeed", ("us-west-2", "deepspeed", "latest", "")),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/deepspeed:1", ("cn-north-1", "deepspeed", "1", "")),
        ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/deepspeed:1", ("us-east-1", "deepspeed", "1", "")),
        ("public.ecr.aws/team/deepspeed:1", None),
        ("docker.io/team/deepspeed:1", None),
        (f"{ECR}.example.com/deepspeed:1", None),
    ],
)
def test_which_images_lie_in_ecr(name: str, found: tuple[str, str, str, str] | None) -> None:
    region, repository, tag, digest = found or ("", "", "", "")
    wanted = (EcrImage(name, "123456789012", region, repository, tag, digest),) if found else ()
    assert images.in_ecr([name]) == wanted


AMAZON = "/aws/service/eks/optimized-ami/1.35/amazon-linux-2023"


@pytest.mark.parametrize(
    ("pool", "edits", "image", "newest"),
    [
        (
            "system",
            {},
            f"{AMAZON}/x86_64/standard/amazon-eks-node-al2023-x86_64-standard-1.35-v20261023/image_id",
            f"{AMAZON}/x86_64/standard/recommended/release_version",
        ),
        (
            "system",
            {"pools.system.instanceType": "m7g.xlarge"},
            f"{AMAZON}/arm64/standard/amazon-eks-node-al2023-arm64-standard-1.35-v20261023/image_id",
            f"{AMAZON}/arm64/standard/recommended/release_version",
        ),
        (
            "gpu",
            {"pools.gpu.ami": {"release": "1.35.3-20260901"}},
            f"{AMAZON}/x86_64/nvidia/amazon-eks-node-al2023-x86_64-nvidia-1.35-v20260901/image_id",
            f"{AMAZON}/x86_64/nvidia/recommended/release_version",
        ),
        (
            "gpu",
            {"pools.gpu.ami": {"type": "bottlerocket-nvidia", "release": "1.53.0-0a1b2c3d"}},
            "/aws/service/bottlerocket/aws-k8s-1.35-nvidia/x86_64/1.53.0-0a1b2c3d/image_id",
            "/aws/service/bottlerocket/aws-k8s-1.35-nvidia/x86_64/latest/image_version",
        ),
        (
            "system",
            {"pools.system.ami": {"type": "bottlerocket"}},
            "/aws/service/bottlerocket/aws-k8s-1.35/x86_64/latest/image_id",
            "/aws/service/bottlerocket/aws-k8s-1.35/x86_64/latest/image_version",
        ),
    ],
    ids=["amazon linux", "amazon linux on arm", "with GPUs", "bottlerocket", "bottlerocket without a release"],
)
def test_parameters_of_node_images(pool: str, edits: dict[str, object], image: str, newest: str) -> None:
    assert images.parameters(environment.group(edits, pool)) == NodeParameters(image, newest)


def test_images_are_those_of_runtimes_and_jobs() -> None:
    assert images.named(planned.of(planned.P5)) == ("docker.io/muster/own:2", "docker.io/muster/pinned:1")
