"""PID 1 of every pod of a gang: Kubeflow Trainer's PET_* variables in, one launcher out, true exit codes.

Standard library only and inlined in the runtime, so that any image with Python and DeepSpeed will do. As PID 1
`deepspeed` itself ignores SIGTERM, and it exits 0 when its own launch.py is killed:
https://github.com/deepspeedai/DeepSpeed/blob/v0.19.5/deepspeed/launcher/runner.py
MUSTER_LAUNCHER=torchrun starts the ranks by `torchrun` instead.

Exit codes: 0 done, 70 launcher lost, 74 peers never came, 75 stopped on request, 78 bad configuration, 137 rank killed;
any other code is the script's own.
"""

import datetime
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

LAUNCHER_LOST, PEERS_MISSING, STOPPED, BAD_CONFIGURATION = 70, 74, 75, 78
TERMINATION_LOG = "/dev/termination-log"
MARK = "MUSTER_ENTRYPOINT"
TAIL = 400
ERROR = re.compile(r"^(?:\[rank\d+\]: )?((?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)\b.*)$")
LAUNCHERS_OWN = ("[launch.py:", "torch/distributed/run.py:")
AGENT = re.compile(r"torch[./]distributed[./]elastic")
# https://github.com/pytorch/pytorch/blob/v2.13.0/torch/distributed/elastic/multiprocessing/errors/__init__.py
ROOT_CAUSE = re.compile(r"Root Cause.*?rank\s+: (\d+).*?exitcode\s+: (-?\d+) \(pid", re.DOTALL)
WRONG_IMAGE = (
    (re.compile(r"No module named '([\w.]+)'"), "the image has no Python module {}"),
    (re.compile(r"Distributed package doesn't have (NCCL)"), "the image's torch has no {}: it can't join GPUs"),
    (re.compile(r"Torch not compiled with (CUDA) enabled"), "the image's torch has no {}: it can't use GPUs"),
)
# `deepspeed` imports torch, then starts a second interpreter that imports it again, then the ranks. Here its own main
# runs as it is; only that second interpreter is this one, which has imported everything already. Collecting garbage
# while torch is imported costs a fifth of the import and finds nothing.
ONE_INTERPRETER = """
import gc, runpy, subprocess, sys
gc.disable()
from deepspeed.launcher.runner import main
gc.enable()
start = subprocess.Popen
def here(command, *rest, **options):
    if command[1:4] != ["-u", "-m", "deepspeed.launcher.launch"]:
        return start(command, *rest, **options)
    subprocess.Popen, sys.argv = start, command[3:]
    runpy.run_module("deepspeed.launcher.launch", run_name="__main__", alter_sys=True)
    sys.exit(0)
subprocess.Popen = here
main()
"""


class Ended(Exception):
    """The pod's end: exit code and a sentence."""

    def __init__(self, code, reason, rank=None, signal_number=None):
        super().__init__(reason)
        self.code, self.reason, self.rank, self.signal = code, reason, rank, signal_number


class Gang:
    """What Trainer tells this pod: how many pods, which one this is, who is first."""

    def __init__(self, env):
        self.nodes = self._number(env, "PET_NNODES", 1)
        self.node = self._number(env, "PET_NODE_RANK", 0)
        self.address = self._text(env, "PET_MASTER_ADDR")
        self.port = self._number(env, "PET_MASTER_PORT", 1)
        self.slots = self._slots(self._text(env, "PET_NPROC_PER_NODE"))
        if self.node >= self.nodes:
            raise Ended(BAD_CONFIGURATION, f"PET_NODE_RANK is {self.node}, it must be below PET_NNODES {self.nodes}")

    @staticmethod
    def _text(env, name):
        if not env.get(name):
            raise Ended(
                BAD_CONFIGURATION,
                f"{name} is not set: the TrainJob needs spec.trainer and a runtime with mlPolicy.torch",
            )
        return env[name]

    def _number(self, env, name, least):
        text = self._text(env, name)
        if not text.isdigit() or int(text) < least:
            raise Ended(BAD_CONFIGURATION, f"{name} is {text!r}, it must be a whole number of {least} or more")
        return int(text)

    @staticmethod
    def _slots(text):
        if text.isdigit() and int(text) > 0:
            return int(text)
        found = [name for name in os.listdir("/dev") if re.fullmatch(r"nvidia\d+", name)]
        if text in ("auto", "gpu") and found:
            return len(found)
        raise Ended(
            BAD_CONFIGURATION, f"PET_NPROC_PER_NODE is {text!r} and no GPU is visible: set spec.trainer.numProcPerNode"
        )

    def names(self):
        """Host names of all pods; they differ in the index at the end of the first label."""
        first, dot, domain = self.address.partition(".")
        stem, dash, index = first.rpartition("-")
        if index != "0":
            return [self.address]
        return [f"{stem}{dash}{node}{dot}{domain}" for node in range(self.nodes)]


