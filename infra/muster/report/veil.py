"""Values as a report may show them: secrets never, long ones cut."""

import json
import re
from collections.abc import Mapping
from typing import Any

from muster.policy.parts import UNKNOWN

CHANGED = "changed"
"""Stands for a value that is not shown."""
SEALED = "[secret]"
"""What the engine writes for a value that it holds secret.

https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/backend/display/json.go
"""
SHOWN = 60
"""Characters of a value."""

_WORDS = r"secret|token|passw|passphrase|credential|private.?key|api.?key|access.?key"
_KEY = re.compile(rf"{_WORDS}|authoriz|kubeconfig|certificate|userdata", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"(--[\w.-]*(?:{_WORDS})[\w.-]*[= ]|\b[\w.-]*(?:{_WORDS})[\w.-]*=|\"[^\"]*(?:{_WORDS})[^\"]*\": ?\")([^\s\",]+)",
    re.IGNORECASE,
)
_OPTION = re.compile(rf"^--?[\w.-]*(?:{_WORDS})[\w.-]*$", re.IGNORECASE)
_TOKEN = re.compile(
    r"-----BEGIN [^-]+-----.*?(?:-----END [^-]+-----|$)"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\b(?:gh[pousr]_|github_pat_|hf_|glpat-|xox[abprs]-|sk-|pul-)[A-Za-z0-9_-]{16,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    re.DOTALL,
)
"""Keys and tokens that are known by their look.

https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns
"""


def is_secret_key(key: str) -> bool:
    """Whether a value under that key may be a secret."""
    return _KEY.search(key) is not None


def is_secret_option(word: Any) -> bool:
    """Whether a word of a command line is an option whose value, the next word, may be a secret."""
    return isinstance(word, str) and _OPTION.match(word) is not None


def text(said: str) -> str:
    """A sentence without what looks like a secret in it."""
    return _ASSIGNED.sub(rf"\1{CHANGED}", _TOKEN.sub(CHANGED, said))


def value(found: Any, *, secret: bool = False) -> str:
    """A value of a resource in few characters; `changed` where it is, or may be, a secret."""
    if secret or (isinstance(found, str) and found == SEALED):
        return CHANGED
    match found:
        case None:
            return "nothing"
        case str() if found == UNKNOWN:
            return "known after the update"
        case "":
            return "empty"
        case str() if "\n" in found.strip():
            return f"text of {len(found.splitlines())} lines"
        case str():
            return cut(text(found))
        case Mapping() | list():
            return cut(text(json.dumps(clean(found), ensure_ascii=False, separators=(", ", ": "))))
        case _:
            return cut(json.dumps(found))


def clean(found: Any) -> Any:
    """A value with every secret in it taken out. A variable of a container is judged by its name."""
    match found:
        case Mapping():
            named = is_secret_key(str(found.get("name", "")))
            return {
                key: CHANGED if is_secret_key(str(key)) or (named and key == "value") else clean(inner)
                for key, inner in found.items()
            }
        case list():
            before = ["", *found]
            return [
                CHANGED if is_secret_option(option) else clean(inner)
                for option, inner in zip(before, found, strict=False)
            ]
        case str() if found == SEALED:
            return CHANGED
        case str() if found == UNKNOWN:
            return "known after the update"
        case _:
            return found


def cut(said: str) -> str:
    """A text on one line, not too long."""
    line = " ".join(said.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
