"""Images: of nodes, and of the pods of jobs."""

from collections import defaultdict

from muster.plan import Plan
from muster.plan.aws.parts import AwsPlan, GroupPlan
from muster.preflight import images
from muster.preflight.answers import Answer, AwsAnswers, ImageState, Unasked
from muster.preflight.images import EcrImage
from muster.preflight.lines import Line, unknown


def check_nodes(aws: AwsPlan, answers: AwsAnswers) -> tuple[Line, ...]:
    """One line for each release of node images."""
    pools: dict[images.NodeParameters, list[GroupPlan]] = defaultdict(list)
    for group in aws.groups:
        pools[images.parameters(group)].append(group)
    return tuple(_node_image(parameters, groups, answers) for parameters, groups in pools.items())


def _node_image(parameters: images.NodeParameters, groups: list[GroupPlan], answers: AwsAnswers) -> Line:
    release = groups[0].release or "latest"
    name = f"node image {groups[0].ami_eks} {release}"
    if isinstance(answers.node_images, Unasked):
        return unknown(name, answers.node_images)
    found = answers.node_images[parameters.image]
    newest, pools = found.newest, ", ".join(group.pool for group in groups)
    keys = " and ".join(f"pools.{group.pool}.ami.release" for group in groups)
    if not found.found:
        other = newest or f"one that aws ssm get-parameter --name {parameters.newest} names"
        return Line(name, "fail", f"AWS has no such release, for {pools}", f"{keys}: {other}")
    if newest and newest != release and newest.rpartition("-")[2] == release.rpartition("-")[2]:
        return Line(name, "fail", f"that day's release is {newest}, for {pools}", f"{keys}: {newest}")
    return Line(name, "ok", f"there, for {pools}" + (f"; the newest is {newest}" if newest else ""))


def check_pods(plan: Plan, answers: AwsAnswers | None) -> tuple[Line, ...]:
    """One line for each image that runtimes and jobs name; only ECR is asked whether it is there."""
    names = images.named(plan)
    in_ecr = {image.name: image for image in images.in_ecr(names)}
    made = plan.aws.registry.repositories if plan.aws else ()
    cached = tuple(plan.aws.registry.upstreams) if plan.aws else ()
    lines = []
    for name in names:
        title = f"image {name}"
        if not images.pinned(name):
            remedy = "a digest, or a tag that is never moved"
            lines.append(Line(title, "warn", "the name says no version: nodes may run different ones", remedy))
        elif answers is None or name not in in_ecr:
            lines.append(Line(title, "ok", "its name is pinned; its registry was not asked"))
        else:
            lines.append(_in_ecr(title, in_ecr[name], answers.images[name], made, cached))
    return tuple(lines)


def _in_ecr(
    title: str, image: EcrImage, found: Answer[ImageState], made: tuple[str, ...], cached: tuple[str, ...]
) -> Line:
    if isinstance(found, Unasked):
        return unknown(title, found)
    push = f"docker push {image.name}"
    if found == "there":
        return Line(title, "ok", "there")
    if image.repository.startswith(tuple(f"{prefix}/" for prefix in cached)):
        return Line(title, "ok", "not cached yet, the first pull brings it")
    if found == "no image":
        return Line(title, "fail", f"repository {image.repository} has no such image", push)
    if image.repository in made:
        text = f"this stack makes repository {image.repository}, and nothing is in it then"
        return Line(title, "warn", text, f"after the first up: {push}")
    return Line(title, "fail", f"there is no repository {image.repository}", f"make it, then {push}")
