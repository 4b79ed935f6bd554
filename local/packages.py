"""The Debian packages that the embedded cluster and image builds stand on."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local.problem import Problem
from local.progress import step

NEEDED: Mapping[str, str] = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "modprobe": "kmod",
    "unshare": "util-linux",
}
"""Binary (or file) to the package that has it."""


def missing() -> list[str]:
    """Packages whose binary is not on this machine."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    there = (Path(name).exists() if name.startswith("/") else shutil.which(name, path=path) for name in NEEDED)
    return [package for package, found in zip(NEEDED.values(), there, strict=True) if not found]


def ensure() -> None:
    """Install what is missing. Raises Problem where that can't be done."""
    packages = missing()
    if not packages:
        return
    listed = " ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Problem(f"these packages are missing: {listed}; install them, then run this again")
    quiet = {"DEBIAN_FRONTEND": "noninteractive", **os.environ}
    with step(f"installing {listed}"):
        for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
            done = subprocess.run(["apt-get", *words], env=quiet, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                said = (done.stderr or done.stdout).strip().splitlines()
                raise Problem(
                    f"apt-get {words[0]} failed: {said[-1] if said else 'no output'}; install by hand: {listed}"
                )
