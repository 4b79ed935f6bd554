"""Taints of nodes, and what pods need to run on them all the same."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TaintPlan:
    """A taint of a pool's nodes; a value of None stands for any."""

    key: str
    value: str | None
    effect: str


def toleration(taint: TaintPlan) -> dict[str, str]:
    """The toleration of one taint, as it stands in a pod."""
    how = {"operator": "Exists"} if taint.value is None else {"operator": "Equal", "value": taint.value}
    return {"key": taint.key, "effect": taint.effect, **how}
