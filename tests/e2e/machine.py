"""What the embedded cluster could leave behind on a machine, as comparable data."""

import contextlib
import os
import subprocess
from pathlib import Path

from local.places import cache_dir, state_dir

SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "net/netfilter/nf_conntrack_max",
)


def snapshot() -> dict[str, object]:
    """Our processes, mounts, links, addresses, routes, namespaces, firewall rules, sysctls, control groups, folders."""
    return {
        "processes": processes(),
        "mounts": sorted(
            line.split(" - ")[0].split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()
        ),
        "links": [line.split(": ")[1] for line in lines("ip", "-o", "link")],
        "addresses": [" ".join(line.split()[1:4]) for line in lines("ip", "-o", "address")],
        "routes": lines("ip", "route"),
        "namespaces": lines("ip", "netns"),
        "firewall": [line for line in lines("iptables-save") if line.startswith("-")],
        "sysctls": {name: Path("/proc/sys", name).read_text() for name in SYSCTLS if Path("/proc/sys", name).exists()},
        "control groups": [path for path in map(str, Path("/sys/fs/cgroup").glob("**/muster")) if path],
        "folders": [path for path in ("/var/lib/cni", "/run/containerd-state", "/run/muster") if Path(path).exists()],
    }


def processes() -> list[str]:
    """Commands whose program, folder or arguments lie in the cluster's own places; the tests' own helpers apart."""
    ours = (str(cache_dir()), str(state_dir()), "local.node")
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if any(place in command for place in ours):
                found.append(command)
    return sorted(found)


def lines(*words: str) -> list[str]:
    """Output of a command that only reads, line by line."""
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()
