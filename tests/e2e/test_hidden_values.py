"""Marked secrets, planted and looked for: in the state, in logs, in everything that any command prints."""

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import cluster
from local.places import state_dir
from tests.e2e.checkout import Checkout
from tests.e2e.cluster_view import NAMESPACE, ClusterView

FIRST, SECOND = "marked-1-c2f9d1b7e64a", "marked-2-77aa0b3ce95d"
PLANTED = {"AWS_SECRET_ACCESS_KEY": "marked-3-09e1c4d2b8f6", "AWS_ACCESS_KEY_ID": "AKIAMARKED4D2B8F6E10"}
"""Credentials in the environment of every command; they are of nobody."""
SCRIPT = """
import hashlib, json, os
rank, token = os.environ["RANK"], os.environ["TOKEN"]
digest = hashlib.sha256(token.encode()).hexdigest()
os.write(1, (json.dumps({"event": "told", "rank": rank, "sha256": digest}) + "\\n").encode())
"""


@pytest.fixture(scope="module", autouse=True)
def teller(checkout: Checkout) -> Iterator[None]:
    """A stack whose one job tells what it was given, as a digest."""
    checkout.restore()
    checkout.edit(lambda config: config.update({"muster:jobs": {}}))
    done = checkout.local("up")
    assert done.code == 0, done.text
    home = checkout.root / "workloads" / "teller"
    home.mkdir()
    (home / "tell.py").write_text(SCRIPT)
    manifest = yaml.safe_load((checkout.root / "workloads" / "hello" / "job.yaml").read_text())
    manifest["metadata"]["name"] = "teller"
    manifest["spec"]["trainer"]["args"] = ["/workload/tell.py"]
    (home / "job.yaml").write_text(yaml.safe_dump(manifest))

    def edit(config: dict[str, Any]) -> None:
        job = {"workload": "teller", "runtime": "deepspeed-cpu", "nodes": 2, "wait": "complete"}
        config["muster:jobs"] = {"teller": {**job, "secrets": {"TOKEN": "token"}}}

    checkout.edit(edit)
    yield
    checkout.restore()


def sealed(checkout: Checkout, value: str) -> None:
    done = checkout.run(
        "pulumi", "config", "set", "--secret", "--path", "muster:secrets.token", value, "--stack", "local"
    )
    assert done.code == 0, done.text


def test_a_value_in_the_clear_is_refused_and_not_repeated(checkout: Checkout) -> None:
    before = checkout.stack_file.read_text()
    # Not one of the marks: the engine keeps the configuration of a run that failed, as it was written, in its history.
    clear = "in-the-clear-4be1"
    checkout.edit(lambda config: config.update({"muster:secrets": {"token": clear}}))
    for words in (("plan",), ("render",)):
        done = checkout.run(".venv/bin/muster", *words)
        assert done.code == 1
        assert "secrets.token: found a value in the clear" in done.text
        assert clear not in done.text
    done = checkout.up()
    assert done.code != 0
    assert "secrets.token: found a value in the clear" in done.text
    assert clear not in done.text
    checkout.stack_file.write_text(before)


def test_every_process_has_it_and_nothing_else_shows_it(checkout: Checkout, view: ClusterView, tmp_path: Path) -> None:
    sealed(checkout, FIRST)
    said = [checkout.local("up").text]
    told = {event["rank"]: event["sha256"] for event in view.events("teller") if event.get("event") == "told"}
    assert told == dict.fromkeys(("0", "1"), hashlib.sha256(FIRST.encode()).hexdigest())

    uid = view.uid("teller")
    sealed(checkout, SECOND)
    preview = checkout.run("pulumi", "preview", "--json", "--stack", "local", "--non-interactive", env=PLANTED)
    (tmp_path / "preview.json").write_text(preview.text)
    said += [preview.text, checkout.run("pulumi", "preview", "--diff", "--stack", "local", env=PLANTED).text]
    report = ("report", "--preview", str(tmp_path / "preview.json"), "--format")
    words: list[tuple[str, ...]] = [
        ("plan",),
        ("render",),
        ("status",),
        ("status", "--json"),
        ("logs", "teller"),
        *((*report, form) for form in ("markdown", "json", "html")),
        ("check", "--preview", str(tmp_path / "preview.json")),
        ("check", "--preview", str(tmp_path / "preview.json"), "--json"),
        ("preflight", "--json"),
        ("drift", "--json"),
        ("doctor", "--json"),
    ]
    for command in words:
        done = checkout.run(".venv/bin/muster", *command, env=PLANTED)
        assert "Traceback" not in done.text, done.text
        assert done.text.strip(), command
        said.append(done.text)

    done = checkout.up()
    assert done.code == 0, done.text
    said.append(done.text)
    assert checkout.changes() == {"update": 1, "same": checkout.changes()["same"]}
    assert view.uid("teller") == uid, "a new value runs no job again"
    (held,) = view.objects("secret", "token")
    assert base64.b64decode(held["data"]["value"]).decode() == SECOND

    said.append(checkout.run("pulumi", "stack", "export", "--stack", "local").text)
    said += [view.kubectl("-n", NAMESPACE, "get", "trainjob,jobset,pod,configmap", "-o", "yaml").text]
    assert shown(said, marks(checkout)) == []
    assert shown((file.read_bytes() for file in kept(checkout)), marks(checkout)) == []


def marks(checkout: Checkout) -> list[str]:
    """Everything that must be seen nowhere, as it is and in base64."""
    kubeconfig = yaml.safe_load(Path(checkout.environment()["KUBECONFIG"]).read_text())
    user = kubeconfig["users"][0]["user"]
    key = Path(user["client-key"]).read_text().splitlines()[1]
    plain = [FIRST, SECOND, *PLANTED.values(), key]
    return [*plain, *(base64.b64encode(text.encode()).decode() for text in plain)]


def kept(checkout: Checkout) -> Iterator[Path]:
    """Files that outlive the commands: the state with its history and backups, logs, stack files."""
    for folder in (state_dir() / "pulumi", cluster.folder() / "log", checkout.root / "stacks"):
        assert folder.is_dir()
        for place, _, names in os.walk(folder):
            yield from (Path(place, name) for name in names if not Path(place, name).is_symlink())


def shown(texts: Any, marked: list[str]) -> list[str]:
    """Marks that appear in any of the texts."""
    return sorted(
        {mark for text in texts for mark in marked if (mark.encode() if isinstance(text, bytes) else mark) in text}
    )


def test_the_search_finds_what_is_there(checkout: Checkout) -> None:
    found = json.dumps({"token": base64.b64encode(SECOND.encode()).decode()})
    assert shown([found], marks(checkout)) == [base64.b64encode(SECOND.encode()).decode()]
    assert shown([found.encode()], marks(checkout)) == [base64.b64encode(SECOND.encode()).decode()]
