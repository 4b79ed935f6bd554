"""Checkpoints that are whole or not there: DeepSpeed's files, and a manifest that says what belongs to them.

Every rank writes its own files, so the folder must be one that all ranks share. `save_checkpoint` flushes nothing and a
rank may die within it: only the manifest, written last, makes a folder a checkpoint.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "manifest.json"
UNIVERSAL = "_universal"


@dataclass(frozen=True)
class Checkpoint:
    """A folder of checkpoints: steps done, and how many ranks wrote it."""

    folder: Path
    step: int
    world_size: int


class TornError(Exception):
    """A folder that is not a whole checkpoint; says why."""


def read(folder: Path) -> Checkpoint:
    """The checkpoint in a folder. Raises TornError when a file is missing or has another size than it had."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        raise TornError(f"it has no {MANIFEST}: it was never finished") from None
    for name, size in manifest["files"].items():
        file = folder / name
        found = file.stat().st_size if file.exists() else None
        if found != size:
            raise TornError(f"{name} " + ("is missing" if found is None else f"has {found} bytes of {size}"))
    return Checkpoint(folder, manifest["step"], manifest["world_size"])


def find(root: Path) -> tuple[Checkpoint | None, dict[str, str]]:
    """The last whole checkpoint, and why each folder after it is not one."""
    torn: dict[str, str] = {}
    for folder in sorted(_folders(root), key=_step, reverse=True):
        try:
            return read(folder), torn
        except TornError as error:
            torn[folder.name] = str(error)
    return None, torn


def seal(folder: Path, step: int, world_size: int) -> None:
    """Make a folder that all ranks have written a checkpoint."""
    files = {
        str(file.relative_to(folder)): file.stat().st_size
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != MANIFEST
    }
    manifest = {"step": step, "world_size": world_size, "time": round(time.time(), 3), "files": files}
    unfinished = folder / f"{MANIFEST}.tmp"
    with unfinished.open("w") as out:
        json.dump(manifest, out)
        out.flush()
        os.fsync(out.fileno())
    unfinished.rename(folder / MANIFEST)


def prune(root: Path, keep: int) -> None:
    """Remove all but the last `keep` whole checkpoints, and every torn one."""
    whole = []
    for folder in sorted(_folders(root), key=_step):
        try:
            whole.append(read(folder).folder)
        except TornError:
            remove(folder)
    for folder in whole[:-keep]:
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a checkpoint; one whose removal is cut off is torn, not wrong."""
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder)
    shutil.rmtree(folder.with_name(folder.name + UNIVERSAL), ignore_errors=True)


def universal(checkpoint: Checkpoint) -> str:
    """Tag of the same checkpoint in the form that any number of ranks can load; it is converted once.

    https://www.deepspeed.ai/tutorials/universal-checkpointing/
    """
    made = checkpoint.folder.with_name(checkpoint.folder.name + UNIVERSAL)
    if not (made / MANIFEST).exists():
        shutil.rmtree(made, ignore_errors=True)
        convert = [sys.executable, "-m", "deepspeed.checkpoint.ds_to_universal", "--input_folder"]
        command = [*convert, str(checkpoint.folder), "--output_folder", str(made)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seal(made, checkpoint.step, 0)
    return made.name


def _folders(root: Path) -> list[Path]:
    return [folder for folder in root.glob("step*") if folder.is_dir() and folder.name.removeprefix("step").isdigit()]


def _step(folder: Path) -> int:
    return int(folder.name.removeprefix("step"))
