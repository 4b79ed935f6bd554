"""What an update does to the bill, at on-demand prices: a bound for decisions, not a bill."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from muster.catalog.services import HOURS_PER_MONTH
from muster.plan.aws.parts import AwsPlan


@dataclass(frozen=True)
class MoneyLine:
    """A line of the bill in USD an hour."""

    name: str
    before: float
    after: float


@dataclass(frozen=True)
class Money:
    """USD an hour before and after, and what it may be.

    `before` is 0 for a stack that is not there yet. `lines` are none where the stack did not tell them. `ceiling` is
    budget.maxHourlyUsd, `alarm` budget.monthlyUsd, each None where the stack file sets none. `date` is that of the
    prices.
    """

    before: float
    after: float
    lines: tuple[MoneyLine, ...]
    date: str
    ceiling: float | None
    alarm: float | None

    @property
    def change(self) -> float:
        """Difference in USD an hour."""
        return self.after - self.before

    @property
    def monthly(self) -> float:
        """Difference in USD a month."""
        return self.change * HOURS_PER_MONTH

    @property
    def left(self) -> float | None:
        """USD an hour below the ceiling."""
        return None if self.ceiling is None else self.ceiling - self.after

    def over_alarm(self) -> bool:
        """Whether a month of it is more than the sum at which the alarm is sent."""
        return self.alarm is not None and self.after * HOURS_PER_MONTH > self.alarm

    def changed(self) -> tuple[MoneyLine, ...]:
        """Lines that differ by a cent, the largest difference first."""
        found = [line for line in self.lines if round(line.before - line.after, 2)]
        return tuple(sorted(found, key=lambda line: -abs(line.before - line.after)))


def judge(before: Mapping[str, Any], aws: AwsPlan | None) -> Money | None:
    """The bill of a plan against the stack's outputs before; None off AWS, where nothing has a price."""
    if aws is None:
        return None
    told = before.get("costLines")
    known: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    new = dict(aws.cost.lines)
    names = dict.fromkeys((*new, *known)) if known or not before else {}
    return Money(
        before=float(before.get("hourlyUsd") or 0.0),
        after=round(aws.cost.hourly, 2),
        lines=tuple(MoneyLine(name, float(known.get(name, 0.0)), new.get(name, 0.0)) for name in names),
        date=aws.cost.date,
        ceiling=aws.cost.ceiling,
        alarm=float(aws.budget.monthly_usd) if aws.budget else None,
    )
