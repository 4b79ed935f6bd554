"""Runtimes: templates bound to pools."""

from collections.abc import Mapping

from muster.plan.images import mirrored
from muster.plan.inputs import Inputs
from muster.plan.notes import Notes
from muster.plan.parts import PoolPlan, RuntimePlan
from muster.repository import Template, node_container, node_pod
from muster.settings import Runtime


def make(name: str, runtime: Runtime, pools: Mapping[str, PoolPlan], inputs: Inputs) -> RuntimePlan | None:
    """The runtime as it will be, None after noting why it can't, or where its pool is not among those planned."""
    key, notes, repository = f"runtimes.{name}", inputs.notes, inputs.repository
    template = notes.lookup(f"{key}.template", runtime.template, repository.templates, "template")
    notes.known(f"{key}.pool", runtime.pool, inputs.settings.pools, "pool")
    pool = pools.get(runtime.pool)
    image = runtime.image
    if image is None and template is not None:
        image = node_container(template.document).get("image")
        if image is None:
            notes.problem(f"{key}.image", None, f"a container image, for {template.file} names none")
    if template is None or pool is None or image is None:
        return None
    _check_volumes(key, template, notes)
    mirror = inputs.settings.platform.mirror
    image = mirrored(image, mirror.registry if mirror else None)
    return RuntimePlan(
        name, template.document, repository.launcher, pool, image, inputs.backend, namespace=runtime.namespace
    )


def _check_volumes(key: str, template: Template, notes: Notes) -> None:
    """Note a template that mounts the fabric's devices by hand: on p6-b200 that breaks what the EFA plugin gives.

    https://github.com/aws-samples/aws-do-eks/pull/63
    """
    for volume in node_pod(template.document).get("volumes", []):
        path = str(volume.get("hostPath", {}).get("path", ""))
        if path.startswith("/dev/infiniband"):
            expected = f"no such volume in {template.file}: the EFA plugin gives pods the devices they ask for"
            notes.phrase(f"{key}.template", f"a host path {path}", expected)
