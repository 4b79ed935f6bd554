"""What the commands do in which order."""

from pathlib import Path
from typing import Any

import pytest
import typer

from local import cli, recovery, toolchain
from local.engine import Engine
from local.toolchain import ENGINE, Tool

DONE = {"take_over": None, "exists": True, "settle_deletions": None, "destroy": 0, "remove": None}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Steps of an engine that finds everything in order."""
    steps: list[str] = []

    def noting(name: str, answer: Any) -> Any:
        def note(*_: object) -> Any:
            steps.append(name)
            return answer

        return note

    for name, answer in DONE.items():
        monkeypatch.setattr(Engine, name, noting(name, answer))
    monkeypatch.setattr(recovery, "adopt", noting("adopt", []))
    monkeypatch.setattr(toolchain, "ensure", lambda _: {name: Tool(name, tmp_path, "1", "built") for name in ENGINE})
    monkeypatch.setattr(cli, "environment", lambda *_: {})
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return steps


def test_down_takes_back_what_a_killed_run_made_on_aws_before_it_destroys(said: list[str]) -> None:
    cli.down("prod")
    assert said == ["take_over", "exists", "settle_deletions", "adopt", "destroy", "remove"]


def test_destroy_does_so_too(said: list[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        cli.destroy("prod")
    assert ended.value.exit_code == 0
    assert said == ["take_over", "settle_deletions", "adopt", "destroy"]


def test_a_cluster_that_is_there_has_nothing_on_aws(said: list[str]) -> None:
    cli.down("existing")
    assert said == ["take_over", "exists", "settle_deletions", "destroy", "remove"]


def test_what_is_there_goes_though_its_file_is_broken(
    said: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "stacks" / "Pulumi.prod.yaml"
    file.parent.mkdir()
    file.write_text("config: {muster:cluster: {provider: aws, regoin: us-east-1}}")
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    cli.down("prod")
    assert said == ["take_over", "exists", "settle_deletions", "destroy", "remove"]