class Pod:
    """The launcher below PID 1, its ranks, and what they said last."""

    def __init__(self, command, launcher):
        self.tail, self.ranks, self.first_gone = [], {}, None
        self.launcher = launcher
        self.stop_asked = None
        self.child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, MARK: str(os.getpid())},
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._pass_on, daemon=True)
        self.reader.start()

    def _pass_on(self):
        rest = b""
        while True:
            chunk = os.read(self.child.stdout.fileno(), 65536)
            if not chunk:
                return
            written = 0
            while written < len(chunk):
                written += os.write(1, chunk[written:])
            *lines, rest = (rest + chunk).split(b"\n")
            self.tail = (self.tail + [line.decode(errors="replace") for line in lines])[-TAIL:]

    def look(self):
        """Note which ranks live; the first that goes is remembered."""
        alive = ranks_alive()
        for pid in sorted(set(self.ranks) - set(alive)):
            if self.first_gone is None:
                self.first_gone = self.ranks[pid]
        self.ranks = alive

    def ask_to_stop(self, number):
        """Pass a signal to all ranks of this pod at once."""
        if self.stop_asked is not None:
            return
        self.stop_asked = time.monotonic()
        self.look()
        say(f"signal {number}: passed to ranks {sorted(self.ranks.values())}")
        for pid in self.ranks:
            send(pid, signal.SIGTERM)
        if not self.ranks:
            os.killpg(self.child.pid, signal.SIGKILL)

    def run(self, grace):
        """Wait for the launcher; returns its exit status as the shell would say it."""
        status = None
        while status is None:
            while True:
                try:
                    pid, raw = os.waitpid(-1, os.WNOHANG)
                except ChildProcessError:
                    break
                if pid == 0:
                    break
                if pid == self.child.pid:
                    status = raw
            self.look()
            if self.stop_asked is not None and time.monotonic() - self.stop_asked > grace:
                say(f"not stopped within {grace:.0f} s, killing")
                for pid in self.ranks:
                    send(pid, signal.SIGKILL)
                os.killpg(self.child.pid, signal.SIGKILL)
                self.stop_asked = float("inf")
            if status is None:
                time.sleep(0.1)
        code = os.waitstatus_to_exitcode(status)
        return 128 - code if code < 0 else code

    def reason(self):
        """The last exception among the ranks' last lines, else their last line."""
        said = self._said()
        for line in reversed(said):
            found = ERROR.match(line.strip())
            if found:
                return found.group(1)[:400]
        return said[-1].strip()[:400] if said else ""

    def wrong_image(self):
        """A sentence when what ended the script can't go away by itself, else None."""
        for cause, sentence in WRONG_IMAGE:
            found = cause.search(self.reason())
            if found:
                return sentence.format(found.group(1))
        return None

    def root_cause(self):
        """Rank and exit status of the rank that torchrun saw failing first, else None: its own status is always 1."""
        found = ROOT_CAUSE.search("\n".join(self.tail)) if self.launcher == "torchrun" else None
        return (int(found.group(1)), int(found.group(2))) if found else None

    def _said(self):
        """Last lines without the launchers' own."""
        agent = next((number for number, line in enumerate(self.tail) if AGENT.search(line)), len(self.tail))
        lines = self.tail[:agent] if self.launcher == "torchrun" else self.tail
        return [line for line in lines if line.strip() and not any(own in line for own in LAUNCHERS_OWN)]


