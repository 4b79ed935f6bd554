"""The real entrypoint above doubles of `deepspeed` and `torchrun`: every exit code, and what is said about it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ENTRYPOINT = (ROOT / "runtimes" / "launcher" / "entrypoint.py").read_text()
DOUBLES = Path(__file__).parent / "doubles"
GANG = {
    "PET_NNODES": "1",
    "PET_NODE_RANK": "0",
    "PET_NPROC_PER_NODE": "2",
    "PET_MASTER_ADDR": "localhost",
    "PET_MASTER_PORT": "29500",
}


@dataclass
class End:
    """How a pod ended: its code, its log, its last words."""

    code: int
    log: str

    @property
    def words(self) -> dict[str, object]:
        last = [json.loads(line) for line in self.log.splitlines() if line.startswith('{"event": "exit"')]
        return dict(last[-1]) if last else {}


def pod(
    tmp_path: Path,
    body: str,
    *,
    act: Callable[[subprocess.Popen[str], Path], None] | None = None,
    arguments: tuple[str, ...] | None = None,
    path: str = f"{DOUBLES}/bin:{os.environ['PATH']}",
    **env: str | None,
) -> End:
    """Run the entrypoint as the runtime does; `body` is the rank's program, `act` what happens to the pod meanwhile."""
    script = tmp_path / "script.py"
    script.write_text("import os, signal, sys, time\nrank = int(os.environ.get('RANK', -1))\n" + body)
    changed = {**GANG, "PATH": path, "MUSTER_STOP_GRACE_SECONDS": "3", "HERE": str(tmp_path)}
    changed |= {"PYTHONPATH": f"{DOUBLES}/packages", **env}
    child = subprocess.Popen(
        [sys.executable, "-u", "-c", ENTRYPOINT, *((str(script),) if arguments is None else arguments)],
        env={name: value for name, value in changed.items() if value is not None},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if act is not None:
        act(child, tmp_path)
    log, _ = child.communicate(timeout=60)
    return End(child.returncode, log)


def when(tmp_path: Path, name: str) -> str:
    """Content of a file that a rank writes when it is where the test wants it."""
    deadline = time.monotonic() + 20
    while not (tmp_path / name).exists() or not (tmp_path / name).read_text():
        assert time.monotonic() < deadline, f"{name} was never written"
        time.sleep(0.02)
    return (tmp_path / name).read_text()


BOTH = pytest.mark.parametrize("launcher", ["deepspeed", "torchrun"])
WRITE = "open(os.environ['HERE'] + f'/rank{rank}', 'w').write(f'{os.getpid()} {os.getppid()}')\n"
SAVES_AND_STOPS = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))\n" + WRITE + "time.sleep(30)\n"
WAITS = WRITE + "time.sleep(30)\n"


def test_success_is_0_and_ranks_have_the_five_variables(tmp_path: Path) -> None:
    end = pod(
        tmp_path, "print([os.environ[n] for n in 'RANK LOCAL_RANK WORLD_SIZE MASTER_ADDR MASTER_PORT'.split()])\n"
    )
    assert end.code == 0
    assert "['0', '0', '2', 'localhost', '29500']" in end.log
    assert "['1', '1', '2', 'localhost', '29500']" in end.log
    assert end.words == {}


def test_the_last_words_of_a_rank_are_on_the_log(tmp_path: Path) -> None:
    end = pod(tmp_path, "print('x' * 1_000_000)\nprint('last words')\n", PET_NPROC_PER_NODE="1")
    assert end.code == 0
    assert end.log.splitlines()[-1] == "last words"


@BOTH
@pytest.mark.parametrize("code", [1, 3, 78, 74])
def test_a_ranks_own_code_is_kept(tmp_path: Path, code: int, launcher: str) -> None:
    end = pod(tmp_path, f"time.sleep(0.5 + rank)\nsys.exit({code})\n", MUSTER_LAUNCHER=launcher)
    assert end.code == code
    assert end.words["code"] == code
    assert end.words["rank"] == 0


