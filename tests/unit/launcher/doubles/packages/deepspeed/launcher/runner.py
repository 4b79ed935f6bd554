"""Waits for the launcher of this pod, and exits with its code only if that is above zero.

So a launcher that was killed by a signal makes it exit 0.
https://github.com/deepspeedai/DeepSpeed/blob/v0.19.8/deepspeed/launcher/runner.py
"""

import os
import subprocess
import sys


def main() -> None:
    command = [sys.executable, "-u", "-m", "deepspeed.launcher.launch", *sys.argv[1:]]
    result = subprocess.Popen(command, env=os.environ.copy())
    result.wait()
    if result.returncode > 0:
        sys.exit(result.returncode)