def ranks_alive():
    """Process id to global rank of every live process that launch.py started below this entrypoint."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                env = dict(item.split(b"=", 1) for item in file.read().split(b"\0") if b"=" in item)
            with open(f"/proc/{name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except OSError:
            continue
        mine = env.get(MARK.encode()) == str(os.getpid()).encode()
        # Data-loader workers inherit RANK; a rank's own parent has none.
        if mine and b"RANK" in env and state != b"Z" and not has_rank(parent.decode()):
            found[int(name)] = int(env[b"RANK"])
    return found


def has_rank(pid):
    """Whether a process has RANK in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return any(item.startswith(b"RANK=") for item in file.read().split(b"\0"))
    except OSError:
        return False


def send(pid, number):
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def say(text):
    """One line on the log, written at once."""
    os.write(1, f"entrypoint: {text}\n".encode())


def wait_for_peers(names, limit, stopped):
    """Return when every name resolves. Raises Ended naming those that never did."""
    start = told = time.monotonic()
    while True:
        missing = [name for name in names if not resolves(name)]
        if not missing:
            return
        now = time.monotonic()
        if stopped():
            raise Ended(STOPPED, "stopped on request before all pods were there")
        if now - start > limit:
            raise Ended(PEERS_MISSING, f"not there after {limit:.0f} s: {', '.join(missing)}")
        if now - told > 10:
            told = now
            say(f"waiting for {len(missing)} of {len(names)} pods: {', '.join(missing[:8])}")
        time.sleep(0.2)


def resolves(name):
    """Whether a host name has an address."""
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        return False
    return True


def seconds(env, name, default):
    """A duration of the entrypoint's own settings."""
    text = env.get(name, str(default))
    try:
        return float(text)
    except ValueError:
        raise Ended(BAD_CONFIGURATION, f"{name} is {text!r}, it must be seconds") from None


def command_for(gang, arguments, env):
    """The launcher's command in this pod."""
    if not arguments:
        raise Ended(BAD_CONFIGURATION, "no script given: the TrainJob needs spec.trainer.args")
    if arguments[0].endswith(".py") and not os.access(arguments[0], os.R_OK):
        raise Ended(BAD_CONFIGURATION, f"{arguments[0]} can't be read in this pod")
    if arguments[0] == "-m":
        arguments = ["--module", *arguments[1:]]
    name = launcher_name(env)
    launcher = shutil.which(name)
    if launcher is None:
        raise Ended(BAD_CONFIGURATION, f"there is no {name} on PATH in this image")
    return LAUNCHERS[name](launcher, gang, shlex.split(env.get("MUSTER_LAUNCHER_ARGS", "")), arguments)


def launcher_name(env):
    """What starts the ranks."""
    name = env.get("MUSTER_LAUNCHER", "deepspeed")
    if name not in LAUNCHERS:
        raise Ended(BAD_CONFIGURATION, f"MUSTER_LAUNCHER is {name!r}, it must be one of {', '.join(LAUNCHERS)}")
    return name


def deepspeed(launcher, gang, extra, arguments):
    """Without a hostfile node 0 would train alone and succeed."""
    with tempfile.NamedTemporaryFile("w", prefix="hostfile-", delete=False) as hostfile:
        hostfile.writelines(f"node-{node} slots={gang.slots}\n" for node in range(gang.nodes))
    where = ["--node_rank", str(gang.node), "--master_addr", gang.address, "--master_port", str(gang.port)]
    quiet = [] if "--log_level" in extra else ["--log_level", "warning"]
    words = ["--hostfile", hostfile.name, "--no_ssh", *where, "--no_local_rank", *quiet, *extra, *arguments]
    with open(launcher, "rb") as script:
        first = script.readline(256).decode(errors="replace").strip()
    interpreter = shlex.split(first[2:]) if first.startswith("#!") and "python" in first else None
    return [*interpreter, "-u", "-c", ONE_INTERPRETER, *words] if interpreter else [launcher, *words]


