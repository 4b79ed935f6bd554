"""Charts as materialised folders."""

import hashlib
from pathlib import Path


def digest(folder: Path) -> str:
    """Digest of a materialised chart; empty when there is none.

    sha256 over a line for each file, sorted by path: its path and the sha256 of its content.
    """
    if not folder.is_dir():
        return ""
    total = hashlib.sha256()
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return total.hexdigest()
