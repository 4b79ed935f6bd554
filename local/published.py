"""Charts from where they are published: a Helm repository's index, then the archive that it names."""

import io
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import yaml
from muster.releases import Online

from local.problem import Problem

LIMIT_S = 60.0


def fetch(online: Online, into: Path) -> Path:
    """The chart's folder, unpacked at `into`. Raises Problem.

    https://helm.sh/docs/topics/chart_repository/
    """
    base = online.repository.rstrip("/") + "/"
    index: Any = yaml.load(_read(base + "index.yaml"), Loader=yaml.CSafeLoader)
    found = [row for row in index.get("entries", {}).get(online.chart, ()) if row["version"] == online.version]
    if not found:
        raise Problem(f"{base} has no chart {online.chart} {online.version}")
    archive = _read(urllib.parse.urljoin(base, found[0]["urls"][0]))
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as packed:
        packed.extractall(into.parent, filter="data")
    unpacked = into.parent / online.chart
    if unpacked != into:
        unpacked.rename(into)
    return into


def _read(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:
            content: bytes = answer.read()
            return content
    except (urllib.error.URLError, TimeoutError) as error:
        raise Problem(f"{url} can't be read: {getattr(error, 'reason', error)}") from None