@BOTH
def test_the_reason_is_the_last_exception(tmp_path: Path, launcher: str) -> None:
    end = pod(tmp_path, "time.sleep(0.5)\nraise ValueError('no such column: age')\n", MUSTER_LAUNCHER=launcher)
    assert end.code == 1
    assert end.words["reason"] == "ValueError: no such column: age"


@BOTH
def test_a_killed_rank_is_137(tmp_path: Path, launcher: str) -> None:
    def kill(_child: subprocess.Popen[str], here: Path) -> None:
        pid = int(when(here, "rank1").split()[0])
        time.sleep(0.5)
        os.kill(pid, signal.SIGKILL)

    end = pod(tmp_path, WAITS, act=kill, MUSTER_LAUNCHER=launcher)
    assert end.code == 137
    assert (end.words["rank"], end.words["signal"]) == (1, signal.SIGKILL)


@BOTH
def test_a_killed_launcher_is_70_and_takes_its_ranks_along(tmp_path: Path, launcher: str) -> None:
    pids = []

    def kill(_child: subprocess.Popen[str], here: Path) -> None:
        when(here, "rank1")
        rank, launch = when(here, "rank0").split()
        pids.append(int(rank))
        time.sleep(0.5)
        os.kill(int(launch), signal.SIGKILL)

    end = pod(tmp_path, WAITS, act=kill, MUSTER_LAUNCHER=launcher)
    assert end.code == 70
    assert "ranks [0, 1]" in str(end.words["reason"])
    time.sleep(0.2)
    assert not Path(f"/proc/{pids[0]}/exe").exists()


@BOTH
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_reaches_every_rank_and_is_75(tmp_path: Path, number: signal.Signals, launcher: str) -> None:
    def stop(child: subprocess.Popen[str], here: Path) -> None:
        when(here, "rank0"), when(here, "rank1")
        time.sleep(0.3)
        child.send_signal(number)

    end = pod(tmp_path, SAVES_AND_STOPS, act=stop, MUSTER_LAUNCHER=launcher)
    assert end.code == 75
    assert "passed to ranks [0, 1]" in end.log


@BOTH
def test_a_stop_that_nobody_handles_is_143(tmp_path: Path, launcher: str) -> None:
    def stop(child: subprocess.Popen[str], here: Path) -> None:
        when(here, "rank0"), when(here, "rank1")
        time.sleep(0.3)
        child.send_signal(signal.SIGTERM)

    assert pod(tmp_path, WAITS, act=stop, MUSTER_LAUNCHER=launcher).code == 143


def test_ranks_that_ignore_a_stop_are_killed_after_the_grace(tmp_path: Path) -> None:
    def stop(child: subprocess.Popen[str], here: Path) -> None:
        when(here, "rank0"), when(here, "rank1")
        time.sleep(0.3)
        child.send_signal(signal.SIGTERM)

    body = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITS
    assert pod(tmp_path, body, act=stop, MUSTER_STOP_GRACE_SECONDS="0.5").code == 137


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"PET_NNODES": None}, "PET_NNODES is not set"),
        ({"PET_NNODES": "two"}, "PET_NNODES is 'two'"),
        ({"PET_NNODES": "0"}, "PET_NNODES is '0'"),
        ({"PET_NODE_RANK": "1"}, "must be below PET_NNODES"),
        ({"PET_MASTER_ADDR": ""}, "PET_MASTER_ADDR is not set"),
        ({"PET_MASTER_PORT": "-1"}, "PET_MASTER_PORT is '-1'"),
        ({"PET_NPROC_PER_NODE": "auto"}, "numProcPerNode"),
        ({"PET_NPROC_PER_NODE": "0"}, "numProcPerNode"),
        ({"MUSTER_STOP_GRACE_SECONDS": "soon"}, "it must be seconds"),
    ],
)
def test_bad_configuration_is_78(tmp_path: Path, env: dict[str, str | None], said: str) -> None:
    end = pod(tmp_path, "", **env)
    assert end.code == 78
    assert said in str(end.words["reason"])
    assert "Traceback" not in end.log


