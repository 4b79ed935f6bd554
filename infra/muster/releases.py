"""The locked set of charts and versions: `releases.yaml` as typed data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

FILE = Path(__file__).with_name("releases.yaml")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cut(_Model):
    """One deliberate difference of a materialised chart from the one in its module, with its reason."""

    why: str
    remove: tuple[str, ...] = ()
    """Files or folders of the chart that are left out."""
    dependencies: bool = False
    """Take the dependency list out of Chart.yaml."""
    file: str = ""
    """File in which `replace` stands exactly once and becomes `by`."""
    replace: str = ""
    by: str = ""


class Online(_Model):
    """Where the same chart is published."""

    repository: str
    chart: str
    version: str


class Chart(_Model):
    """One chart: how it is cut from its pinned Go module, or, without one, the published archive alone."""

    tool: str = ""
    """Folder of local/tools/ that pins the module."""
    module: str = ""
    version: str = ""
    folder: str = ""
    """The chart inside the module."""
    only: tuple[str, ...] = ()
    """Folders of CRD files: the chart is made of these alone."""
    cuts: tuple[Cut, ...] = ()
    online: Online
    digest: str = ""
    """sha256 over the sorted paths and contents of the materialised chart; empty until it was fetched once."""


class Release(_Model):
    """One Helm release."""

    chart: str
    namespace: str
    gang: str = ""
    """Gang scheduler that this release belongs to; empty: always installed."""
    needs: tuple[str, ...] = ()
    values: dict[str, Any] = {}
    timeout: Annotated[int, Field(gt=0)] = 300
    """Seconds Helm may wait for readiness."""
    pools: Literal["", "gpus", "efa"] = ""
    """What a pool must have for this release to be installed; empty: always installed."""
    images: Mapping[str, str] = {}
    """Dotted paths of values that name an image's repository or registry, with the name that a mirror copies."""


class Bad(_Model):
    """Versions of a chart that are known to be bad, alone or with pools of some kind."""

    chart: str
    since: str = "0"
    below: str
    pools: Literal["", "gpus", "efa"] = ""
    families: tuple[str, ...] = ()
    """Families of instance types that are hit; empty: all."""
    why: str
    source: str


class Releases(_Model):
    """The whole set."""

    kubernetes: str
    deepspeed: Mapping[str, str]
    charts: Mapping[str, Chart]
    releases: Mapping[str, Release]
    bad: tuple[Bad, ...] = ()


def load(path: Path = FILE) -> Releases:
    """Read the set. Raises pydantic.ValidationError for a malformed file, which a unit test rules out."""
    return Releases.model_validate(yaml.safe_load(path.read_text()))
