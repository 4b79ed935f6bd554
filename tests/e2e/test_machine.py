"""The embedded cluster starts, mends itself, and leaves the machine as it was."""

import ipaddress
import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from local import cluster, orphans, settings, toolchain
from local.places import ROOT
from local.problem import Problem
from tests.e2e.cluster_view import eventually
from tests.e2e.machine import processes, snapshot

IMAGE = "docker.io/muster/deepspeed:cpu"
ALLOCATABLE = json.dumps({"cpu": "192", "memory": "2Ti", "nvidia.com/gpu": "8", "pods": "110"})
SERVED = [
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "labels": {"app": "probe"}},
        "spec": {
            "hostname": "probe-0",
            "subdomain": "gang",
            "terminationGracePeriodSeconds": 0,
            "nodeSelector": {"muster.dev/pool": "cpu"},
            "containers": [
                {
                    "name": "probe",
                    "image": IMAGE,
                    "imagePullPolicy": "Never",
                    "command": ["python3", "-u", "-m", "http.server", "8080"],
                }
            ],
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "gang"},
        "spec": {"clusterIP": "None", "selector": {"app": "probe"}, "ports": [{"port": 8080}]},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "front"},
        "spec": {"selector": {"app": "probe"}, "ports": [{"port": 80, "targetPort": 8080}]},
    },
    {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": "fake-0",
            "labels": {"pool": "fake"},
            "annotations": {"kwok.x-k8s.io/node": "fake", "muster.dev/allocatable": ALLOCATABLE},
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "simulated"},
        "spec": {
            "nodeSelector": {"pool": "fake"},
            "containers": [{"name": "probe", "image": "none", "resources": {"limits": {"nvidia.com/gpu": "8"}}}],
        },
    },
]

LOOK = """
import socket, urllib.request
print(socket.gethostbyname("kubernetes.default"))
print(socket.gethostbyname("probe-0.gang") == socket.gethostbyname(socket.gethostname()))
print(urllib.request.urlopen("http://front.default.svc.cluster.local/", timeout=5).status)
socket.create_connection(("kubernetes.default", 443), 5).close()
print("connected")
"""


@pytest.fixture(scope="module")
def binaries() -> Mapping[str, Path]:
    try:
        cluster.check_machine()
    except Problem as problem:
        pytest.skip(str(problem))
    return {name: tool.path for name, tool in toolchain.ensure((*toolchain.CLUSTER, "kubectl")).items()}


def kubectl(binaries: Mapping[str, Path], *words: str, text: str | None = None) -> str:
    """Output of kubectl on the embedded cluster; nothing when it fails."""
    config = ["--kubeconfig", str(cluster.folder() / "kubeconfig")]
    done = subprocess.run(
        [binaries["kubectl"], *config, *words], input=text, capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout if done.returncode == 0 else ""


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


def look(binaries: Mapping[str, Path]) -> list[str]:
    """What the pod sees: addresses by name, a Service, the API server."""
    return kubectl(binaries, "exec", "probe", "--", "python3", "-c", LOOK).split()


def phase(binaries: Mapping[str, Path], pod: str) -> str:
    return kubectl(binaries, "get", "pod", pod, "-o", "jsonpath={.status.phase}")


def restarts(binaries: Mapping[str, Path]) -> int:
    return int(kubectl(binaries, "get", "pod", "probe", "-o", "jsonpath={.status.containerStatuses[0].restartCount}"))


def test_a_cluster_comes_serves_mends_itself_and_goes_without_a_trace(binaries: Mapping[str, Path]) -> None:
    cluster.down()
    orphans.end()
    eventually("nothing of ours runs, not even plugins of an engine that was killed", lambda: not processes())
    before = snapshot()
    first = cluster.up(binaries)
    assert cluster.up(binaries) == first, "a second start finds the first"
    api = str(ipaddress.ip_network(settings.load().services)[1])
    seen = [api, "True", "200", "connected"]

    manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": SERVED})
    assert kubectl(binaries, "apply", "-f", "-", text=manifests)
    eventually("the pod finds its Services and the API server", lambda: look(binaries) == seen)
    assert "GET / HTTP/1.1" in kubectl(binaries, "logs", "probe")
    eventually("a simulated node runs its pod", lambda: phase(binaries, "simulated") == "Running")

    for component in ("kube-apiserver", "kubelet", "containerd", "etcd"):
        os.kill(host_pid(component), signal.SIGKILL)
        assert cluster.up(binaries) == first, f"{component}: the supervisor mends it"
        eventually(f"{component} serves again", lambda: cluster.running() is not None and look(binaries) == seen)
    assert restarts(binaries) == 0, "pods outlive a component's crash"

    os.kill(first.pid, signal.SIGKILL)
    eventually("the cluster is gone", lambda: cluster.running() is None)
    second = cluster.up(binaries)
    assert second.pid != first.pid
    eventually("the cluster's state outlives its processes", lambda: look(binaries) == seen)
    assert restarts(binaries) == 1

    cluster.down()
    assert snapshot() == before


def test_a_stall_of_the_api_server_ends_nothing(binaries: Mapping[str, Path]) -> None:
    first = cluster.up(binaries)
    api_server = host_pid("kube-apiserver")
    os.kill(api_server, signal.SIGSTOP)
    assert cluster.running() is None
    awake = threading.Timer(1, os.kill, (api_server, signal.SIGCONT))
    awake.start()
    try:
        assert cluster.up(binaries) == first
    finally:
        awake.join()
        cluster.down()


def test_other_settings_and_a_shared_image_store_are_refused(
    tmp_path: Path, binaries: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cluster.up(binaries)
    other = settings.load().model_dump(by_alias=True) | {"interface": "muster7", "link": "192.0.2.0/30"}
    config = tmp_path / "cluster.yaml"
    config.write_text(json.dumps(other))
    with monkeypatch.context() as changed:
        changed.setenv("MUSTER_CLUSTER_CONFIG", str(config))
        with pytest.raises(Problem, match=r"made with other settings \(interface .* to muster7, link .* to 192"):
            cluster.up(binaries)
        # pytest's own folders have names too long for sockets below them.
        with tempfile.TemporaryDirectory() as short:
            changed.setenv("XDG_STATE_HOME", short)
            with pytest.raises(Problem, match=r"in use by another embedded cluster; .* XDG_CACHE_HOME"):
                cluster.up(binaries)
    assert cluster.running() == first, "the cluster that runs is left alone"
    cluster.down()


def test_a_cluster_killed_at_its_start_is_cleared_away(binaries: Mapping[str, Path]) -> None:
    cluster.down()
    before = snapshot()
    first = cluster.up(binaries)
    os.kill(first.pid, signal.SIGKILL)
    cluster.down()
    assert snapshot() == before


def test_a_taken_interface_or_network_is_named(
    tmp_path: Path, binaries: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.down()
    text = (ROOT / "local" / "cluster.yaml").read_text()
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
