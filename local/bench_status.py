"""How long `muster status` takes on a big stack; one JSON line last on stdout.

The platform is real, nodes and pods are simulated: 1,000 nodes, 200 gangs of which most run and some wait. No pod of a
simulated node has a log, so no log is read. Seconds are wall-clock time of the whole command.
"""

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from muster import stack as stacks
from muster.manifests import node, queue, runtime, trainjob, workload
from muster.problems import SettingsError

from local import charts, cluster, images, packages, toolchain
from local.engine import Engine, environment
from local.places import ROOT, state_dir
from local.problem import Problem
from local.progress import console, step

STACK = "bench"
NODES, JOBS = 1000, 200
SMALL, BIG = 5, 20
"""Pods of a job; every twentieth is a big one."""
SAMPLES = 5
SETTLE_S = 150.0
QUIET_LOOKS = 3
"""Looks in a row, five seconds apart, at which nothing changed."""
STAYS = "muster.dev/stays"
"""Annotation of simulated pods that don't complete by themselves: local/stages.yaml."""


def main() -> None:
    """Measure and print. What can't be measured ends with its sentence and exit code 1."""
    try:
        results = run()
    except (Problem, SettingsError) as problem:
        console.print(f"muster: {problem}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    finally:
        cluster.down()
        shutil.rmtree(state_dir() / "pulumi", ignore_errors=True)
    sys.stdout.write(json.dumps(results) + "\n")


def run() -> dict[str, object]:
    """Install the platform, fill the cluster, measure. Raises Problem."""
    packages.ensure()
    cluster.down()
    found = toolchain.ensure(toolchain.ENGINE + toolchain.CLUSTER)
    charts.materialise()
    images.ensure(cluster.up({name: found[name].path for name in toolchain.CLUSTER}))
    kubeconfig = cluster.folder() / "kubeconfig"
    env = environment({name: found[name] for name in toolchain.ENGINE}, kubeconfig)
    root = copy(state_dir() / "bench")
    try:
        engine = Engine(STACK, env, root)
        declare(root, {"cluster": {"provider": "embedded"}, "queues": {"research": {"weight": 1}}})
        engine.select()
        with step("installing the platform"):
            if engine.up() != 0:
                raise Problem("the platform could not be installed")
        declare(root, stack_of(NODES, JOBS))
        with step(f"making {NODES} nodes and {JOBS} jobs"):
            fill(root, env)
        with step("waiting until the scheduler has placed what fits"):
            settled = settle(root, env)
        runs = [timed(root, env) for _ in range(SAMPLES)]
    finally:
        shutil.rmtree(root, ignore_errors=True)
    middle, answers = statistics.median(seconds for seconds, _ in runs), runs[-1][1]
    return {
        "jobs": len(answers["jobs"]),
        "nodes": answers["pools"]["sim"]["nodes"],
        "nodes_ready": answers["pools"]["sim"]["ready"],
        "status_s": round(middle, 2),
        "slowest_s": round(max(seconds for seconds, _ in runs), 2),
        "states": settled,
        "gpus_held": answers["pools"]["sim"]["gpusHeld"],
    }


def copy(into: Path) -> Path:
    """A project of its own for the stack file, with the checkout's program, runtimes and workloads."""
    shutil.rmtree(into, ignore_errors=True)
    (into / "stacks").mkdir(parents=True)
    shutil.copy2(ROOT / "Pulumi.yaml", into)
    for name in ("infra", "runtimes", "workloads", "charts", ".venv"):
        (into / name).symlink_to(ROOT / name)
    return into


def stack_of(nodes: int, jobs: int) -> dict[str, Any]:
    """A stack of simulated p5 nodes and as many jobs; the big ones are more than the nodes have room for."""
    return {
        "cluster": {"provider": "embedded"},
        "pools": {"sim": {"instanceType": "p5.48xlarge", "nodes": nodes, "simulated": True}},
        "queues": {"research": {"weight": 1}},
        "runtimes": {"deepspeed": {"template": "deepspeed", "pool": "sim", "image": "docker.io/muster/deepspeed:cpu"}},
        "jobs": {
            f"job-{index:03}": {
                "workload": "hello",
                "runtime": "deepspeed",
                "nodes": SMALL if index % 20 else BIG,
                "queue": "research",
            }
            for index in range(jobs)
        },
    }


def declare(root: Path, config: Mapping[str, Any]) -> None:
    """Write the stack file."""
    salt = yaml.safe_load((ROOT / stacks.file_of("local")).read_text())["encryptionsalt"]
    document = {"config": {f"muster:{key}": value for key, value in config.items()}, "encryptionsalt": salt}
    (root / stacks.file_of(STACK)).write_text(yaml.safe_dump(document, sort_keys=False))


def fill(root: Path, env: Mapping[str, str]) -> None:
    """Make everything of the stack file but the platform, through the API. Raises Problem."""
    plan = stacks.from_file(STACK, root, env)
    runs = [runtime.build(item) for item in plan.runtimes]
    for one in runs:
        (replicated,) = one["spec"]["template"]["spec"]["replicatedJobs"]
        replicated["template"]["spec"]["template"]["metadata"] = {"annotations": {STAYS: "true"}}
    documents = [
        # Trainer's webhook must have heard of a runtime before it admits a job.
        *runs,
        *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in plan.namespaces),
        *(node.build(item) for item in plan.nodes),
        *(queue.build(item) for item in plan.queues),
        *(workload.build(item) for item in plan.files),
        *(trainjob.build(item) for item in plan.jobs),
    ]
    manifests = root / "manifests.json"
    manifests.write_text("\n".join(map(json.dumps, documents)))
    ask(["kubectl", "apply", "--server-side", "--force-conflicts", "--filename", str(manifests)], root, env)


def settle(root: Path, env: Mapping[str, str]) -> dict[str, int]:
    """Jobs by state once nothing changes any more, or after SETTLE_S.

    On a busy machine simulated nodes miss their heartbeats and their gangs start again: then it never ends.
    """
    deadline, quiet = time.monotonic() + SETTLE_S, 0
    seen: dict[str, int] = {}
    while quiet < QUIET_LOOKS and time.monotonic() < deadline:
        time.sleep(5)
        _, answer = timed(root, env)
        states = dict(Counter(str(job["state"]) for job in answer["jobs"].values()))
        quiet = quiet + 1 if states == seen and "Running" in states else 0
        seen = states
    return seen


def timed(root: Path, env: Mapping[str, str]) -> tuple[float, dict[str, Any]]:
    """Seconds of one `muster status --json`, and what it said. Raises Problem."""
    start = time.monotonic()
    text = ask([str(ROOT / ".venv" / "bin" / "muster"), "status", "--stack", STACK, "--json"], root, env)
    seconds = time.monotonic() - start
    answer: dict[str, Any] = json.loads(text)
    return seconds, answer


def ask(words: Sequence[str], root: Path, env: Mapping[str, str]) -> str:
    """What a command prints. Raises Problem when it fails."""
    done = subprocess.run(words, cwd=root, env=dict(env), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Problem(f"{' '.join(words[:3])} failed: {' | '.join((done.stdout + done.stderr).splitlines()[-3:])}")
    return done.stdout


if __name__ == "__main__":
    main()
