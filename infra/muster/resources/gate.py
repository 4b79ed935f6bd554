"""Waiting for a job within `pulumi up`, and failing the update when the job failed.

The wait belongs to the program and not to the resource: the job is recorded the moment it exists, an interrupted wait
leaves no half-created resource, and every later `up` looks again, so that a failed job can't turn into "no changes".
The provider's own `pulumi.com/waitFor` can't fail early: https://github.com/pulumi/pulumi-kubernetes/issues/4428
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pulumi

from muster.plan import JobPlan
from muster.report.job import JobView, read
from muster.report.reader import Reader, Unreachable

POLL_S = 0.5
SETTLE_S = 60.0
"""Seconds during which a refused JobSet or an unreachable API server may still mend itself."""


class JobFailed(pulumi.RunError):
    """A waited job failed or did not get there in time; Pulumi prints the text without a traceback."""


def hold(job: JobPlan, resource: pulumi.CustomResource, connect: Callable[[], Reader]) -> None:
    """Make `pulumi up` wait for `job` as its `wait` says; fails the program with JobFailed. A preview never waits."""
    if job.wait == "none" or pulumi.runtime.is_dry_run():
        return

    async def wait(_: str) -> Any:
        reader = await asyncio.to_thread(connect)
        view = await settle(job, reader, lambda text: pulumi.log.info(text, resource, ephemeral=True))
        return view.state

    resource.id.apply(wait)


async def settle(job: JobPlan, reader: Reader, tell: Callable[[str], None]) -> JobView:
    """Poll until the job is where `job.wait` wants it; returns what was seen last. Raises JobFailed."""
    start = time.monotonic()
    told, trouble_since = "", None
    while True:
        elapsed = time.monotonic() - start
        try:
            view = await asyncio.to_thread(read, reader, job.namespace, job.name)
            problem = view.reason if view.state in ("Invalid", "Absent") else ""
        except Unreachable as error:
            view, problem = JobView(job.name, job.namespace, "Absent"), f"cluster unreachable: {error}"
        if view.state == "Complete" or (job.wait == "running" and view.state == "Running"):
            return view
        if view.state == "Failed":
            raise JobFailed(failure(view))
        trouble_since = (trouble_since or elapsed) if problem else None
        if trouble_since is not None and elapsed - trouble_since > SETTLE_S:
            raise JobFailed(f"job {job.namespace}/{job.name}: {problem}")
        if elapsed > job.timeout_s:
            raise JobFailed(
                f"job {job.namespace}/{job.name} was not {job.wait} after {job.timeout_s} s (jobs.{job.name}.timeout) "
                f"and goes on; {view.sentence()}"
            )
        if view.sentence() != told:
            told = view.sentence()
            tell(f"{told} ({elapsed:.0f} s)")
        await asyncio.sleep(POLL_S)


def failure(view: JobView) -> str:
    """What a person needs when a job failed: who ended first, why, and the last log lines of that pod."""
    restarts = f" after {view.restarts} restart{'s' if view.restarts > 1 else ''}" if view.restarts else ""
    tail = "".join(f"\n    {line}" for line in view.log)
    return (
        f"job {view.namespace}/{view.name} failed{restarts}: {view.reason}"
        + (f"\n  last log lines of {view.first.pod}:{tail}" if view.first is not None and tail else "")
        + f"\n  once mended, run it again by raising jobs.{view.name}.run in the stack file"
    )
