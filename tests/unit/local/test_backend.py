"""A file backend after a run that was killed."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.backend import FileBackend

DEAD = 2**22 + 1
"""No process has this number: https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html (pid_max)."""
ATTRIBUTES = '{"user.content_type": "application/json"}'


class Files:
    """A backend's folders, and what the tests put there."""

    def __init__(self, folder: Path) -> None:
        self.backend = FileBackend(folder, "muster", "dev")
        self.root = folder / ".pulumi"
        self.locks = self.root / "locks" / "organization" / "muster" / "dev"
        self.state = self.root / "stacks" / "muster" / "dev.json"
        self.history = self.root / "history" / "muster" / "dev" / "dev-1.history.json"
        for parent in (self.locks, self.state.parent, self.history.parent):
            parent.mkdir(parents=True)

    def lock(self, pid: int, host: str = socket.gethostname()) -> Path:
        file = self.locks / "one.json"
        file.write_text(json.dumps({"hostname": host, "pid": pid}))
        Path(f"{file}.attrs").write_text(ATTRIBUTES)
        return file


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[int]:
    """Process id of a running program named as the engine is."""
    program = tmp_path / "pulumi"
    shutil.copy2(shutil.which("sleep") or "", program)
    with subprocess.Popen([program, "60"]) as process:
        yield process.pid
        process.kill()


def test_the_lock_of_a_killed_run_goes_with_its_attributes(files: Files) -> None:
    files.lock(DEAD)
    files.backend.take_over()
    assert list(files.locks.iterdir()) == []


def test_a_lock_whose_number_another_program_has_by_now_goes(files: Files) -> None:
    lock = files.lock(os.getpid())
    files.backend.take_over()
    assert not lock.exists()


def test_a_lock_that_was_cut_off_goes(files: Files) -> None:
    half = files.locks / "two.json.18a.tmp"
    half.write_text('{"hostname": ')
    files.backend.take_over()
    assert not half.exists()


def test_the_lock_of_a_run_that_lives_stays(files: Files, engine: int) -> None:
    lock = files.lock(engine)
    files.backend.take_over()
    assert lock.exists()


def test_the_lock_of_another_machine_stays(files: Files) -> None:
    lock = files.lock(DEAD, host="elsewhere")
    files.backend.take_over()
    assert lock.exists()


@pytest.mark.parametrize("cut", ["", '{"checkpoint": {"lat'], ids=["empty", "cut"])
def test_a_state_that_was_cut_off_is_as_it_was_before(files: Files, cut: str) -> None:
    files.lock(DEAD)
    files.state.write_text(cut)
    Path(f"{files.state}.bak").write_text('{"version": 3}')
    files.backend.take_over()
    assert files.state.read_text() == '{"version": 3}'


def test_a_whole_state_stays(files: Files) -> None:
    files.lock(DEAD)
    files.state.write_text('{"version": 4}')
    Path(f"{files.state}.bak").write_text('{"version": 3}')
    files.backend.take_over()
    assert files.state.read_text() == '{"version": 4}'


def test_attributes_that_were_cut_off_go_and_whole_ones_stay(files: Files) -> None:
    wanted = {}
    for number, file in enumerate((files.state, Path(f"{files.state}.bak"), files.history)):
        for name, text in ((f"{file}.attrs", ("", ATTRIBUTES)[number % 2]), (f"{file}.whole.attrs", ATTRIBUTES)):
            Path(name).write_text(text)
            wanted[name] = bool(text)
    files.backend.take_over()
    assert {name: Path(name).exists() for name in wanted} == wanted


def test_while_another_run_holds_a_lock_nothing_is_mended(files: Files, engine: int) -> None:
    files.lock(engine)
    files.state.write_text("")
    Path(f"{files.state}.bak").write_text('{"version": 3}')
    Path(f"{files.state}.attrs").write_text("")
    files.backend.take_over()
    assert (files.state.read_text(), Path(f"{files.state}.attrs").exists()) == ("", True)
