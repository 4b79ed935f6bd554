"""Runtimes: templates bound to pools."""

from collections.abc import Mapping

from muster.gang import Backend
from muster.plan.notes import Notes
from muster.plan.parts import PoolPlan, RuntimePlan
from muster.repository import Repository, node_container
from muster.settings import Pool, Runtime


def make(
    name: str,
    runtime: Runtime,
    declared: Mapping[str, Pool],
    pools: Mapping[str, PoolPlan],
    repository: Repository,
    backend: Backend,
    notes: Notes,
) -> RuntimePlan | None:
    """The runtime as it will be, None after noting why it can't, or where its pool can't be.

    `declared` are the stack's pools, `pools` those of them that could be planned.
    """
    key = f"runtimes.{name}"
    template = notes.lookup(f"{key}.template", runtime.template, repository.templates, "template")
    notes.known(f"{key}.pool", runtime.pool, declared, "pool")
    pool = pools.get(runtime.pool)
    image = runtime.image
    if image is None and template is not None:
        image = node_container(template.document).get("image")
        if image is None:
            notes.problem(f"{key}.image", None, f"a container image, for {template.file} names none")
    if template is None or pool is None or image is None:
        return None
    return RuntimePlan(name, template.document, repository.launcher, pool, image, backend)
