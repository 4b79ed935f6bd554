"""What `make up` says at the end: what there is now, how the jobs went, and what to do next."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from muster import stack as stacks
from muster.kube import Kube
from muster.manifests.aws import kubeconfig
from muster.plan import Plan
from muster.report import stack as report
from muster.report import text
from rich.panel import Panel

from local.engine import Engine
from local.progress import console

EKS = "aws:eks/cluster:Cluster"


def show(engine: Engine) -> None:
    """Print the summary of a stack that is up. Raises muster.report.reader.Unreachable."""
    environ = {**os.environ, **engine.environment}
    plan = stacks.from_file(engine.stack, engine.root, environ)
    resources = [item for item in engine.state().get("resources", ()) if item["type"] != "pulumi:pulumi:Stack"]
    view = report.read(_cluster(plan, resources), plan)
    console.print()
    console.print(text.stack_screen(view, datetime.now(UTC)))
    if curves := text.curves(view):
        console.print()
        console.print(curves, markup=False, highlight=False)
    job = view.jobs[0].name if view.jobs else "JOB"
    console.print()
    console.print(
        Panel(
            f"{len(resources)} resources are tracked in stack {engine.stack}; {_more(plan)}\n\n"
            "Three things to try next\n" + "\n".join(f"  {line}" for line in _next(plan, job)),
            title="up",
            title_align="left",
            expand=False,
        )
    )


def _cluster(plan: Plan, resources: list[Mapping[str, Any]]) -> Kube:
    """The stack's cluster: by kubeconfig file, or on AWS as the state knows it."""
    if plan.aws is None:
        return Kube.from_file(Path(str(plan.cluster.kubeconfig)), plan.cluster.context)
    outputs = next(item["outputs"] for item in resources if item["type"] == EKS)
    return Kube.from_text(kubeconfig.build(plan.aws.eks, outputs["endpoint"], outputs["certificateAuthority"]["data"]))


def _more(plan: Plan) -> str:
    if plan.aws is not None:
        return f"${plan.aws.cost.hourly:.2f} an hour at on-demand prices of {plan.aws.cost.date}"
    return f"the cluster's components log to {Path(str(plan.cluster.kubeconfig)).parent / 'log'}"


def _next(plan: Plan, job: str) -> tuple[str, str, str]:
    file = stacks.file_of(plan.stack)
    change = f"edit {file} (jobs.{job}.nodes: 3), then: make preview; make up"
    if plan.aws is not None:
        eks, stack = plan.aws.eks, f"--stack {plan.stack}"
        change = f"edit {file}, then: make preview STACK={plan.stack}; make up STACK={plan.stack}"
        return (
            f"aws eks update-kubeconfig --region {eks.region} --name {eks.name}",
            f".venv/bin/muster status {stack}; .venv/bin/muster logs {job} {stack}",
            change,
        )
    return (
        f".venv/bin/muster logs {job}      what rank 0 printed",
        change,
        'eval "$(make env)"; kubectl get trainjobs,jobsets,podgroups,pods -A',
    )
