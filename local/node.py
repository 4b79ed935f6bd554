"""PID 1 of the embedded cluster: one process in namespaces of its own whose end is the end of everything below it.

Started by `local.cluster` under `unshare`. It makes mounts and addresses that nobody outside can see, starts the
components, starts a crashed one again, and reaps what is re-parented to it.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

POLL_S = 0.05
BACKOFF_S = (0.2, 0.5, 1, 2, 5, 10)
STEADY_S = 30.0
"""A component that ran this many seconds is forgiven its earlier crashes."""

KUBELET_TUNABLES: Mapping[str, str] = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""Kernel settings that kubelet sets for the whole machine. It is shown files with these values instead.

https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/kubelet/cm/container_manager_linux.go (setupKernelTunables)
"""


def run(*words: str) -> None:
    """Run a command that must succeed."""
    subprocess.run(words, check=True)


def mounts(node: Mapping[str, Any]) -> None:
    """Make the machine's shared folders private to the cluster."""
    state = Path(node["state"])
    # Pods' volumes are propagated from here; the outer mount namespace never sees them.
    run("mount", "--make-rshared", "/")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    (state / "log").mkdir(exist_ok=True)
    run("mount", "--bind", str(state / "log"), "/var/log")
    Path("/run/muster/volumes").mkdir(parents=True)
    cover(Path("/var/lib"), [state, Path(node["images"])])
    volumes = Path(node["volumes"])
    volumes.mkdir(exist_ok=True)
    # Pods of any user keep checkpoints here; kubelet gives a subPath folder the mode of its volume.
    volumes.chmod(0o777)
    run("mount", "--bind", str(volumes), "/run/muster/volumes")
    shown = state / "tunables"
    for name, value in KUBELET_TUNABLES.items():
        file = shown / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(value + "\n")
        run("mount", "--bind", str(file), f"/proc/sys/{name}")


def cover(folder: Path, kept: Sequence[Path]) -> None:
    """Send what is written below `folder` to memory, but for the folders `kept`.

    kubelet's /var/lib/kubelet/device-plugins, which it also clears of another kubelet's sockets, and CNI's cache in
    /var/lib/cni have no setting: https://github.com/kubernetes/kubelet/blob/v0.35.4/pkg/apis/deviceplugin/v1beta1/constants.go
    and https://github.com/containernetworking/cni/blob/v1.1.1/libcni/api.go.
    """
    scratch = Path("/run/muster/cover")
    for name in ("upper", "work"):
        (scratch / name).mkdir(parents=True)
    held = {}
    for number, path in enumerate(path for path in map(Path.resolve, kept) if path.is_relative_to(folder)):
        held[path] = scratch / str(number)
        held[path].mkdir()
        path.mkdir(parents=True, exist_ok=True)
        run("mount", "--bind", str(path), str(held[path]))
    options = f"lowerdir={folder},upperdir={scratch / 'upper'},workdir={scratch / 'work'}"
    run("mount", "-t", "overlay", "-o", options, "overlay", str(folder))
    for path, place in held.items():
        run("mount", "--bind", str(place), str(path))


def network(node: Mapping[str, Any]) -> None:
    """Addresses of the node and of the pods' bridge; waits until the machine has moved the link in."""
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError):
            socket.if_nametoindex("eth0")
            break
        if time.monotonic() > deadline:
            raise SystemExit("the link to this machine did not appear within 20 s")
        time.sleep(0.02)
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{node['address']}/{node['prefix']}", "dev", "eth0")
    run("ip", "link", "set", "eth0", "up")
    run("ip", "route", "add", "default", "via", node["gateway"])
    run("ip", "link", "add", "cni0", "type", "bridge")
    run("ip", "address", "add", f"{node['bridge']}/{node['bridge_prefix']}", "dev", "cni0")
    run("ip", "link", "set", "cni0", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")


class Process:
    """One component: its process, its crashes and its readiness."""

    def __init__(self, component: Mapping[str, Any], logs: Path) -> None:
        self.name: str = component["name"]
        self._argv: Sequence[str] = component["argv"]
        self.after: str = component["after"]
        self._check: str = component["ready"]
        self._log = logs / f"{self.name}.log"
        self.pid: int | None = None
        self._started = 0.0
        self.crashes = 0
        self._again_at = 0.0

    def start(self) -> None:
        """Start it, its output appended to its log."""
        with self._log.open("ab") as log:
            child = subprocess.Popen(
                self._argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        # PID 1 reaps every child itself; the Popen object must not.
        child.returncode = 0
        self.pid, self._started = child.pid, time.monotonic()

    def ended(self) -> None:
        """Note a crash and when to try again."""
        self.pid = None
        if time.monotonic() - self._started > STEADY_S:
            self.crashes = 0
        self._again_at = time.monotonic() + BACKOFF_S[min(self.crashes, len(BACKOFF_S) - 1)]
        self.crashes += 1

    def due(self) -> bool:
        """Whether it should be started now."""
        return self.pid is None and time.monotonic() >= self._again_at

    def ready(self) -> bool:
        """Whether it runs and answers its check."""
        if self.pid is None:
            return False
        kind, _, where = self._check.partition(":")
        if kind == "":
            return True
        family, address = _address(kind, where)
        with contextlib.suppress(OSError), socket.socket(family) as probe:
            probe.settimeout(0.2)
            probe.connect(address)
            return True
        return False


def _address(kind: str, where: str) -> tuple[socket.AddressFamily, Any]:
    if kind == "unix":
        return socket.AF_UNIX, where
    host, _, port = where.rpartition(":")
    return socket.AF_INET, (host, int(port))


class Api:
    """Whether the API server is ready."""

    def __init__(self, node: Mapping[str, Any]) -> None:
        pki = Path(node["state"]) / "pki"
        self._url = node["api"] + "/readyz"
        self._context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._context.load_cert_chain(str(pki / "admin.crt"), str(pki / "admin.key"))

    def ready(self) -> bool:
        """Ask /readyz once."""
        with (
            contextlib.suppress(OSError, urllib.error.URLError),
            urllib.request.urlopen(self._url, timeout=1, context=self._context) as answer,
        ):
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP OK
        return False


def reap(processes: Sequence[Process]) -> None:
    """Collect every child that ended, own or re-parented."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        for process in processes:
            if process.pid == pid:
                process.ended()


def main(state: Path) -> None:
    """Run the node until SIGTERM."""
    ctypes.CDLL(None).prctl(15, b"muster-node")  # PR_SET_NAME, prctl(2)
    node = json.loads((state / "node.json").read_text())
    mounts(node)
    network(node)
    socket.sethostname("muster")
    logs = state / "log"
    processes = [Process(component, logs) for component in node["components"]]
    api = Api(node)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        # The kernel ends every process of a PID namespace with its PID 1: pid_namespaces(7).
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    status, api_ready = state / "status.json", False
    while True:
        reap(processes)
        api_ready = api_ready or api.ready()
        for process in processes:
            if process.due() and (process.after == "start" or api_ready):
                process.start()
        report = {
            "api": api_ready,
            "components": {p.name: {"pid": p.pid, "crashes": p.crashes, "ready": p.ready()} for p in processes},
        }
        scratch = status.with_suffix(".new")
        scratch.write_text(json.dumps(report))
        scratch.replace(status)
        settled = api_ready and all(entry["ready"] for entry in report["components"].values())  # type: ignore[attr-defined]
        time.sleep(0.5 if settled else POLL_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
