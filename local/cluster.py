"""A real Kubernetes on this machine, in namespaces of its own: start, look, stop.

One supervisor (`local.node`) is PID 1 of PID, mount, network, IPC and UTS namespaces. Its end is the end of every
process, mount, address and firewall rule of the cluster; only its control groups and its folder are removed by hand.
The cluster has no way out to other networks: images are loaded into it, not pulled.
"""

import contextlib
import datetime as dt
import fcntl
import ipaddress
import json
import os
import platform
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import components, pki, settings
from local.places import ROOT, cache_dir, state_dir
from local.problem import Problem
from local.progress import step

OWN_CLUSTER = "or use a cluster of your own: make up STACK=existing KUBECONFIG=/path/to/kubeconfig"
START_S, STOP_S = 90.0, 20.0
MEND_S = 30.0
"""How long a supervisor may take to mend its cluster before everything is started again, which ends all pods."""

SOCKET_PATH = 107
"""Longest path of a Unix socket: unix(7)."""

CAPABILITIES: Mapping[str, int] = {"CAP_NET_ADMIN": 12, "CAP_SYS_CHROOT": 18, "CAP_SYS_ADMIN": 21}
"""Numbers of linux/capability.h."""

CONTROLLERS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Cluster:
    """A running embedded cluster."""

    kubeconfig: Path
    containerd_socket: Path
    pid: int
    """The supervisor, as this machine numbers it."""


def folder() -> Path:
    """Everything the cluster owns but its images."""
    return state_dir() / "cluster"


def check_machine() -> None:
    """Raise Problem where no embedded cluster can run."""
    if platform.system() != "Linux":
        raise Problem(f"the embedded cluster needs Linux, this is {platform.system()}; {OWN_CLUSTER}")
    if os.geteuid() != 0:
        raise Problem(f"the embedded cluster needs root, this is user {os.geteuid()}; run it as root, {OWN_CLUSTER}")
    effective = next(
        int(line.split()[1], 16)
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("CapEff")
    )
    lacking = [name for name, number in CAPABILITIES.items() if not effective >> number & 1]
    if lacking:
        raise Problem(f"the embedded cluster needs {', '.join(lacking)}, which this process lacks; {OWN_CLUSTER}")


def running() -> Cluster | None:
    """The cluster, if its supervisor lives and its API server and node are ready."""
    pid = _supervisor()
    if pid is None or not _ready():
        return None
    return _cluster(pid)


def up(binaries: Mapping[str, Path]) -> Cluster:
    """Start the cluster, mend a half-started one, or return the one that runs. Raises Problem."""
    check_machine()
    chosen = settings.load()
    with _lock():
        _check_settings(chosen)
        if (found := running() or _mended()) is not None:
            return found
        _end()
        _check_paths()
        _check_image_store()
        _check_link(chosen)
        _check_control_group(chosen)
        with step("starting the embedded cluster"):
            return _start(chosen, binaries)


def down() -> None:
    """Stop the cluster and remove all that is left of it. Does nothing when nothing is there."""
    state = folder()
    if not state.exists():
        return
    with _lock(), step("stopping the embedded cluster"):
        _end()
        shutil.rmtree(state, ignore_errors=True)
    if state.exists():
        raise Problem(f"{state} could not be removed; look for mounts below it with findmnt")


def status() -> Mapping[str, Any]:
    """What the supervisor last said of its components; empty when it does not run."""
    if _supervisor() is None:
        return {}
    with contextlib.suppress(OSError, ValueError):
        report: Mapping[str, Any] = json.loads((folder() / "status.json").read_text())
        return report
    return {}