@pytest.mark.parametrize(("arguments", "said"), [((), "no script"), (("/nowhere/train.py",), "can't be read")])
def test_a_missing_script_is_78(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    end = pod(tmp_path, "", arguments=arguments)
    assert (end.code, said in str(end.words["reason"])) == (78, True)


def test_an_image_without_deepspeed_is_78(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(shutil.which("python3") or sys.executable)
    end = pod(tmp_path, "", path=str(tmp_path / "bin"))
    assert end.code == 78
    assert "no deepspeed on PATH" in str(end.words["reason"])


def test_peers_that_never_come_are_named_and_are_74(tmp_path: Path) -> None:
    end = pod(
        tmp_path,
        "",
        PET_NNODES="3",
        PET_MASTER_ADDR="job-node-0-0.job.invalid",
        MUSTER_PEER_WAIT_SECONDS="0.5",
    )
    assert end.code == 74
    assert "job-node-0-1.job.invalid, job-node-0-2.job.invalid" in str(end.words["reason"])


def test_a_stop_while_peers_are_missing_is_75(tmp_path: Path) -> None:
    def stop(child: subprocess.Popen[str], _here: Path) -> None:
        time.sleep(1)
        child.send_signal(signal.SIGTERM)

    end = pod(tmp_path, "", act=stop, PET_NNODES="2", PET_MASTER_ADDR="job-node-0-0.job.invalid")
    assert end.code == 75


@BOTH
@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("ModuleNotFoundError(\"No module named 'flash_attn'\")", "the image has no Python module flash_attn"),
        ('RuntimeError("Distributed package doesn\'t have NCCL built in")', "the image's torch has no NCCL"),
        ("AssertionError('Torch not compiled with CUDA enabled')", "the image's torch has no CUDA"),
    ],
)
def test_what_an_image_lacks_is_78_in_one_sentence(tmp_path: Path, error: str, said: str, launcher: str) -> None:
    end = pod(tmp_path, f"time.sleep(0.3)\nraise {error}\n", MUSTER_LAUNCHER=launcher)
    assert end.code == 78
    assert str(end.words["reason"]).startswith(said)


@BOTH
@pytest.mark.parametrize("flag", ["-m", "--module"])
def test_a_module_is_given_as_each_launcher_takes_it(tmp_path: Path, launcher: str, flag: str) -> None:
    seen = tmp_path / launcher
    seen.write_text('#!/bin/sh\necho "$@"\n')
    seen.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    end = pod(tmp_path, "", arguments=(flag, "package.module", "--lr", "1"), path=path, MUSTER_LAUNCHER=launcher)
    assert end.code == 0
    assert end.log.splitlines()[-1].endswith("--module package.module --lr 1")


def test_options_of_the_launcher_stand_before_the_script(tmp_path: Path) -> None:
    seen = tmp_path / "deepspeed"
    seen.write_text('#!/bin/sh\necho "$@"\n')
    seen.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    end = pod(tmp_path, "", path=path, MUSTER_LAUNCHER_ARGS="--bind_cores_to_rank --log_level info")
    assert end.log.splitlines()[-1].endswith(f"--bind_cores_to_rank --log_level info {tmp_path}/script.py")
    assert "warning" not in end.log.splitlines()[-1]


def test_an_unknown_launcher_is_78(tmp_path: Path) -> None:
    end = pod(tmp_path, "", MUSTER_LAUNCHER="mpirun")
    assert end.code == 78
    assert "it must be one of deepspeed, torchrun" in str(end.words["reason"])


def test_another_deepspeed_than_expected_still_starts_by_itself(tmp_path: Path) -> None:
    """A launcher whose second process is called otherwise is started as it asks."""
    shutil.copytree(DOUBLES / "packages", tmp_path / "packages")
    runner = tmp_path / "packages" / "deepspeed" / "launcher" / "runner.py"
    runner.write_text(runner.read_text().replace('"-u", "-m"', '"-m"'))
    end = pod(tmp_path, "sys.exit(3)\n", PYTHONPATH=str(tmp_path / "packages"))
    assert end.code == 3


def test_it_fits_into_a_runtime() -> None:
    # One argument of execve is at most 128 KiB, and every pod carries it: https://man7.org/linux/man-pages/man2/execve.2.html
    assert len(ENTRYPOINT.encode()) < 32 * 1024
