"""Where this project keeps what is not in the checkout, after the XDG base directory specification.

https://specifications.freedesktop.org/basedir-spec/latest/
"""

import os
from pathlib import Path

from muster import places

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""


def cache_dir() -> Path:
    """Built tools, images and their layers: slow to make, the same for every checkout, removed by `make clean`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "muster"


def state_dir() -> Path:
    """What the running embedded cluster and its stacks own; removed by `make down`."""
    return places.state_dir(os.environ)
