"""Where the embedded cluster leaves its kubeconfig, after the XDG base directory specification.

https://specifications.freedesktop.org/basedir-spec/latest/
"""

from collections.abc import Mapping
from pathlib import Path


def state_dir(environ: Mapping[str, str]) -> Path:
    """Folder of everything that the embedded cluster and the stacks on it own."""
    home = environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path(environ.get("HOME") or Path.home()) / ".local" / "state") / "muster"


def embedded_kubeconfig(environ: Mapping[str, str]) -> Path:
    """Administrator kubeconfig of the embedded cluster; there only while that cluster exists."""
    return state_dir(environ) / "cluster" / "kubeconfig"