def torchrun(launcher, gang, extra, arguments):
    """Fixed size, no restarts of its own: the whole gang restarts or nobody does."""
    size = ["--nnodes", str(gang.nodes), "--nproc-per-node", str(gang.slots), "--node-rank", str(gang.node)]
    return [launcher, *size, "--master-addr", gang.address, "--master-port", str(gang.port), *extra, *arguments]


LAUNCHERS = {"deepspeed": deepspeed, "torchrun": torchrun}


def run(arguments, env):
    """Run this pod to its end. Raises Ended for every end but success."""
    gang = Gang(env)
    grace = seconds(env, "MUSTER_STOP_GRACE_SECONDS", 110)
    command = command_for(gang, arguments, env)
    asked, pod = [], []

    def on_signal(number, _frame):
        asked.append(number)
        for one in pod:
            one.ask_to_stop(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    if gang.nodes > 1:
        wait_for_peers(gang.names(), seconds(env, "MUSTER_PEER_WAIT_SECONDS", 600), lambda: bool(asked))
    if asked:
        raise Ended(STOPPED, "stopped on request before the launcher started")
    name = launcher_name(env)
    say(f"pod {gang.node} of {gang.nodes}, {gang.slots} ranks by {name}: {' '.join(arguments)}")
    pod.append(Pod(command, name))
    judge(pod[0], pod[0].run(grace))


def judge(pod, code):
    """Turn the launcher's end into the pod's. Raises Ended for every end but success."""
    survivors = dict(pod.ranks)
    for pid in survivors:
        send(pid, signal.SIGKILL)
    pod.reader.join(5)
    if pod.stop_asked is not None and not pod.ranks and pod.first_gone is None and code != 0:
        raise Ended(STOPPED, "stopped on request before any rank started")
    if survivors and code in (0, 128 + signal.SIGKILL) and pod.stop_asked != float("inf"):
        raise Ended(LAUNCHER_LOST, f"the launcher ended while ranks {sorted(survivors.values())} ran")
    if code == 0:
        return
    cause = pod.root_cause()
    if cause is not None:
        pod.first_gone, status = cause
        code = 256 + status if status < 0 else status
    # launch.py passes a rank's signal on as 256 - number: sys.exit(-9) is 247.
    number = 256 - code if code > 192 else code - 128 if code > 128 else None
    if number is not None:
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        hint = ", often for lack of memory" if number == signal.SIGKILL else ""
        raise Ended(128 + number, f"rank {pod.first_gone} was ended by {name}{hint}", pod.first_gone, number)
    if code == STOPPED and pod.stop_asked is not None:
        raise Ended(STOPPED, "stopped on request", pod.first_gone)
    wrong = pod.wrong_image() if code == 1 else None
    if wrong is not None:
        raise Ended(BAD_CONFIGURATION, wrong, pod.first_gone)
    raise Ended(code, pod.reason(), pod.first_gone)


def main():
    """Run, then leave the last words for whoever asks why."""
    code, words = 0, None
    try:
        run(sys.argv[1:], os.environ)
    except Ended as end:
        code = end.code
        node = os.environ.get("PET_NODE_RANK", "")
        words = {
            "code": end.code,
            "rank": end.rank,
            "node": int(node) if node.isdigit() else None,
            "signal": end.signal,
            "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
            "reason": end.reason,
        }
    if words is not None:
        text = json.dumps(words)
        os.write(1, (json.dumps({"event": "exit", **words}) + "\n").encode())
        try:
            with open(TERMINATION_LOG, "w") as file:
                file.write(text)
        except OSError:
            pass
    os._exit(code)


if __name__ == "__main__":
    main()
