"""Every tool as a path: the user's own where its version fits, else built once from its pinned Go module.

Builds are keyed by everything that goes into them, so a fresh clone or a second checkout builds nothing again, and a
changed go.mod never runs a stale binary. A killed build leaves no file behind and goes on from Go's own cache.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from local.places import ROOT, cache_dir
from local.problem import Problem
from local.progress import console, step

TOOLS = ROOT / "local" / "tools"

CLUSTER: tuple[str, ...] = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kwok",
    "coredns",
)
ENGINE: tuple[str, ...] = ("pulumi", "pulumi-language-python", "pulumi-resource-kubernetes", "kubectl")
IMAGES: tuple[str, ...] = ("pause", "trainer-controller-manager", "jobset", "vc-scheduler", "vc-controller-manager")

STAMPS: Mapping[str, Mapping[str, str]] = {
    "kubernetes": {
        "k8s.io/component-base/version.gitVersion": "v{version}",
        "k8s.io/component-base/version.gitMajor": "1",
        "k8s.io/component-base/version.gitMinor": "35",
        "k8s.io/client-go/pkg/version.gitVersion": "v{version}",
    },
    "pulumi": {"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": "v{version}"},
}
"""Linker variables in which a binary keeps its version; without them it calls itself 0.0.0."""

GO_NEEDED = (1, 26)


@dataclass(frozen=True)
class Tool:
    """One usable binary."""

    name: str
    path: Path
    version: str
    origin: str
    """`built` or `yours`, with the reason."""


@cache
def table() -> Mapping[str, Mapping[str, Any]]:
    """Rows of tools.yaml by binary."""
    rows: Mapping[str, Mapping[str, Any]] = yaml.safe_load((ROOT / "local" / "tools.yaml").read_text())
    return rows


def ensure(names: Sequence[str]) -> dict[str, Tool]:
    """Usable binaries for `names`, building what is missing one after another. Raises Problem."""
    return {name: _users(name) or _built(name) for name in names}


def show(tools: Mapping[str, Tool]) -> None:
    """Say which tool is used and why."""
    for tool in tools.values():
        console.print(f"  {tool.name:28} {tool.version:9} {tool.origin}")


def _users(name: str) -> Tool | None:
    row = table()[name]
    if "with" in row:
        partner = _users(row["with"])
        found = shutil.which(name)
        if partner is None or found is None:
            return None
        return Tool(name, Path(found), partner.version, f"yours, came with {row['with']}")
    if "plugin" in row:
        home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
        binary = home / "plugins" / row["plugin"] / name
        return Tool(name, binary, row["version"], f"yours, in {binary.parent}") if binary.exists() else None
    if "accepts" not in row:
        return None
    found = shutil.which(name)
    if found is None:
        return None
    version = _version_of(Path(found))
    low, high = (_numbers(text) for text in row["accepts"])
    if version is None or not low <= _numbers(version) < high:
        return None
    return Tool(name, Path(found), version, f"yours, {row['accepts'][0]} to below {row['accepts'][1]} fits")


@cache
def _version_of(binary: Path) -> str | None:
    words = {"kubectl": ["version", "--client"], "pulumi": ["version"]}[binary.name]
    done = subprocess.run([binary, *words], capture_output=True, text=True, check=False)
    found = re.search(r"v(\d+\.\d+\.\d+)", done.stdout)
    return found.group(1) if found else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _built(name: str) -> Tool:
    row = table()[name]
    folder = cache_dir() / "bin" / f"{name}-{key(name)}"
    binary = folder / name
    if not binary.exists():
        with lock(name, f"another run that builds {name}"):
            if not binary.exists():
                _build(name, folder)
    return Tool(name, binary, row["version"], "built from its pinned module")


def key(name: str) -> str:
    """Digest of everything that decides what `go build` makes of a tool."""
    row = table()[name]
    digest = hashlib.sha256(json.dumps([row, _flags(name), go_version()], sort_keys=True).encode())
    for file in sorted((TOOLS / row["module"]).glob("*")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _flags(name: str) -> list[str]:
    row = table()[name]
    stamps = STAMPS.get(row.get("stamp", ""), {})
    variables = [f"-X {variable}={value.format(version=row['version'])}" for variable, value in stamps.items()]
    return ["-trimpath", "-mod=readonly", "-ldflags", " ".join(["-s -w", *variables])]


@cache
def go_version() -> str:
    """Version of Go that builds, as in `1.26.8`. Raises Problem when there is none or it is too old."""
    remedy = "install it from your system's packages or https://go.dev/dl/ and put it on PATH"
    if shutil.which("go") is None:
        raise Problem(f"Go {GO_NEEDED[0]}.{GO_NEEDED[1]} or newer is needed to build what this machine lacks; {remedy}")
    version = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout.strip()
    numbers = _numbers(re.sub(r"^go(\d+\.\d+(\.\d+)?).*", r"\1", version))
    if numbers < GO_NEEDED:
        raise Problem(f"found {version}, Go {GO_NEEDED[0]}.{GO_NEEDED[1]} or newer is needed; {remedy}")
    return ".".join(map(str, numbers))


def go_environment() -> dict[str, str]:
    """Environment of every Go command: the user's proxy settings, but none of the flags that change a build."""
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def module_dir(module: str, path: str) -> Path:
    """Folder of module `path` as pinned by tools/`module`, fetched when it is not there. Raises Problem."""
    words = ["go", "mod", "download", "-json", path]
    folder = TOOLS / module
    done = subprocess.run(words, cwd=folder, env=go_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Problem(f"module {path} could not be fetched: {_last_line(done.stderr or done.stdout)}")
    return Path(json.loads(done.stdout)["Dir"])


def _build(name: str, folder: Path) -> None:
    row = table()[name]
    scratch = folder.with_suffix(f".{os.getpid()}")
    log = cache_dir() / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    for killed in folder.parent.glob(f"{folder.name}.*"):
        shutil.rmtree(killed)
    scratch.mkdir(parents=True)
    try:
        with step(f"building {name} {row['version']}"), log.open("w") as out:
            words = ["go", "build", *_flags(name), "-o", str(scratch / name), row["package"]]
            done = subprocess.run(
                words,
                cwd=TOOLS / row["module"],
                env=go_environment(),
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode != 0:
            raise Problem(f"{name} could not be built: {_last_line(log.read_text())} (whole output: {log})")
        if "beside" in row:
            script = _package_parent(row)
            shutil.copy2(script, scratch / script.name)
            (scratch / script.name).chmod(0o755)
        scratch.replace(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _package_parent(row: Mapping[str, Any]) -> Path:
    module = "github.com/pulumi/pulumi/sdk/v3"
    return module_dir(row["module"], module) / str(row["beside"]).removeprefix(module + "/")


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


@contextmanager
def lock(name: str, waited_for: str) -> Iterator[None]:
    """Hold one of the cache's locks; says what it waits for when another process has it."""
    folder = cache_dir() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step(f"waiting for {waited_for}"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield
