"""Charts are what their digest says, or nothing."""

import shutil
from pathlib import Path

import pytest
import yaml
from muster import releases
from muster.charts import digest

from local import charts
from local.problem import Problem


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("charts")
    charts.materialise(folder)
    return folder


def test_every_chart_has_its_pinned_digest(made: Path) -> None:
    for name, chart in releases.load().charts.items():
        assert digest(made / name) == chart.digest


def test_controllers_bring_no_crds_and_crd_charts_nothing_else(made: Path) -> None:
    for name in releases.load().charts:
        kinds = {
            document["kind"]
            for path in (made / name).rglob("*.yaml")
            if "crds-as-templates" in path.parts
            for document in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader)
        }
        assert kinds == ({"CustomResourceDefinition"} if name.endswith("-crds") else set()), name
    for name in ("volcano", "jobset", "kubeflow-trainer"):
        texts = [path.read_text() for path in (made / name / "templates").rglob("*.yaml")]
        assert not any("kind: CustomResourceDefinition" in text for text in texts)
        assert not any("apk add" in text for text in texts)


def test_a_changed_chart_is_made_again(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "charts")
    values = tmp_path / "charts" / "jobset" / "values.yaml"
    values.write_text(values.read_text() + "\nextra: true\n")
    charts.materialise(tmp_path / "charts")
    assert digest(tmp_path / "charts" / "jobset") == releases.load().charts["jobset"].digest


def test_a_chart_that_is_not_as_pinned_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = releases.FILE.read_text().replace(releases.load().charts["jobset"].digest, "a" * 64)
    (tmp_path / "releases.yaml").write_text(text)
    monkeypatch.setattr(charts.releases, "load", lambda load=releases.load: load(tmp_path / "releases.yaml"))
    with pytest.raises(Problem, match=r"chart jobset 0\.12\.0 of module sigs\.k8s\.io/jobset has digest"):
        charts.materialise(tmp_path / "charts")
    assert not (tmp_path / "charts" / "jobset").exists()


def test_descriptions_go_and_properties_of_that_name_stay() -> None:
    schema = {"description": "text", "properties": {"description": {"type": "string", "description": "text"}}}
    assert charts._plain(schema) == {"properties": {"description": {"type": "string"}}}
