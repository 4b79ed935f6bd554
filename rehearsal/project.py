"""A copy of the checkout for one rehearsal: program unchanged, stack file free to be edited, charts complete."""

import shutil
from pathlib import Path
from typing import Any

import yaml
from muster import documents
from muster import stack as stacks

from local.places import ROOT

COPIED = ("infra", "runtimes", "workloads", "stacks")
STANDINS = ROOT / "rehearsal" / "charts"


def copy(into: Path, tree: Path = ROOT) -> Path:
    """Make the copy of a checkout below `into`; charts that are only published come from the stand-ins."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    shutil.copy2(tree / "Pulumi.yaml", into)
    for name in COPIED:
        shutil.copytree(tree / name, into / name, ignore=shutil.ignore_patterns("__pycache__"))
    (into / ".venv").symlink_to(ROOT / ".venv")
    charts = into / "charts"
    charts.mkdir()
    standins = tree / STANDINS.relative_to(ROOT)
    for chart in (*sorted((tree / "charts").iterdir()), *sorted(standins.iterdir())):
        if not (charts / chart.name).exists():
            (charts / chart.name).symlink_to(chart)
    return into


def edit(root: Path, stack: str, path: str, value: Any) -> None:
    """Set one key of the copy's stack file by dotted path, or take it away where `value` is None."""
    file = root / stacks.file_of(stack)
    document: Any = documents.load(file.read_bytes(), str(file))
    first, *rest = path.split(".")
    here = document["config"]
    keys = [f"muster:{first}", *rest]
    for key in keys[:-1]:
        here = here.setdefault(key, {})
    if value is None:
        here.pop(keys[-1], None)
    else:
        here[keys[-1]] = value
    file.write_text(yaml.safe_dump(document, sort_keys=False))
