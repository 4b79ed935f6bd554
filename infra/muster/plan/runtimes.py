"""Runtimes: templates bound to pools."""

from collections.abc import Mapping

from muster.plan.inputs import Inputs
from muster.plan.parts import PoolPlan, RuntimePlan
from muster.repository import node_container
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
    return RuntimePlan(name, template.document, repository.launcher, pool, image, inputs.backend)
