"""Times how long ranks take from exec to their first step, by launcher: run inside a pod, so standard library alone.

Prints one JSON line: seconds of every sample by launcher, in rounds, so that each round has the machine as it was then.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

FILES = Path("/bench")
SCRIPT = (str(FILES / "train.py"), "--config", str(FILES / "ds_config.json"), "--steps", "1", "--save-every", "100")
PORT = "29400"
RANK = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": PORT}
GANG = {
    "PET_NNODES": "1",
    "PET_NODE_RANK": "0",
    "PET_NPROC_PER_NODE": "1",
    "PET_MASTER_ADDR": "127.0.0.1",
    "PET_MASTER_PORT": PORT,
}
ALONE = ("torchrun", "--nnodes=1", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={PORT}")
WAYS = {
    "entrypoint_deepspeed": (("python3", "-u", str(FILES / "entrypoint.py"), *SCRIPT), GANG),
    "torchrun": ((*ALONE, *SCRIPT), {}),
    "bare": (("python3", "-u", *SCRIPT), RANK),
}


def sample(command: "tuple[str, ...]", env: "dict[str, str]") -> float:
    """Seconds from exec to the first step's line."""
    checkpoints = Path("/tmp/checkpoints")  # noqa: S108 - a pod's own
    shutil.rmtree(checkpoints, ignore_errors=True)
    checkpoints.mkdir()
    start = time.monotonic()
    everything = {**os.environ, "MUSTER_CHECKPOINTS": str(checkpoints), **env}
    child = subprocess.Popen(command, env=everything, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seen = None
    for line in child.stdout or ():
        if seen is None and '"event": "step"' in line:
            seen = time.monotonic() - start
    if child.wait() != 0 or seen is None:
        raise SystemExit(f"{command[0]} ended with {child.returncode} and no step")
    return seen


def main(rounds: int) -> None:
    """One round to warm up, then `rounds` that count."""
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(rounds + 1):
        for way, (command, env) in WAYS.items():
            seconds = sample(command, env)
            if number:
                found[way].append(round(seconds, 3))
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
