"""What reading a cluster says when there is none."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

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


class OneLine(BaseHTTPRequestHandler):
    """A double of an API server that has one log, which happens to be JSON."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(b'{"event": "done"}\n')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server asks for
        pass


def test_a_log_of_one_json_line_comes_as_it_is(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), OneLine) as server:
        Thread(target=server.handle_request, daemon=True).start()
        cluster = Kube.from_file(kubeconfig(tmp_path / "kubeconfig", f"http://127.0.0.1:{server.server_port}"))
        assert cluster.log("training", "one", 1) == ['{"event": "done"}']


class Reviews(BaseHTTPRequestHandler):
    """A double of an API server that allows its user to create namespaces, and nothing else."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        wanted = {"verb": "create", "group": "", "resource": "namespaces"}
        answer = {**review, "status": {"allowed": review["spec"]["resourceAttributes"] == wanted}}
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server asks for
        pass


@pytest.mark.parametrize(("resource", "allowed"), [("namespaces", True), ("nodes", False)])
def test_rights_are_asked_one_by_one(tmp_path: Path, resource: str, allowed: bool) -> None:
    with HTTPServer(("127.0.0.1", 0), Reviews) as server:
        Thread(target=server.handle_request, daemon=True).start()
        cluster = Kube.from_file(kubeconfig(tmp_path / "kubeconfig", f"http://127.0.0.1:{server.server_port}"))
        assert cluster.may("create", "", resource) is allowed


def test_rights_that_can_t_be_asked_are_named(tmp_path: Path) -> None:
    cluster = Kube.from_file(kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:1"))
    with pytest.raises(Unreachable, match=r"https://127\.0\.0\.1:1"):
        cluster.may("create", "", "namespaces")
