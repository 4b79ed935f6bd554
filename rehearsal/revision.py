"""A revision of the checkout beside the working tree: what differs, and its files."""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from muster import releases

from local.places import ROOT
from local.problem import Problem

LOCKED = releases.FILE.relative_to(ROOT)


def commit(revision: str) -> str:
    """Full id of a revision. Raises Problem where there is none."""
    try:
        return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    except Problem:
        raise Problem(
            f"{revision!r} is no revision of this checkout; give a commit, branch or tag: BASE=main"
        ) from None


def differences(base: str) -> tuple[str, ...]:
    """Paths in which the working tree differs from a commit, files that git does not know yet included."""
    listed = _git("diff", "--name-only", "--no-renames", "-z", base) + _git(
        "ls-files", "--others", "--exclude-standard", "-z"
    )
    return tuple(sorted({path for path in listed.split("\0") if path}))


def extract(base: str, into: Path) -> Path:
    """Write the files of a commit below `into`, with the charts that it pins. Raises Problem."""
    archive = subprocess.run(["git", "archive", base], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode != 0:
        raise Problem(f"the files of {base} can't be read: {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(into, filter="data")
    (into / ".venv").symlink_to(ROOT / ".venv")
    if (into / LOCKED).read_bytes() == (ROOT / LOCKED).read_bytes():
        (into / "charts").symlink_to(ROOT / "charts")
        return into
    # Charts of an older set are cut by the code and from the modules of their own time.
    done = subprocess.run(
        [sys.executable, "-m", "local", "charts"], cwd=into, env=environment(into), capture_output=True, check=False
    )
    if done.returncode != 0:
        raise Problem(f"the charts of {base} can't be made: {done.stderr.decode().strip()}")
    return into


def environment(tree: Path) -> dict[str, str]:
    """The caller's environment, in which Python takes this project's modules from another tree."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(tree), str(tree / "infra")]), "PYTHONHASHSEED": "0"}


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Problem(f"git {words[0]} failed: {done.stderr.strip()}")
    return done.stdout
