"""What is broken in a stack or left of it, each with the command that mends it: pure judgement of what was read."""

from datetime import datetime

from muster.doctor import deletion, gangs, machines, platform, storage
from muster.doctor.evidence import Evidence
from muster.doctor.finding import Finding
from muster.plan import Plan

__all__ = ["Finding", "examine"]


def examine(evidence: Evidence, plan: Plan, now: datetime) -> list[Finding]:
    """Everything that is wrong, causes before what follows from them; each thing once for each kind of trouble."""
    found = [
        *machines.findings(evidence, plan),
        *platform.findings(evidence, plan),
        *deletion.findings(evidence, now),
        *storage.findings(evidence, plan),
        *gangs.findings(evidence, plan, now),
    ]
    return list({(one.kind, one.what): one for one in found}.values())
