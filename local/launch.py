"""What the launcher costs: exec to first step behind the entrypoint, against torchrun and bare, in one pod."""

import json
import statistics
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from muster.manifests.labels import MANAGED
from muster.plan import Plan

from local import launch_in_pod
from local.problem import Problem

ROUNDS = 5
NAME = "launch-bench"
MODEL = "zero3-train"


def measure(plan: Plan, env: Mapping[str, str]) -> dict[str, float]:
    """Median seconds by launcher, and how many times torchrun's ours is, round by round. Raises Problem."""
    job = next(job for job in plan.jobs if job.name == MODEL)
    files = next(item for item in plan.files if item.name == job.files)
    runtime = next(item for item in plan.runtimes if item.name == job.runtime)
    data = {**files.data, "entrypoint.py": runtime.launcher, "measure.py": Path(launch_in_pod.__file__).read_text()}
    manifests = yaml.safe_dump_all([_files(job.namespace, data), _pod(job.namespace, runtime.image)])

    def kubectl(*words: str, given: str | None = None) -> str:
        command = ["kubectl", "--namespace", job.namespace, *words]
        done = subprocess.run(command, env=dict(env), input=given, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Problem(f"kubectl {words[0]} failed: {done.stderr.strip()}")
        return done.stdout

    try:
        kubectl("apply", "--server-side", "--filename", "-", given=manifests)
        kubectl("wait", f"pod/{NAME}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=600s")
        found: dict[str, list[float]] = json.loads(kubectl("logs", NAME).splitlines()[-1])
    finally:
        kubectl("delete", "pod,configmap", NAME, "--ignore-not-found", "--wait=true")
    rounds = zip(found["entrypoint_deepspeed"], found["torchrun"], strict=True)
    ratio = statistics.median(ours / torchrun for ours, torchrun in rounds)
    medians = {f"launch_{way}_s": statistics.median(samples) for way, samples in found.items()}
    return {**medians, "ratio_launch": round(ratio, 3)}


def _files(namespace: str, data: Mapping[str, str]) -> dict[str, Any]:
    metadata = {"name": NAME, "namespace": namespace, "labels": dict(MANAGED)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def _pod(namespace: str, image: str) -> dict[str, Any]:
    container = {
        "name": "node",
        "image": image,
        "command": ["python3", "/bench/measure.py", str(ROUNDS)],
        "env": [{"name": "DS_ACCELERATOR", "value": "cpu"}, {"name": "OMP_NUM_THREADS", "value": "1"}],
        "volumeMounts": [{"name": "files", "mountPath": "/bench"}],
    }
    spec = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "files", "configMap": {"name": NAME}}],
        "nodeSelector": {"muster.dev/pool": "cpu"},
    }
    metadata = {"name": NAME, "namespace": namespace, "labels": dict(MANAGED)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
