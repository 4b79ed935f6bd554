"""What preflight says: one line for each thing looked at."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from muster.preflight.answers import Unasked

State = Literal["ok", "warn", "fail", "unknown"]
STATES: tuple[State, ...] = ("ok", "warn", "fail", "unknown")
FAILED, UNCHECKED = 1, 2
"""Exit codes: something would fail; under --strict, something could not be checked."""


Finding: TypeAlias = tuple[Literal["warn", "fail"], str, str]
"""One thing that is wrong: state, text, remedy."""


@dataclass(frozen=True)
class Line:
    """One thing: `name` is what, `text` what was found, `remedy` what mends it, empty where nothing is to mend."""

    name: str
    state: State
    text: str
    remedy: str = ""


def unknown(name: str, why: Unasked) -> Line:
    """The line of a question that was not answered."""
    return Line(name, "unknown", why.reason, why.remedy)


def worst(name: str, found: Sequence[Finding], well: str) -> Line:
    """One line of several findings: the worst state with all texts; `well` where there are none."""
    if not found:
        return Line(name, "ok", well)
    state: State = "fail" if any(one[0] == "fail" for one in found) else "warn"
    remedies = dict.fromkeys(one[2] for one in found if one[2])
    return Line(name, state, "; ".join(one[1] for one in found), "; ".join(remedies))


def counts(lines: Sequence[Line]) -> Mapping[str, int]:
    """Lines by state, every state named."""
    found = Counter(line.state for line in lines)
    return {state: found[state] for state in STATES}


def exit_code(lines: Sequence[Line], *, strict: bool) -> int:
    """0 unless something fails, or, if `strict`, could not be checked."""
    found = counts(lines)
    if found["fail"]:
        return FAILED
    return UNCHECKED if strict and found["unknown"] else 0
