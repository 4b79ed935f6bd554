"""What planning finds wrong or doubtful in one stack file."""

from collections.abc import Collection, Mapping
from typing import TypeVar

from muster.problems import Problem, hint, one_of, shown

T = TypeVar("T")


class Notes:
    """Problems and warnings, gathered while a stack is planned. `file` is the stack file that they name."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.warnings: list[str] = []

    def problem(self, key: str, found: object, expected: str) -> None:
        """Note a mistake; `found` is the value as it stands in the file."""
        self.problems.append(Problem(self.file, key, shown(found), expected))

    def phrase(self, key: str, found: str, expected: str) -> None:
        """Note a mistake; `found` is said as it is."""
        self.problems.append(Problem(self.file, key, found, expected))

    def reserved(self, key: str) -> None:
        """Note an environment variable that is not the user's to set."""
        self.phrase(key, "a reserved name", "another name: this variable is set for every process")

    def warning(self, key: str, text: str) -> None:
        """Note a doubt: something works, but hardly as meant."""
        self.warnings.append(f"{self.file}: {key}: {text}")

    def known(self, key: str, name: str, names: Collection[str], what: str) -> bool:
        """Whether `name` is one of `names`; a problem is noted where it is not. `what` names the kind, as in "pool"."""
        if name in names:
            return True
        close = hint(name, names)
        some = f"one of this stack's {what}s" if not names else one_of(names)
        self.problem(key, name, f"a known {what}{close}" if close else f"a known {what}: {some}" if names else some)
        return False

    def lookup(self, key: str, name: str, table: Mapping[str, T], what: str) -> T | None:
        """The entry of that name, None after noting a problem."""
        return table[name] if self.known(key, name, table, what) else None