def _start(chosen: settings.ClusterSettings, binaries: Mapping[str, Path]) -> Cluster:
    state = folder()
    state.mkdir(parents=True, exist_ok=True)
    _record().write_text(chosen.model_dump_json())
    since = dt.datetime.now(dt.UTC).replace(microsecond=0)
    link = ipaddress.ip_network(chosen.link)
    gateway, address = (str(host) for host in list(link.hosts())[:2])
    service = str(ipaddress.ip_network(chosen.services)[1])
    names = [
        address,
        service,
        "127.0.0.1",
        components.NODE,
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
    ]
    keys = pki.make(state / "pki", names, dt.datetime.now(dt.UTC))
    node = components.node(chosen, state, cache_dir() / "containerd", keys, binaries)
    pki.write_kubeconfig(state / "kubeconfig", keys, node.api, chosen.name)
    (state / "node.json").write_text(node.json())
    for name in ("status.json", "kubelet/cpu_manager_state", "kubelet/memory_manager_state"):
        (state / name).unlink(missing_ok=True)
    (state / "log").mkdir(exist_ok=True)
    _make_control_groups(components.control_group(chosen))
    words = ["unshare", "--fork", "--kill-child=SIGKILL", "--pid", "--mount-proc", "--mount", "--net", "--ipc", "--uts"]
    with (state / "log" / "node.log").open("ab") as log:
        parent = subprocess.Popen(
            [*words, sys.executable, "-m", "local.node", str(state)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=ROOT,
        )
    try:
        pid = _child_of(parent.pid)
        (state / "pid").write_text(json.dumps([parent.pid, _started(parent.pid), pid]))
        _link(chosen.interface, f"{gateway}/{link.prefixlen}", pid)
        _wait_ready(parent, since)
    except BaseException:
        _end()
        raise
    return _cluster(pid)


def _cluster(pid: int) -> Cluster:
    return Cluster(folder() / "kubeconfig", folder() / "containerd.sock", pid)


def _mended() -> Cluster | None:
    """The cluster once its supervisor has mended it, or it answers again after a stall; None when that is hopeless."""
    if _supervisor() is None:
        return None
    deadline = time.monotonic() + MEND_S
    with step("waiting for the embedded cluster to answer"):
        while _supervisor() is not None and time.monotonic() < deadline:
            if (found := running()) is not None:
                return found
            time.sleep(0.1)
    return None


def _wait_ready(parent: subprocess.Popen[bytes], since: dt.datetime) -> None:
    deadline = time.monotonic() + START_S
    while not _ready(since):
        if parent.poll() is not None:
            raise Problem(f"the embedded cluster ended while starting: {_last_words('node')}; {OWN_CLUSTER}")
        if time.monotonic() > deadline:
            late = _not_ready() or ["node"]
            said = f"{late[0]} was not ready within {START_S:.0f} s: {_last_words(late[0])}"
            raise Problem(f"{said}; clear the cluster's state with make cluster-down and try again, {OWN_CLUSTER}")
        time.sleep(0.1)


def _ready(since: dt.datetime | None = None) -> bool:
    """Whether everything answers; with `since`, only what kubelet said from then on counts.

    A cluster that is started again finds its node in etcd, ready as it was in its earlier life.
    """
    report = status()
    if not report.get("api") or _not_ready():
        return False
    node = json.loads((folder() / "node.json").read_text())
    context = ssl.create_default_context(cafile=str(folder() / "pki" / "ca.crt"))
    context.load_cert_chain(str(folder() / "pki" / "admin.crt"), str(folder() / "pki" / "admin.key"))
    try:
        url = f"{node['api']}/api/v1/nodes/{components.NODE}"
        with urllib.request.urlopen(url, timeout=2, context=context) as answer:
            conditions = json.load(answer).get("status", {}).get("conditions") or ()
    except OSError:
        return False
    ready = [c for c in conditions if c["type"] == "Ready" and c["status"] == "True"]
    return any(since is None or dt.datetime.fromisoformat(c["lastHeartbeatTime"]) >= since for c in ready)


def _not_ready() -> list[str]:
    return [name for name, entry in status().get("components", {}).items() if not entry["ready"]]


def _last_words(component: str) -> str:
    log = folder() / "log" / f"{component}.log"
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return f"{lines[-1] if lines else 'no output'} (whole log: {log})"


def _supervisor() -> int | None:
    """The supervisor's PID if that very process still lives."""
    try:
        parent, started, pid = json.loads((folder() / "pid").read_text())
    except (OSError, ValueError):
        return None
    return pid if _started(parent) == started else None


def _started(pid: int) -> int | None:
    """Start time of a living process in clock ticks since boot: the 22nd field of proc_pid_stat(5)."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else int(fields[18])


def _child_of(parent: int) -> int:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
            # unshare has its namespaces only once the child's differ from ours.
            if children and Path(f"/proc/{children[0]}/ns/net").readlink() != Path("/proc/self/ns/net").readlink():
                return int(children[0])
        time.sleep(0.01)
    raise Problem(f"this kernel made no new namespaces: {_last_words('node')}; {OWN_CLUSTER}")


def _link(interface: str, address: str, pid: int) -> None:
    for words in (
        ["link", "add", interface, "type", "veth", "peer", "name", "eth0", "netns", str(pid)],
        ["address", "add", address, "dev", interface],
        ["link", "set", interface, "up"],
    ):
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Problem(f"ip {' '.join(words)}: {done.stderr.strip()}")


def _remove_link(interface: str) -> None:
    """Remove the link now: the kernel would do it too, some time after the last process of its namespace."""
    if interface in _interfaces():
        subprocess.run(["ip", "link", "delete", interface], capture_output=True, check=False)


def _interfaces() -> list[str]:
    return [name for _, name in socket.if_nameindex()]


def _check_link(chosen: settings.ClusterSettings) -> None:
    """Refuse an interface name or network that somebody else on this machine has."""
    remedy = "choose another in local/cluster.yaml or a file named by MUSTER_CLUSTER_CONFIG"
    if chosen.interface in _interfaces():
        raise Problem(f"interface {chosen.interface} is taken on this machine; {remedy} (interface)")
    words = ["ip", "-json", "-4", "route", "show", "table", "all"]
    routes = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    for route in json.loads(routes or "[]"):
        taken = ipaddress.ip_network("0.0.0.0/0" if route["dst"] == "default" else route["dst"])
        # Two halves of everything are a tunnel's way to be the default route: openvpn(8), redirect-gateway def1.
        if taken.prefixlen > 1 and taken.overlaps(ipaddress.ip_network(chosen.link)):
            raise Problem(f"network {chosen.link} is taken by {route['dst']} on {route.get('dev')}; {remedy} (link)")


def _check_paths() -> None:
    """Refuse a state folder below which a socket could not be made."""
    over = len(os.fsencode(folder() / "kubelet" / "pod-resources" / "kubelet.sock")) - SOCKET_PATH
    if over > 0:
        raise Problem(f"{folder()} is {over} characters too long for sockets below it; set a shorter XDG_STATE_HOME")


def _check_image_store() -> None:
    """Refuse images that another cluster's containerd holds; its database has one user at a time.

    https://github.com/etcd-io/bbolt#opening-a-database
    """
    store = cache_dir() / "containerd"
    with contextlib.suppress(FileNotFoundError), (store / "io.containerd.metadata.v1.bolt" / "meta.db").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            remedy = "stop it with make cluster-down in its environment, or set another XDG_CACHE_HOME for this one"
            raise Problem(f"{store} is in use by another embedded cluster; {remedy}") from None


def _check_control_group(chosen: settings.ClusterSettings) -> None:
    """Refuse control groups in which somebody else's processes run."""
    for root in _hierarchies():
        for path, _, _ in os.walk(root / components.control_group(chosen)):
            with contextlib.suppress(OSError):
                if process := (Path(path) / "cgroup.procs").read_text().split():
                    remedy = "choose another interface in local/cluster.yaml or a file named by MUSTER_CLUSTER_CONFIG"
                    raise Problem(f"control group {path} is taken by process {process[0]}; {remedy}")


def _check_settings(chosen: settings.ClusterSettings) -> None:
    """Refuse settings other than those on which certificates and stored addresses of the cluster stand."""
    made = _made()
    if made is None or made == chosen:
        return
    keys = [field.alias or name for name, field in type(chosen).model_fields.items()]
    before, now = (item.model_dump(by_alias=True) for item in (made, chosen))
    changes = ", ".join(f"{key} {before[key]} to {now[key]}" for key in keys if before[key] != now[key])
    remedy = "end it with make cluster-down, then run this again"
    raise Problem(f"the embedded cluster was made with other settings ({changes}); {remedy}")


def _record() -> Path:
    return folder() / "settings.json"


def _made() -> settings.ClusterSettings | None:
    """The settings with which the cluster was made."""
    try:
        return settings.ClusterSettings.model_validate_json(_record().read_text(), by_name=True)
    except (OSError, ValueError):
        return None


def _end() -> None:
    """End the supervisor and with it everything in its namespaces; remove control groups."""
    state = folder()
    try:
        parent, started, pid = json.loads((state / "pid").read_text())
    except (OSError, ValueError):
        parent = None
    if parent is not None and _started(parent) == started:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        if not _gone(parent, started, STOP_S):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                os.kill(parent, signal.SIGKILL)
            _gone(parent, started, STOP_S)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(parent, os.WNOHANG)
    made = _made()
    if made is not None:
        _remove_link(made.interface)
        _remove_control_groups(components.control_group(made))
    for name in ("pid", "containerd.sock", "containerd.sock.ttrpc"):
        (state / name).unlink(missing_ok=True)


def _gone(pid: int, started: int, within: float) -> bool:
    deadline = time.monotonic() + within
    while _started(pid) == started:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _hierarchies() -> list[Path]:
    """Roots in which the cluster's control groups lie: one for cgroup v2, one for each controller of v1."""
    if (CONTROLLERS / "cgroup.controllers").exists():
        return [CONTROLLERS]
    return [path for path in CONTROLLERS.iterdir() if path.is_dir() and (path / "cgroup.procs").exists()]


def _make_control_groups(name: str) -> None:
    for root in _hierarchies():
        own = root / name
        own.mkdir(exist_ok=True)
        if (root / "cgroup.controllers").exists():
            wanted = " ".join(f"+{item}" for item in (root / "cgroup.controllers").read_text().split())
            with contextlib.suppress(OSError):
                (root / "cgroup.subtree_control").write_text(wanted)
            with contextlib.suppress(OSError):
                (own / "cgroup.subtree_control").write_text(wanted)
        # A v1 cpuset starts empty and would hold no process: cpuset(7).
        for item in ("cpuset.cpus", "cpuset.mems"):
            if (root / item).exists() and (own / item).exists():
                (own / item).write_text((root / item).read_text())


def _remove_control_groups(name: str) -> None:
    deadline = time.monotonic() + STOP_S
    for root in _hierarchies():
        own = root / name
        while own.exists():
            for path, _, _ in os.walk(own, topdown=False):
                with contextlib.suppress(OSError):
                    Path(path).rmdir()
            if own.exists():
                if time.monotonic() > deadline:
                    raise Problem(f"control group {own} could not be removed; processes are still in it")
                time.sleep(0.05)


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    place = state_dir() / "cluster.lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step("waiting for another run that starts or stops the embedded cluster"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield
