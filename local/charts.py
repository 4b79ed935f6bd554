"""Charts as folders whose content is pinned, so that a preview asks no chart server and no changed chart slips in."""

import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from muster import releases
from muster.charts import digest
from muster.releases import Chart, Cut

from local import published, toolchain
from local.places import ROOT
from local.problem import Problem
from local.progress import step

FOLDER = ROOT / "charts"


def pin(*, with_published: bool = False) -> None:
    """Write the digest of every chart, as it is made now, into releases.yaml: a deliberate change of the set.

    With `with_published`, also of charts that are fetched from where they are published. Raises Problem.
    """
    text = releases.FILE.read_text()
    with tempfile.TemporaryDirectory() as scratch:
        for name, chart in releases.load().charts.items():
            if not chart.module and not with_published:
                continue
            found = digest(made(name, chart, Path(scratch)))
            # The file is edited as text: it is a document with reasons, which a YAML library would drop.
            text = re.sub(rf'(?ms)(^  {name}:\n.*?^    digest: )"?[0-9a-f]*"?', rf'\g<1>"{found}"', text, count=1)
    releases.FILE.write_text(text)


def materialise(into: Path = FOLDER, wanted: Collection[str] | None = None) -> None:
    """Make every chart that is not there or not as pinned, and check its digest; with `wanted`, those alone.

    Charts that are only published are fetched where they are wanted by name. Raises Problem.
    """
    for name, chart in releases.load().charts.items():
        if name not in wanted if wanted is not None else not chart.module:
            continue
        folder = into / name
        if chart.digest and digest(folder) == chart.digest:
            continue
        if not chart.digest:
            raise Problem(
                f"chart {name} {chart.online.version} was never fetched here, so releases.yaml holds no digest of it; "
                "once, and to be committed: make charts PIN=published"
            )
        with step(f"chart {name} {chart.version or chart.online.version}"):
            into.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".making-", dir=into) as scratch:
                fresh = made(name, chart, Path(scratch))
                found = digest(fresh)
                if found != chart.digest:
                    source = f"module {chart.module}" if chart.module else chart.online.repository
                    raise Problem(
                        f"chart {name} {chart.version or chart.online.version} of {source} has digest {found}, "
                        f"releases.yaml pins {chart.digest}; if the change is wanted: "
                        f"make charts PIN={'module' if chart.module else 'published'}"
                    )
                shutil.rmtree(folder, ignore_errors=True)
                fresh.replace(folder)


def made(name: str, chart: Chart, into: Path) -> Path:
    """Make one chart below a scratch folder: cut from its module, or as published. Raises Problem."""
    return cut(name, chart, into) if chart.module else published.fetch(chart.online, into / name)


def cut(name: str, chart: Chart, into: Path) -> Path:
    """Make one chart below a scratch folder. Raises Problem."""
    source = toolchain.module_dir(chart.tool, chart.module)
    scratch = into / name
    if chart.only:
        _crds_alone(name, chart, source, scratch)
        return scratch
    shutil.copytree(source / chart.folder, scratch, copy_function=shutil.copyfile)
    for path in [scratch, *scratch.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    for item in chart.cuts:
        _apply(item, name, scratch)
    return scratch


def _apply(item: Cut, name: str, folder: Path) -> None:
    for left_out in item.remove:
        path = folder / left_out
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if item.dependencies:
        meta = yaml.safe_load((folder / "Chart.yaml").read_text())
        meta.pop("dependencies")
        (folder / "Chart.yaml").write_text(yaml.safe_dump(meta))
    if item.file:
        text = (folder / item.file).read_text()
        if item.replace not in text:
            raise Problem(f"chart {name}: {item.file} no longer holds what releases.yaml replaces ({item.why})")
        (folder / item.file).write_text(text.replace(item.replace, item.by))


def _crds_alone(name: str, chart: Chart, source: Path, folder: Path) -> None:
    (folder / "crds-as-templates").mkdir(parents=True)
    (folder / "templates").mkdir()
    meta = {
        "apiVersion": "v2",
        "name": name,
        "version": chart.version,
        "description": f"CRDs of {chart.module}, nothing else",
    }
    (folder / "Chart.yaml").write_text(yaml.safe_dump(meta))
    (folder / "values.yaml").write_text("{}\n")
    for crd in _crds(source, chart):
        file = crd["metadata"]["name"] + ".yaml"
        (folder / "crds-as-templates" / file).write_text(yaml.safe_dump(crd))
        # Read as a file and not as a template: texts in a CRD may hold braces.
        (folder / "templates" / file).write_text(f'{{{{ .Files.Get "crds-as-templates/{file}" }}}}\n')


def _crds(source: Path, chart: Chart) -> Iterator[Mapping[str, Any]]:
    for folder in chart.only:
        for path in sorted((source / folder).glob("*.yaml")):
            text = re.sub(r"\{\{.*?\}\}", "", path.read_text(), flags=re.DOTALL)
            for document in yaml.load_all(text, Loader=yaml.CSafeLoader):
                if isinstance(document, dict) and document.get("kind") == "CustomResourceDefinition":
                    for version in document["spec"]["versions"]:
                        version["schema"]["openAPIV3Schema"] = _plain(version["schema"]["openAPIV3Schema"])
                    yield document


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without its descriptions; a property that is itself called `description` stays."""
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "description" and isinstance(value, str):
            continue
        if key == "properties":
            kept[key] = {name: _plain(inner) for name, inner in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            kept[key] = _plain(value)
        else:
            kept[key] = value
    return kept
