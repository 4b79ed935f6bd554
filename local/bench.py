"""Measure what users wait for; the reference does the same work by helm and kubectl, in the same run.

Times are wall-clock seconds of whole commands.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml
from muster import places
from muster import stack as stacks
from muster.manifests import node, queue, runtime, service, storage, trainjob, workload
from muster.plan import Plan

from local import charts, cluster, launch, toolchain
from local.engine import environment
from local.places import ROOT, state_dir
from local.problem import Problem
from local.progress import step

STACK = "local"


def run() -> dict[str, object]:
    """Run every measurement. Raises Problem when a measured command fails."""
    found = toolchain.ensure((*toolchain.ENGINE, *toolchain.CLUSTER, "helm"))
    charts.materialise()
    engine = {name: found[name] for name in (*toolchain.ENGINE, "helm")}
    env = environment(engine, places.embedded_kubeconfig(os.environ))
    binaries = {name: tool.path for name, tool in found.items()}
    results: dict[str, object] = {"stack": STACK, "cores": os.cpu_count()}

    def local(*words: str) -> None:
        _must([sys.executable, "-m", "local", *words], env)

    _down(local)
    results["cluster_ready_s"] = timed("cluster from nothing", lambda: cluster.up(binaries))
    _down(local)
    results["up_warm_s"] = timed("make up from nothing", lambda: local("up"))
    results["up_noop_s"] = timed("make up again", lambda: local("up"))
    pulumi = ["pulumi", "--non-interactive", "--stack", STACK]
    results["preview_s"] = timed("pulumi preview", lambda: _must([*pulumi, "preview", "--expect-no-changes"], env))
    plan = stacks.from_file(STACK, ROOT, env)
    with step("launchers, from exec to the first step"):
        results |= launch.measure(plan, env)
    _down(local)

    cluster.up(binaries)
    reference = timed("the same by helm and kubectl", lambda: _by_hand(plan, env))
    _down(local)
    cluster.up(binaries)
    # `down` took the engine's home along, with the provider in it.
    env = environment(engine, places.embedded_kubeconfig(os.environ))
    _must(["pulumi", "stack", "select", "--create", STACK], env)
    ours = timed("the same by pulumi up", lambda: _must([*pulumi, "up", "--yes", "--skip-preview"], env))
    _down(local)
    results |= {"up_by_helm_and_kubectl_s": reference, "up_by_pulumi_s": ours, "ratio_up": round(ours / reference, 3)}
    return results


def _by_hand(plan: Plan, env: Mapping[str, str]) -> None:
    """What a careful person types: one release after another, then the manifests, then wait for the jobs."""
    with tempfile.TemporaryDirectory() as scratch:
        values = Path(scratch) / "values.yaml"
        for release in plan.releases:
            values.write_text(yaml.safe_dump(dict(release.values)))
            chart = ROOT / "infra" / release.chart
            _must(
                ["helm", "install", release.name, str(chart), "--namespace", release.namespace, "--create-namespace",
                 "--values", str(values), "--wait"],
                env,
            )  # fmt: skip
        namespaces = {job.namespace for job in plan.jobs}
        documents = [
            *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in namespaces),
            *(node.build(item) for item in plan.nodes),
            *(queue.build(item) for item in plan.queues),
            *(storage.volume(item) for item in plan.claims if item.volume is not None),
            *(storage.claim(item) for item in plan.claims),
            *(workload.build(item) for item in plan.files),
            *(runtime.build(item) for item in plan.runtimes),
            *(service.build(item) for item in plan.services),
            *(trainjob.build(item) for item in plan.jobs),
        ]
        manifests = Path(scratch) / "manifests.yaml"
        manifests.write_text(yaml.safe_dump_all(documents))
        _must(["kubectl", "apply", "--server-side", "--filename", str(manifests)], env)
        for job in plan.jobs:
            name = f"trainjob/{job.name}"
            _must(["kubectl", "-n", job.namespace, "wait", name, "--for=condition=Complete", "--timeout=300s"], env)


def _down(local: Callable[..., None]) -> None:
    if (state_dir() / "cluster").exists():
        local("down")


def timed(title: str, work: Callable[[], object]) -> float:
    """Seconds that `work` takes, shown while it runs under `title`."""
    start = time.monotonic()
    with step(title):
        work()
    return round(time.monotonic() - start, 2)


def _must(words: Sequence[str], env: Mapping[str, str]) -> None:
    done = subprocess.run(words, cwd=ROOT, env=dict(env), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise Problem(f"{' '.join(words[:4])} failed: {' | '.join(lines[-3:])}")
