"""Charts that are only published, from a repository on this machine's loopback."""

import functools
import http.server
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from muster import releases
from muster.charts import digest
from muster.releases import Online

from local import charts, published
from local.problem import Problem


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "repository"
    chart = tmp_path / "chart" / "gpu-thing"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: gpu-thing, version: v1.2.3}\n")
    (chart / "templates" / "a.yaml").write_text("kind: ConfigMap\n")
    folder.mkdir()
    with tarfile.open(folder / "gpu-thing-v1.2.3.tgz", "w:gz") as archive:
        archive.add(chart, "gpu-thing")
    entry = {"name": "gpu-thing", "version": "v1.2.3", "urls": ["gpu-thing-v1.2.3.tgz"]}
    (folder / "index.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "entries": {"gpu-thing": [entry]}}))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def test_a_chart_is_fetched_and_unpacked(repository: str, tmp_path: Path) -> None:
    online = Online(repository=repository, chart="gpu-thing", version="v1.2.3")
    first = published.fetch(online, tmp_path / "one" / "gpu-thing")
    second = published.fetch(online, tmp_path / "two" / "other-name")
    assert (first / "templates" / "a.yaml").read_text() == "kind: ConfigMap\n"
    assert digest(first) == digest(second) != ""


def test_a_version_that_is_not_there_is_named(repository: str, tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"has no chart gpu-thing v1\.2\.4"):
        published.fetch(Online(repository=repository, chart="gpu-thing", version="v1.2.4"), tmp_path / "x")


def test_a_repository_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"http://127\.0\.0\.1:1/index\.yaml can't be read"):
        published.fetch(Online(repository="http://127.0.0.1:1", chart="c", version="v1"), tmp_path / "x")


def test_a_chart_without_a_digest_is_refused_before_it_is_fetched(tmp_path: Path) -> None:
    unpinned = [name for name, chart in releases.load().charts.items() if not chart.digest]
    assert unpinned == ["gpu-operator", "aws-efa-k8s-device-plugin"]
    with pytest.raises(Problem, match=r"gpu-operator v26\.7\.0 was never fetched here.*make charts PIN=published"):
        charts.materialise(tmp_path, wanted=["gpu-operator"])


def test_pinning_writes_the_digest_of_a_published_chart(
    repository: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "releases.yaml"
    online = {"repository": repository, "chart": "gpu-thing", "version": "v1.2.3"}
    file.write_text(
        "kubernetes: '1.35.4'\ndeepspeed: {}\nreleases: {}\ncharts:\n  gpu-thing:\n"
        f'    online: {json.dumps(online)}\n    digest: ""\n'
    )
    locked = releases.load(file)
    monkeypatch.setattr(releases, "FILE", file)
    monkeypatch.setattr(releases, "load", lambda: type(locked).model_validate(yaml.safe_load(file.read_text())))
    charts.pin(with_published=True)
    charts.materialise(tmp_path / "charts", wanted=["gpu-thing"])
    assert digest(tmp_path / "charts" / "gpu-thing") == releases.load().charts["gpu-thing"].digest
