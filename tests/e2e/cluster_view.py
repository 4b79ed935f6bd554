"""What the end-to-end tests ask of the cluster, by kubectl, as a user would."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drill import processes
from drill.gang import documents_in
from tests.e2e.checkout import Checkout, Result

NAMESPACE = "training"


class ClusterView:
    """kubectl on the embedded cluster."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout

    def kubectl(self, *words: str) -> Result:
        return self._checkout.run("kubectl", *words, timeout=120)

    def objects(self, kind: str, *words: str) -> list[dict[str, Any]]:
        """Objects of a kind in the jobs' namespace; none when the kind is unknown."""
        done = self.kubectl("-n", NAMESPACE, "get", kind, "-o", "json", "--ignore-not-found", *words)
        if done.code != 0 or not done.text.strip():
            return []
        found = json.loads(done.text)
        return list(found.get("items", [found]))

    def job(self, name: str) -> dict[str, Any]:
        return self.objects("trainjob", name)[0]

    def uid(self, job: str) -> str:
        return str(self.job(job)["metadata"]["uid"])

    def restarts(self, job: str) -> int:
        return int(self.objects("jobset", job)[0].get("status", {}).get("restarts", 0))

    def pods(self, job: str) -> list[dict[str, Any]]:
        return self.objects("pods", "-l", f"jobset.sigs.k8s.io/jobset-name={job}")

    @contextmanager
    def watched_exit_codes(self, job: str, scratch: Path) -> Iterator[Callable[[], dict[str, int]]]:
        """Exit codes by pod, seen as they happen: a gang that restarts deletes its pods moments after they end."""
        words = ["kubectl", "-n", NAMESPACE, "get", "pods", "-l", f"jobset.sigs.k8s.io/jobset-name={job}"]
        stream = scratch / "pods.json"
        with stream.open("w") as out:
            env = {**os.environ, **self._checkout.environment()}
            watcher = subprocess.Popen([*words, "--watch", "-o", "json"], env=env, stdout=out)
        try:
            yield lambda: exit_codes_in(stream.read_text())
        finally:
            watcher.kill()
            watcher.wait()

    def events(self, job: str) -> list[dict[str, Any]]:
        """JSON lines in the logs of all pods of a job that are there now."""
        found = []
        for pod in self.pods(job):
            log = self.kubectl("-n", NAMESPACE, "logs", pod["metadata"]["name"]).text
            found += [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        return found

    def losses(self, job: str) -> dict[int, float]:
        """Step to loss, from the pods that are there now."""
        return {event["step"]: event["loss"] for event in self.events(job) if event.get("event") == "step"}

    def rank_pids(self, job: str) -> Mapping[int, int]:
        """Global rank to process id on this machine."""
        return processes.ranks([pod["metadata"]["uid"] for pod in self.pods(job)])


def exit_codes_in(stream: str) -> dict[str, int]:
    """Exit code of container `node` by pod, from a watch."""
    return {
        pod["metadata"]["name"]: status["state"]["terminated"]["exitCode"]
        for pod in documents_in(stream)
        for status in pod["status"].get("containerStatuses", ())
        if "terminated" in status["state"]
    }


def eventually(what: str, check: Callable[[], Any], within: float = 120, every: float = 0.5) -> Any:
    """Value of `check` once it is true; fails naming `what` after `within` seconds, a bound on hangs."""
    deadline = time.monotonic() + within
    while not (value := check()):
        assert time.monotonic() < deadline, f"{what}: not seen within {within:.0f} s"
        time.sleep(every)
    return value
