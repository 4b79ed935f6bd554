"""The embedded cluster starts, mends itself, and leaves the machine as it was."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from local import cluster, toolchain
from local.problem import Problem
from tests.e2e.cluster_view import eventually
from tests.e2e.machine import snapshot

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "probe"},
    "spec": {
        "restartPolicy": "Never",
        "nodeSelector": {"muster.dev/pool": "cpu"},
        "containers": [
            {
                "name": "probe",
                "image": "docker.io/muster/deepspeed:cpu",
                "imagePullPolicy": "Never",
                "command": [
                    "python3",
                    "-c",
                    "import socket; print(socket.gethostbyname('kubernetes.default'));"
                    "socket.create_connection(('kubernetes.default.svc.cluster.local', 443), 5); print('connected')",
                ],
            }
        ],
    },
}


@pytest.fixture(scope="module")
def binaries() -> Mapping[str, Path]:
    try:
        cluster.check_machine()
    except Problem as problem:
        pytest.skip(str(problem))
    return {name: tool.path for name, tool in toolchain.ensure((*toolchain.CLUSTER, "kubectl")).items()}


def kubectl(binaries: Mapping[str, Path], *words: str, text: str | None = None) -> str:
    config = ["--kubeconfig", str(cluster.folder() / "kubeconfig")]
    done = subprocess.run(
        [binaries["kubectl"], *config, *words], input=text, capture_output=True, text=True, check=True
    )
    return done.stdout


def host_pid(component: str) -> int:
    """PID of a component as this machine numbers it; the supervisor knows it as its own namespace does."""
    inside = cluster.status()["components"][component]["pid"]
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            numbers = next(line for line in (entry / "status").read_text().splitlines() if line.startswith("NSpid:"))
            if numbers.split()[-1] == str(inside) and component.encode() in (entry / "cmdline").read_bytes():
                return int(entry.name)
        except OSError:
            continue
    raise AssertionError(f"no process of {component}")


def test_a_cluster_comes_serves_mends_itself_and_goes_without_a_trace(binaries: Mapping[str, Path]) -> None:
    cluster.down()
    before = snapshot()
    first = cluster.up(binaries)
    assert cluster.up(binaries) == first, "a second start finds the first"

    kubectl(binaries, "apply", "-f", "-", text=json.dumps(POD))
    eventually("the pod ends", lambda: phase(binaries) in ("Succeeded", "Failed"))
    log = kubectl(binaries, "logs", "probe").split()
    assert log == ["10.96.0.1", "connected"]

    os.kill(host_pid("kube-apiserver"), signal.SIGKILL)
    eventually("the supervisor starts the API server again", lambda: cluster.running() is not None)
    assert cluster.up(binaries) == first
    assert phase(binaries) == "Succeeded", "nothing is lost"

    os.kill(first.pid, signal.SIGKILL)
    eventually("the cluster is gone", lambda: cluster.running() is None)
    second = cluster.up(binaries)
    assert second.pid != first.pid
    assert phase(binaries) == "Succeeded", "the cluster's state outlives its processes"

    cluster.down()
    assert snapshot() == before


def phase(binaries: Mapping[str, Path]) -> str:
    return str(json.loads(kubectl(binaries, "get", "pod", "probe", "-o", "json"))["status"]["phase"])


def test_a_taken_interface_or_network_is_named(
    tmp_path: Path, binaries: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.down()
    text = (Path(__file__).resolve().parents[2] / "local" / "cluster.yaml").read_text()
    for change, said in (
        (("interface: muster0", "interface: lo"), "interface lo is taken"),
        (("apiServerPort: 6443", "apiServerPort: 70000"), "apiServerPort"),
        (("link: 10.213.7.0/30", "link: everywhere"), "link"),
        (("name: muster", "nam: muster"), "nam"),
    ):
        config = tmp_path / "cluster.yaml"
        config.write_text(text.replace(*change))
        monkeypatch.setenv("MUSTER_CLUSTER_CONFIG", str(config))
        with pytest.raises(Problem, match=said):
            cluster.up(binaries)
    cluster.down()
