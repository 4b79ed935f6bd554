"""The comment on a pull request, against a double of GitHub's API on this machine."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from rehearsal import comment

SHA = "4f2c8a1b9d3e5f60718293a4b5c6d7e8f9012345"
RUN = {"head_sha": SHA, "head_branch": "more nodes&x", "head_repository": {"owner": {"login": "someone"}}}
BOT, PERSON = {"login": "github-actions[bot]"}, {"login": "someone"}


@dataclass
class Double:
    """GitHub: what it has, and what it was asked to write."""

    pulls: list[dict[str, Any]] = field(default_factory=lambda: [{"number": 7, "head": {"sha": SHA}}])
    comments: list[dict[str, Any]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    written: list[tuple[str, str, str]] = field(default_factory=list)
    address: str = ""

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: dict[str, str]) -> Any:
        if method != "GET":
            self.written.append((method, path, body["body"]))
            return {"html_url": f"https://github.com{path}"}
        if path.endswith("/pulls"):
            self.heads += query["head"]
            return self.pulls
        first = (int(query["page"][0]) - 1) * 100
        return self.comments[first : first + 100]


@pytest.fixture
def github() -> Iterator[Double]:
    double = Double()

    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            assert self.headers["Authorization"] == "Bearer a-token"
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or "{}")
            made = json.dumps(double.answer(self.command, parts.path, parse_qs(parts.query), body)).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(made)

        do_GET = do_POST = do_PATCH = reply  # noqa: N815 - names of the protocol

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    double.address = f"http://127.0.0.1:{server.server_port}"
    yield double
    server.shutdown()
    server.server_close()


def run(github: Double, folder: Path, report: str = "safe") -> str:
    (folder / "event.json").write_text(json.dumps({"workflow_run": RUN}))
    (folder / "comment.md").write_text(report)
    environ = {
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_API_URL": github.address,
        "GITHUB_REPOSITORY": "team/muster",
        "GITHUB_TOKEN": "a-token",
    }
    return comment.main(folder / "comment.md", environ)


def test_the_report_is_posted_on_the_request_of_the_event(github: Double, tmp_path: Path) -> None:
    said = run(github, tmp_path)
    assert github.heads == ["someone:more nodes&x"]
    assert github.written == [
        ("POST", "/repos/team/muster/issues/7/comments", f"{comment.MARK}\n{comment.NOTE}\n\nsafe"),
    ]
    assert said == "commented: https://github.com/repos/team/muster/issues/7/comments"


def test_the_next_run_writes_the_same_comment_anew(github: Double, tmp_path: Path) -> None:
    others = [{"id": number, "user": PERSON, "body": f"{comment.MARK}\nnot the bot's"} for number in range(120)]
    github.comments = [*others, {"id": 500, "user": BOT, "body": f"{comment.MARK}\nold"}]
    run(github, tmp_path)
    assert [(method, path) for method, path, _ in github.written] == [
        ("PATCH", "/repos/team/muster/issues/comments/500"),
    ]


@pytest.mark.parametrize("pulls", [[], [{"number": 7, "head": {"sha": "another"}}]], ids=["closed", "newer-head"])
def test_nothing_is_posted_where_the_head_is_no_longer_that(
    github: Double, tmp_path: Path, pulls: list[dict[str, Any]]
) -> None:
    github.pulls = pulls
    assert run(github, tmp_path) == f"no open pull request has {SHA} as its head: nothing to comment on"
    assert github.written == []


def test_a_report_calls_nobody_and_imitates_no_comment() -> None:
    made = comment.text(f"{comment.MARK}\n@team/admins look, a@b.example".encode() + b"\xff")
    assert made.count(comment.MARK) == 1
    assert "@team" not in made
    assert "@\u200bteam/admins look, a@\u200bb.example\ufffd" in made


def test_a_report_that_is_too_long_is_cut() -> None:
    made = comment.text(b"x" * 100_000)
    assert len(made) == 65_536
    assert made.endswith("the whole report is among the run's artifacts.\n")
    assert comment.text(b"x" * 1_000).count("x") == 1_000 + comment.NOTE.count("x")
