"""What `make up` says at the end: what there is now, how the jobs went, and what to do next."""

import os
from pathlib import Path

from muster import stack as stacks
from muster.kube import Kube
from muster.report import stack as report
from muster.report import text
from rich.panel import Panel

from local.engine import Engine
from local.places import ROOT
from local.progress import console


def show(engine: Engine) -> None:
    """Print the summary of a stack that is up."""
    environ = {**os.environ, **engine.environment}
    plan = stacks.from_file(engine.stack, ROOT, environ)
    view = report.read(Kube.from_file(Path(str(plan.cluster.kubeconfig)), plan.cluster.context), plan)
    resources = [item for item in engine.state().get("resources", ()) if item["type"] != "pulumi:pulumi:Stack"]
    console.print()
    console.print(text.stack_screen(view))
    if curves := text.curves(view):
        console.print()
        console.print(curves, markup=False, highlight=False)
    job = view.jobs[0].name if view.jobs else "JOB"
    console.print()
    console.print(
        Panel(
            f"{len(resources)} resources are tracked in stack {engine.stack}; the cluster's components log to "
            f"{Path(str(plan.cluster.kubeconfig)).parent / 'log'}\n\n"
            "Three things to try next\n"
            f"  .venv/bin/muster logs {job}      what rank 0 printed\n"
            f"  edit {stacks.file_of(engine.stack)} (jobs.{job}.nodes: 3), then: make preview; make up\n"
            '  eval "$(make env)"; kubectl get trainjobs,jobsets,podgroups,pods -A',
            title="up",
            title_align="left",
            expand=False,
        )
    )
