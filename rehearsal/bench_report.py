"""How long `muster report` takes on a big preview: `python -m rehearsal.bench_report`, one JSON line last on stdout.

Seconds are wall-clock time of the whole command; the preview is made up of a real stack's jobs, each of them changed.
"""

import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from muster import stack as stacks
from muster.manifests import trainjob
from muster.plan import JobPlan

from local.bench import timed
from local.places import ROOT
from local.problem import Problem

STACK = "prod"
RESOURCES = 500
SAMPLES = 3
"""Reports of which the middle one counts."""
NOW = "2026-11-23T00:00:00Z"
"""The moment by which the stack's dates are judged."""
KIND = "kubernetes:trainer.kubeflow.org/v1alpha1:TrainJob"


def main() -> None:
    """Measure and print."""
    sys.stdout.write(json.dumps({"report_500_s": measure()}) + "\n")


def measure() -> float:
    """Seconds of a report on a preview of so many resources. Raises Problem."""
    env = {**os.environ, "MUSTER_NOW": NOW}
    job = stacks.from_file(STACK, ROOT, env).jobs[0]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "preview.json"
        file.write_text(json.dumps(document(job, RESOURCES)))
        words = ("report", "--stack", STACK, "--preview", str(file), "--offline", "--out", f"{folder}/report.md")

        def report() -> None:
            command = [str(ROOT / ".venv" / "bin" / "muster"), *words]
            done = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True)
            if done.returncode != 0:
                raise Problem(f"muster report failed: {done.stderr}")

        return statistics.median(timed(f"report on {RESOURCES} resources", report) for _ in range(SAMPLES))


def document(job: JobPlan, count: int) -> dict[str, Any]:
    """A preview in which so many jobs like this one are replaced, for another argument and another environment."""
    old = trainjob.build(job)
    new = copy.deepcopy(old)
    new["spec"]["trainer"]["args"].append("--steps=100")
    new["spec"]["trainer"]["env"].append({"name": "LEVEL", "value": "debug"})
    fields = ("spec.trainer.args", "spec.trainer.env")
    steps = []
    for number in range(count):
        name = f"{job.name}-{number}"
        states = [
            {"inputs": {**side, "metadata": {**side["metadata"], "name": name}}, "outputs": side} for side in (old, new)
        ]
        steps.append(
            {
                "op": "replace",
                "urn": f"urn:pulumi:{STACK}::muster::{KIND}::job-{job.namespace}-{name}",
                "oldState": states[0],
                "newState": states[1],
                "detailedDiff": {path: {"kind": "update-replace"} for path in fields},
                "replaceReasons": list(fields),
            }
        )
    return {"steps": steps}


if __name__ == "__main__":
    main()
