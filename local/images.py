"""Container images of the embedded cluster, made without a registry and loaded into its containerd.

Controllers are one static binary on nothing, under their charts' own image names. The DeepSpeed image is built by
buildah from `image/deepspeed/Dockerfile` on a Debian root file system. An image that is loaded already, made of the
same content, is left alone.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local import toolchain
from local.cluster import Cluster
from local.components import PAUSE
from local.places import ROOT, cache_dir
from local.problem import Problem
from local.progress import step

DEEPSPEED = "docker.io/muster/deepspeed:cpu"
CONTEXT = ROOT / "local" / "image" / "deepspeed"
SUITE = "bookworm"
NOBODY = "65532:65532"
"""User of controllers; their charts demand that it is not root."""


@dataclass(frozen=True)
class Controller:
    """One binary as an image."""

    tool: str
    reference: str
    path: str
    """Where the chart's command expects it, or the image's own entrypoint."""


CONTROLLERS: Sequence[Controller] = (
    Controller("pause", PAUSE, "/pause"),
    Controller("trainer-controller-manager", "ghcr.io/kubeflow/trainer/trainer-controller-manager:v2.3.0", "/manager"),
    Controller("jobset", "registry.k8s.io/jobset/jobset:v0.12.0", "/manager"),
    Controller("vc-scheduler", "docker.io/volcanosh/vc-scheduler:v1.14.1", "/vc-scheduler"),
    Controller("vc-controller-manager", "docker.io/volcanosh/vc-controller-manager:v1.14.1", "/vc-controller-manager"),
)


def ensure(running: Cluster) -> None:
    """Load every image that the cluster lacks. Raises Problem."""
    with toolchain.lock("images", "another run that loads images"):
        keys = {item.reference: toolchain.key(item.tool) for item in CONTROLLERS} | {DEEPSPEED: deepspeed_key()}
        record = cache_dir() / "containerd" / "muster-images.json"
        loaded = json.loads(record.read_text()) if record.exists() else {}
        there = set(_ctr(running, "images", "ls", "-q").split())
        for reference, key in keys.items():
            if reference in there and loaded.get(reference) == key:
                continue
            with _scratch() as scratch:
                controller = next((item for item in CONTROLLERS if item.reference == reference), None)
                if controller is not None:
                    _load_controller(running, controller, scratch)
                else:
                    _load_deepspeed(running, scratch)
            loaded[reference] = key
            record.write_text(json.dumps(loaded, indent=1))


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for one image, empty at the start also after a run that was killed."""
    folder = cache_dir() / "image-build"
    _remove_scratch(folder)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        _remove_scratch(folder)


def _remove_scratch(folder: Path) -> None:
    # buildah keeps a bind mount of its own store until it is told to let go.
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        if line.split()[4].startswith(f"{folder}/"):
            subprocess.run(["umount", line.split()[4]], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def deepspeed_key() -> str:
    """Digest of everything that decides what the DeepSpeed image holds."""
    digest = hashlib.sha256(SUITE.encode())
    for file in sorted(CONTEXT.iterdir()):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _load_controller(running: Cluster, item: Controller, scratch: Path) -> None:
    binary = toolchain.ensure([item.tool])[item.tool].path
    with step(f"image {item.reference}"):
        archive = scratch / "image.tar"
        write_archive(archive, item.reference, binary, item.path)
        _ctr(running, "images", "import", str(archive))


def write_archive(archive: Path, reference: str, binary: Path, path: str) -> None:
    """Write a docker archive with one layer: the binary at `path` and an empty /tmp. Same input, same bytes.

    https://github.com/moby/docker-image-spec
    """
    layer = archive.with_name("layer.tar")
    with tarfile.open(layer, "w") as out:
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        out.addfile(folder)
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.mode, entry.size = 0o755, binary.stat().st_size
        with binary.open("rb") as content:
            out.addfile(entry, content)
    with layer.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [path], "User": NOBODY},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [reference], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w") as out:
        for name, document in (("config.json", config), ("manifest.json", manifest)):
            text = json.dumps(document).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            out.addfile(entry, io.BytesIO(text))
        out.add(layer, "layer.tar")


def _load_deepspeed(running: Cluster, scratch: Path) -> None:
    store, archive = scratch / "store", scratch / "image.tar"
    with step("image of Debian 12, base of DeepSpeed's"):
        base = _debian(store, scratch / "debian")
    with step("image of PyTorch and DeepSpeed (downloads 2.6 GB once)"):
        arguments = {"BASE": base, "PRUNE": "yes"}
        words = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        _buildah(store, "bud", *_host_trust(), *words, "--tag", DEEPSPEED, str(CONTEXT))
    with step("loading the image into the cluster"):
        _buildah(store, "push", "--disable-compression", DEEPSPEED, f"docker-archive:{archive}:{DEEPSPEED}")
        _ctr(running, "images", "import", str(archive))


def _debian(store: Path, rootfs: Path) -> str:
    listed = _run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"])
    mirrors = [line.split()[0] for line in listed.splitlines() if line.split()[1:] == [SUITE]]
    if not mirrors:
        raise Problem(f"this machine's package sources name no Debian {SUITE}; add its main archive to them")
    _run(["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(rootfs), mirrors[0]])
    name = f"localhost/debian:{SUITE}"
    container = _buildah(store, "from", "scratch").strip()
    mounted = _buildah(store, "mount", container).strip()
    _run(["cp", "--archive", f"{rootfs}/.", mounted])
    shutil.rmtree(rootfs)
    _buildah(store, "umount", container)
    _buildah(store, "commit", "--rm", container, name)
    return name


def _host_trust() -> list[str]:
    """Give build steps this machine's certificate authorities and package settings; the image keeps neither."""
    words = ["--isolation", "chroot", "--network", "host", "--volume", "/etc/ssl/certs:/etc/ssl/certs:ro"]
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    if Path(certificates).exists():
        words += ["--env", f"PIP_CERT={certificates}", "--unsetenv", "PIP_CERT"]
    for setting in ("/etc/pip.conf", str(Path.home() / ".config" / "pip" / "pip.conf")):
        if Path(setting).exists():
            words += ["--volume", f"{setting}:/etc/pip.conf:ro"]
    return words


def _buildah(store: Path, *words: str) -> str:
    return _run(
        ["buildah", "--root", str(store), "--runroot", str(store / "run"), "--storage-driver", "overlay", *words]
    )


def _ctr(running: Cluster, *words: str) -> str:
    return _run(["ctr", "--address", str(running.containerd_socket), "--namespace", "k8s.io", *words])


def _run(words: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(words, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise Problem(f"{words[0]} {' '.join(words[1:3])} failed: {' | '.join(lines[-3:]) or 'no output'}")
    return done.stdout
