"""What the embedded cluster could leave behind on a machine, as comparable data."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from local import components, settings
from local.node import KUBELET_TUNABLES
from local.places import cache_dir, state_dir

SYSCTLS = (
    *KUBELET_TUNABLES,
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv6/conf/all/forwarding",
    "net/bridge/bridge-nf-call-iptables",
    "net/netfilter/nf_conntrack_max",
    "net/netfilter/nf_conntrack_tcp_timeout_established",
)

PARENTS = ("/etc", "/opt", "/run", "/srv", "/usr/libexec", "/var/lib", "/var/log")
"""Folders in which container runtimes and Kubernetes make their own."""

OTHERS = ("/var/lib/kubelet", "/var/lib/cni", "/usr/libexec/kubernetes", "/etc/cni")
"""Folders of another Kubernetes on this machine: ours must not even rewrite a file there."""


def snapshot() -> dict[str, object]:
    """Our processes, mounts, links, addresses, routes, namespaces, firewall rules, sysctls, control groups, files."""
    group = components.control_group(settings.load())
    return {
        "processes": processes(),
        "mounts": sorted(
            line.split(" - ")[0].split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()
        ),
        "links": [line.split(": ")[1] for line in lines("ip", "-o", "link")],
        "addresses": [" ".join(line.split()[1:4]) for line in lines("ip", "-o", "address")],
        "routes": [
            *lines("ip", "-4", "route", "show", "table", "all"),
            *lines("ip", "-6", "route"),
            *lines("ip", "rule"),
        ],
        "namespaces": lines("ip", "netns"),
        "firewall": [line for line in lines("iptables-save") if line.startswith("-")],
        "nft": lines("nft", "list", "tables"),
        "sysctls": {name: Path("/proc/sys", name).read_text() for name in SYSCTLS if Path("/proc/sys", name).exists()},
        "control groups": sorted(map(str, Path("/sys/fs/cgroup").glob(f"**/{group}"))),
        "folders": {parent: sorted(os.listdir(parent)) for parent in PARENTS if Path(parent).exists()},  # noqa: PTH208
        "files of others": {str(path): path.lstat().st_mtime_ns for other in OTHERS for path in below(Path(other))},
    }


def below(folder: Path) -> list[Path]:
    """A folder and everything in it; nothing where there is none."""
    return [folder, *folder.rglob("*")] if folder.exists() else []


def processes() -> list[str]:
    """Commands whose program, folder or arguments lie in the cluster's own places; the tests themselves apart."""
    ours = (str(cache_dir()), str(state_dir()), "local.node")
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            # A kernel thread has no program to read.
            places = [str((entry / link).readlink()) for link in ("cwd", "exe")] if command else []
            if any(place in text for place in ours for text in (command, *places)):
                found.append(command)
    return sorted(found)


def lines(*words: str) -> list[str]:
    """Output of a command that only reads, line by line; none where this machine lacks it."""
    if shutil.which(words[0]) is None:
        return []
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()
