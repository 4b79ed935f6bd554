"""Lists checkpoints of a folder as one JSON line: run inside a pod that mounts it, so standard library alone.

A checkpoint is a folder with a manifest.json: step, world_size, time (seconds since 1970), and the size in bytes of
each of its files.
"""

import json
import sys
from pathlib import Path


def describe(folder: Path) -> "dict[str, object]":
    """One checkpoint: step, bytes, time of its last write, ranks that wrote it, and what is wrong with it."""
    sizes = {str(file.relative_to(folder)): file.stat().st_size for file in folder.rglob("*") if file.is_file()}
    made = {"name": folder.name, "bytes": sum(sizes.values()), "time": folder.stat().st_mtime}
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError):
        return {**made, "step": None, "world_size": None, "problem": "no manifest.json: it was never finished"}
    wrong = sorted(name for name, size in manifest["files"].items() if sizes.get(name) != size)
    known = {name: manifest[name] for name in ("step", "world_size", "time")}
    return {**made, **known, "problem": f"missing or cut: {', '.join(wrong)}" if wrong else ""}


def main(root: Path) -> None:
    """Print what is under `root`; an empty list when there is no such folder."""
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    print(json.dumps([describe(folder) for folder in folders]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
