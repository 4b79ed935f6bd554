"""What reading a cluster says when there is none."""

from pathlib import Path

import pytest
import yaml
from muster.kube import Kube
from muster.report.reader import Unreachable


def kubeconfig(path: Path, server: str) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_missing_kubeconfig_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"no kubeconfig .*nowhere; start the cluster \(make up\)"):
        Kube.from_file(tmp_path / "nowhere")


def test_an_unknown_context_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="other"):
        Kube.from_file(kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:1"), "other")


def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    cluster = Kube.from_file(kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:1"))
    with pytest.raises(Unreachable, match=r"https://127\.0\.0\.1:1"):
        cluster.get("/api/v1/nodes")
