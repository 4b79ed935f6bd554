"""One job of a drill on the cluster: started, watched, and looked at from all sides."""

import copy
import dataclasses
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from muster.kube import Kube
from muster.manifests import runtime, trainjob, workload
from muster.plan import FilesPlan, JobPlan, Plan
from muster.report.job import Ending, JobView, first_ending, read
from muster.report.reader import items
from muster.resources.retries import RUNTIME_NOT_SEEN

from drill import processes
from local import cluster
from local.problem import Problem

MODEL = "zero3-train"
BATCH = 12
"""Samples a step: a multiple of every number of ranks that a drill uses."""
STEPS, SAVE_EVERY, STEP_SECONDS, HANG_SECONDS = 16, 4, 0.3, 10
LOG_LINES = 2000
ATTEMPT = "jobset.sigs.k8s.io/restart-attempt"
POLL_S = 0.3
T = TypeVar("T")


@dataclass(frozen=True)
class Ground:
    """What all drills share: the cluster, the plan of the stack that is up on it, and kubectl's environment."""

    kube: Kube
    plan: Plan
    environment: Mapping[str, str]

    def kubectl(self, *words: str, given: str | None = None) -> str:
        """Run kubectl; its stdout. Raises Problem."""
        command = ["kubectl", "--namespace", self.model.namespace, *words]
        done = subprocess.run(
            command, env=dict(self.environment), input=given, check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise Problem(f"kubectl {words[0]} failed: {done.stderr.strip()}")
        return done.stdout

    @property
    def model(self) -> JobPlan:
        """The stack's job that every drill's job is like."""
        return next(job for job in self.plan.jobs if job.name == MODEL)


@dataclass
class Gang:
    """A job of a drill. `keeps` names the drill whose checkpoints it goes on from; its own otherwise."""

    ground: Ground
    name: str
    args: tuple[str, ...] = ()
    nodes: int = 2
    fault: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False
    """Each pod by itself, without a gang scheduler, and no two on one node."""
    keeps: str | None = None
    steps: int = STEPS
    room: str | None = None
    """Size of the file system that holds the checkpoints; without it, that of the machine."""
    _watch: subprocess.Popen[bytes] | None = None
    _seen: Path | None = None

    def __enter__(self) -> Self:
        """Start it."""
        if self.keeps is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self.room is not None:
            self.folder.mkdir(parents=True)
            in_node("mount", "-t", "tmpfs", "-o", f"size={self.room},mode=1777", "tmpfs", self.mounted)
        self._seen = Path(tempfile.mkstemp(prefix="muster-drill-")[1])
        self.until("its admission", self._admitted)
        words = ["kubectl", "-n", self.namespace, "get", "pods", "-l", f"jobset.sigs.k8s.io/jobset-name={self.name}"]
        with self._seen.open("wb") as out:
            env = dict(self.ground.environment)
            self._watch = subprocess.Popen([*words, "--watch", "-o", "json"], env=env, stdout=out)
        return self

    def __exit__(self, *_: object) -> None:
        """Remove it and all that was made for it."""
        if self._watch is not None:
            self._watch.kill()
            self._watch.wait()
        if self._seen is not None:
            self._seen.unlink()
        made = [f"{document['kind']}/{document['metadata']['name']}" for document in reversed(self.documents())]
        self.ground.kubectl("delete", *made, "--ignore-not-found", "--cascade=background")
        self.until("its pods are gone", lambda: not self.pods())
        if self.room is not None:
            in_node("umount", self.mounted)

    def _admitted(self) -> bool:
        """Apply its documents; false while Trainer's webhook has not heard of a runtime among them. Raises Problem."""
        apply = ("apply", "--server-side", "--force-conflicts", "--filename", "-")
        try:
            self.ground.kubectl(*apply, given=yaml.safe_dump_all(self.documents()))
        except Problem as problem:
            if RUNTIME_NOT_SEEN not in str(problem):
                raise
            return False
        return True

    @property
    def namespace(self) -> str:
        """Where the job is."""
        return self.ground.model.namespace

    @property
    def sub_path(self) -> str:
        """Folder of its checkpoints in the volume."""
        return f"{self.keeps or self.name}/run-1"

    @property
    def folder(self) -> Path:
        """That folder on the machine."""
        return cluster.folder() / "volumes" / self.sub_path

    @property
    def mounted(self) -> str:
        """That folder as the node sees it."""
        return f"/run/muster/volumes/{self.sub_path}"

    def documents(self) -> list[dict[str, Any]]:
        """Manifests of the job: those of the stack's own job, with what the drill changes."""
        model = self.ground.model
        files = next(item for item in self.ground.plan.files if item.name == model.files)
        config = json.loads(files.data["ds_config.json"])
        data = {**files.data, "ds_config.json": json.dumps({**config, "train_batch_size": BATCH})}
        data["fault.py"] = (Path(__file__).parent / "fault.py").read_text()
        manifest: dict[str, Any] = copy.deepcopy(dict(model.manifest))
        trainer = manifest["spec"]["trainer"]
        if self.fault:
            trainer["args"] = ["/workload/fault.py", *self.fault, *trainer["args"]]
        pace = ("--save-every", str(SAVE_EVERY), "--step-seconds", str(STEP_SECONDS))
        hang = ("--hang-seconds", str(HANG_SECONDS))
        made = dataclasses.replace(
            model,
            name=self.name,
            manifest=manifest,
            files=f"drill-{self.name}",
            nodes=self.nodes,
            args=("--steps", str(self.steps), *pace, *hang, *self.args),
            env={**model.env, **self.env},
            mounts=tuple(dataclasses.replace(mount, sub_path=self.sub_path) for mount in model.mounts),
            runtime=f"drill-{self.name}" if self.alone else model.runtime,
        )
        map_ = workload.build(FilesPlan(made.files, self.namespace, MODEL, data))
        return [map_, *([self._lonely_runtime()] if self.alone else []), trainjob.build(made)]

    def _lonely_runtime(self) -> dict[str, Any]:
        """The runtime without gang scheduling, whose second pod finds no second node."""
        plan = next(item for item in self.ground.plan.runtimes if item.name == self.ground.model.runtime)
        document = runtime.build(plan)
        document["metadata"]["name"] = f"drill-{self.name}"
        spec = document["spec"]
        spec.pop("podGroupPolicy", None)
        spec["template"]["spec"]["failurePolicy"]["maxRestarts"] = 0
        pod = spec["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
        pod.pop("schedulerName", None)
        selector = {"matchLabels": {"jobset.sigs.k8s.io/jobset-name": self.name}}
        apart = {"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"}
        pod["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}}
        return document

    def view(self) -> JobView:
        """The job as `muster status` sees it."""
        return read(self.ground.kube, self.namespace, self.name)

    def jobset(self) -> Mapping[str, Any]:
        """Status of its JobSet; empty where there is none."""
        path = f"/apis/jobset.x-k8s.io/v1alpha2/namespaces/{self.namespace}/jobsets/{self.name}"
        status: Mapping[str, Any] = (self.ground.kube.get(path) or {}).get("status", {})
        return status

    def pods(self) -> list[Mapping[str, Any]]:
        """Its pods now, by index."""
        selector = f"jobset.sigs.k8s.io/jobset-name={self.name}"
        found = items(self.ground.kube.get(f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=selector))
        return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    def uids(self) -> list[str]:
        """Ids of its running pods by index."""
        return [pod["metadata"]["uid"] for pod in self.pods() if pod["status"].get("phase") == "Running"]

    def seen(self, attempt: int) -> list[Mapping[str, Any]]:
        """The last that was seen of every pod of an attempt: a gang that restarts deletes its pods at once."""
        last: dict[str, Mapping[str, Any]] = {}
        for pod in documents_in(self._seen.read_text() if self._seen else ""):
            if pod["metadata"]["labels"].get(ATTEMPT) == str(attempt):
                last[pod["metadata"]["uid"]] = pod
        return list(last.values())

    def codes(self, attempt: int) -> dict[str, int]:
        """Exit code by pod of an attempt, of those that ended."""
        return {
            pod["metadata"]["name"]: status["state"]["terminated"]["exitCode"]
            for pod in self.seen(attempt)
            for status in pod["status"].get("containerStatuses", ())
            if "terminated" in status["state"]
        }

    def first_ending(self, attempt: int) -> Ending | None:
        """Who ended first in an attempt, as a person is told."""
        return first_ending(self.seen(attempt))

    def events(self, attempt: int | None = None) -> list[dict[str, Any]]:
        """JSON lines of rank 0 in the pods that are there, of one attempt or of all."""
        found = []
        for pod in self.pods():
            labels = pod["metadata"]["labels"]
            if attempt is None or labels.get(ATTEMPT) == str(attempt):
                lines = self.ground.kube.log(self.namespace, pod["metadata"]["name"], LOG_LINES)
                found += [json.loads(line) for line in lines if line.startswith("{")]
        return found

    def losses(self, attempt: int | None = None) -> dict[int, float]:
        """Loss by step."""
        return {event["step"]: event["loss"] for event in self.events(attempt) if event.get("event") == "step"}

    def until(self, what: str, check: Callable[[], T | None], within: float = 120.0) -> T:
        """Value of `check` once it is true. Raises Problem naming `what` after `within` seconds."""
        deadline = time.monotonic() + within
        while not (value := check()):
            if time.monotonic() > deadline:
                raise Problem(f"{self.name}: not seen within {within:.0f} s: {what}; {self.view().sentence()}")
            time.sleep(POLL_S)
        return value

    def until_saved(self, count: int = 1) -> None:
        """Wait until there are so many checkpoints."""
        saved = [{"event": "saved", "step": SAVE_EVERY * (number + 1)} for number in range(count)]
        self.until(f"{count} checkpoints", lambda: all(event in self.events() for event in saved))

    def until_over(self) -> JobView:
        """Wait until the job changes no more."""
        return self.until("its end", lambda: view if (view := self.view()).over else None, within=240)

    def signal(self, number: int, *ranks: int) -> None:
        """Send a signal to ranks."""
        found = processes.ranks(self.uids())
        for rank in ranks:
            os.kill(found[rank], number)


def in_node(*words: str) -> str:
    """Run a command where the node's mounts are; its stdout. Raises Problem."""
    running = cluster.running()
    if running is None:
        raise Problem("the embedded cluster is gone")
    command = ["nsenter", "--target", str(running.pid), "--mount", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Problem(f"{words[0]} in the node failed: {done.stderr.strip()}")
    return done.stdout


def documents_in(stream: str) -> list[Mapping[str, Any]]:
    """Whole JSON documents of a watch; a cut last one is left out."""
    decoder, position, found = json.JSONDecoder(), 0, []
    while position < len(stream):
        try:
            document, end = decoder.raw_decode(stream, position)
        except ValueError:
            break
        position = end + len(stream[end:]) - len(stream[end:].lstrip())
        found.append(document)
    return found
