"""Starts one process a slot, and exits with a failed rank's code (-9 becomes 247) after ending the other ranks.

https://github.com/deepspeedai/DeepSpeed/blob/v0.19.8/deepspeed/launcher/launch.py
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    option = dict(zip(sys.argv[1:], sys.argv[2:], strict=False))
    script = next(index for index, word in enumerate(sys.argv) if word.endswith(".py") and index > 0)
    slots = [int(line.split("slots=")[1]) for line in Path(option["--hostfile"]).read_text().splitlines()]
    node = int(option["--node_rank"])
    base, world = sum(slots[:node]), sum(slots)
    variables = {
        "WORLD_SIZE": str(world),
        "MASTER_ADDR": option["--master_addr"],
        "MASTER_PORT": option["--master_port"],
    }
    ranks = [
        subprocess.Popen(
            [sys.executable, *sys.argv[script:]],
            env={**os.environ, **variables, "RANK": str(base + local), "LOCAL_RANK": str(local)},
        )
        for local in range(slots[node])
    ]
    while ranks:
        for rank in list(ranks):
            if rank.poll() is None:
                continue
            ranks.remove(rank)
            if rank.returncode != 0:
                for other in ranks:
                    other.send_signal(signal.SIGTERM)
                for other in ranks:
                    other.wait()
                sys.exit(rank.returncode)
        time.sleep(0.5)  # the real one looks once a second


if __name__ == "__main__":
    main()
