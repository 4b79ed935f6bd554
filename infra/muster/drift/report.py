"""What `muster drift` tells: every difference with its severity, reason and remedy, and what could not be looked at."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from muster.drift import mend, severity
from muster.drift.finding import ABSENT, Finding, Path
from muster.drift.severity import Severity
from muster.report import veil

HIDDEN = "(hidden)"
OK, BLIND, MUST_FIX = 0, 1, 4
"""Exit codes: nothing or harmless only, not everything could be looked at, something must be fixed."""


@dataclass(frozen=True)
class Drift:
    """One difference, judged. Values are texts, cut where long, hidden where secret."""

    what: str
    field: str
    wanted: str
    found: str
    severity: Severity
    reason: str
    mend: str


@dataclass(frozen=True)
class Report:
    """All of a stack's drift. `blind` says, a sentence each, what could not be looked at."""

    stack: str
    drifts: tuple[Drift, ...]
    blind: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """Exit code: what must be fixed counts more than what could not be seen."""
        if any(drift.severity == "must-fix" for drift in self.drifts):
            return MUST_FIX
        return BLIND if self.blind else OK

    def document(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        count = sum(drift.severity == "must-fix" for drift in self.drifts)
        return {
            "stack": self.stack,
            "mustFix": count,
            "harmless": len(self.drifts) - count,
            "blind": list(self.blind),
            "drifts": [asdict(drift) for drift in self.drifts],
        }


def make(stack: str, findings: Iterable[Finding], blind: Iterable[str] = ()) -> Report:
    """The report: what must be fixed first, each once."""
    drifts = dict.fromkeys(_drift(finding, stack) for finding in findings)
    return Report(
        stack, tuple(sorted(drifts, key=lambda one: (one.severity != "must-fix", one.what, one.field))), tuple(blind)
    )


def _drift(finding: Finding, stack: str) -> Drift:
    judged, reason = severity.judge(finding)
    one = finding.difference
    return Drift(
        what=finding.thing.title,
        field=field(one.path),
        wanted=shown(one.wanted, secret=finding.secret),
        found=shown(one.found, secret=finding.secret or "env" in one.path),
        severity=judged,
        reason=reason,
        mend=mend.command(finding, stack),
    )


def field(path: Path) -> str:
    """A path in one word: `spec.template.spec.containers[manager].image`, `metadata.labels["a.b/c"]`."""
    text = ""
    for key in path:
        if key.startswith("["):
            text += key
        elif "." in key or "/" in key:
            text += f'["{key}"]'
        else:
            text += f".{key}" if text else key
    return text


def shown(value: Any, *, secret: bool = False) -> str:
    """A value in few characters. What somebody put into the environment of a container is nobody else's to read."""
    if value is ABSENT:
        return "nothing"
    if secret:
        return HIDDEN
    cleaned = veil.clean(value)
    return veil.cut(veil.text(cleaned if isinstance(cleaned, str) else json.dumps(cleaned, sort_keys=True)))
