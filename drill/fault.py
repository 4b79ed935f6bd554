"""Runs a training script whose ranks meet a fault once: `fault.py KIND STEP RANK SCRIPT ARGUMENTS...`.

It stands in the pods of a drill, in front of an unchanged script with a function `batch(step, samples)`.
"""

import importlib
import os
import sys
import time
from pathlib import Path

kind, at, rank, script, *arguments = sys.argv[1:]
sys.argv = [script, *arguments]
sys.path.insert(0, str(Path(script).parent))
train = importlib.import_module("train")

MARK = Path(os.environ["MUSTER_CHECKPOINTS"]) / f"fault-{kind}"
make = train.batch


def hurt() -> None:
    if kind == "exception":
        raise ValueError("a fault of this drill")
    if kind == "hang":
        time.sleep(10_000)
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1 << 20)) * 64)


def batch(step: int, samples: range):  # type: ignore[no-untyped-def]
    if step >= int(at) and os.environ["RANK"] == rank and not MARK.exists():
        MARK.touch()
        hurt()
    return make(step, samples)


vars(train)["batch"] = batch
train.main()
