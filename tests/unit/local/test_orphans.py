"""Processes of an engine that was killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import orphans, processes

TREE = """
import subprocess, sys, time
children = [subprocess.Popen(words) for words in {commands}]
print(" ".join(str(child.pid) for child in children), flush=True)
time.sleep(60)
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "muster" / "bin"
    folder.mkdir(parents=True)
    # Where the interpreter is the program: a copy under another name is another executable.
    for name in (orphans.ENGINE, orphans.HOST, orphans.PROVIDER):
        shutil.copy2(Path(sys.executable).resolve(), folder / name)
    (folder / orphans.PROGRAM).write_text("import time; time.sleep(60)")
    return folder


@pytest.fixture
def family(cache: Path) -> Iterator[tuple[int, int, int, int]]:
    """An engine with its provider, its language host, and that one's program: their numbers."""
    environment = {**os.environ, "PYTHONHOME": sys.base_prefix}
    idle = [str(cache / orphans.PROVIDER), "-c", "import time; time.sleep(60)"]
    host = [str(cache / orphans.HOST), "-c", TREE.format(commands=[[sys.executable, str(cache / orphans.PROGRAM)]])]
    engine = [str(cache / orphans.ENGINE), "-c", TREE.format(commands=[idle, host])]
    with subprocess.Popen(engine, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(2)]
        (program,), (first, second) = sorted(lines, key=len)
        found = (process.pid, int(first), int(second), int(program))
        yield found
        for pid in found:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    return bool(processes.name_of(pid))


def test_what_an_engine_needs_stays_and_what_a_killed_one_left_ends(family: tuple[int, int, int, int]) -> None:
    engine, *others = family
    orphans.end()
    assert [alive(pid) for pid in others] == [True] * 3
    os.kill(engine, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while alive(engine):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    orphans.end()
    while any(alive(pid) for pid in others):
        assert time.monotonic() < deadline
        time.sleep(0.01)
