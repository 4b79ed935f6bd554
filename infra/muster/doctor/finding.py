"""What is wrong, and the command that mends it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One broken or left thing: a word for its kind, the thing, what was seen, and a command for a shell."""

    kind: str
    what: str
    found: str
    mend: str

    def document(self) -> Mapping[str, str]:
        """Plain data for `--json`."""
        return {"kind": self.kind, "what": self.what, "found": self.found, "mend": self.mend}


def up(stack: str) -> str:
    """The command that brings a stack to what its file says."""
    return f"make up STACK={stack}"
