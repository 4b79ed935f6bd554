"""Everything that is said about an update before it is made: verdict, changes, blast radius, cost, risks, doubts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from muster.catalog import Catalog
from muster.catalog.services import Services
from muster.plan import Plan
from muster.policy.parts import Finding
from muster.preview import Change, Operation, Preview
from muster.report import field_change, impact, money, risks, veil, verdict
from muster.report.field_change import FieldChange
from muster.report.impact import Impact
from muster.report.money import Money
from muster.report.occupancy import Occupancy
from muster.report.risks import Risks
from muster.report.verdict import Facts, Verdict

ORDER: tuple[Operation, ...] = ("delete", "replace", "update", "create")
"""Operations as a report tells them, the most serious first."""


@dataclass(frozen=True)
class ChangedResource:
    """A resource that does not stay as it is, by the names that people know, and its fields that differ."""

    operation: Operation
    kind: str
    name: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True)
class ChangeReport:
    """The report on an update. `unseen` says why nobody looked for jobs, empty where somebody did."""

    stack: str
    verdict: Verdict
    changes: tuple[ChangedResource, ...]
    impact: Impact
    money: Money | None
    risks: Risks
    warnings: tuple[str, ...]
    errors: tuple[str, ...]
    policies: tuple[Finding, ...]
    unseen: str

    def counts(self) -> Mapping[Operation, int]:
        """Resources by operation, those with none left out."""
        counted = Counter(change.operation for change in self.changes)
        return {operation: counted[operation] for operation in ORDER if counted[operation]}

    def document(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "stack": self.stack,
            "verdict": self.verdict.level,
            "line": self.verdict.line,
            "reasons": [asdict(reason) for reason in self.verdict.reasons],
            "counts": dict(self.counts()),
            "changes": [
                {
                    "operation": change.operation,
                    "kind": change.kind,
                    "name": change.name,
                    "fields": [asdict(one) for one in change.fields],
                }
                for change in self.changes
            ],
            "pools": [
                {
                    "pool": pool.pool,
                    "what": pool.what,
                    "typeBefore": pool.type_before,
                    "typeAfter": pool.type_after,
                    "nodesBefore": pool.nodes_before,
                    "nodesAfter": pool.nodes_after,
                    "gpusBefore": pool.gpus_before,
                    "gpusAfter": pool.gpus_after,
                    "gpusAway": pool.gpus_away,
                    "minutes": pool.minutes,
                    "why": list(pool.why),
                }
                for pool in self.impact.pools
            ],
            "jobs": [asdict(job) for job in self.impact.jobs],
            "jobsNotLookedAt": self.unseen,
            "touched": [asdict(one) for one in self.impact.touched],
            "cost": _money(self.money),
            "risks": [asdict(risk) for risk in self.risks.pools],
            "quotas": [asdict(quota) for quota in self.risks.quotas],
            "warnings": list(self.warnings),
            "errors": list(self.errors),
            "policies": [_finding(finding) for finding in self.policies],
        }


def make(
    preview: Preview,
    plan: Plan,
    catalog: Catalog,
    services: Services,
    *,
    occupancy: Occupancy,
    policies: Sequence[Finding],
) -> ChangeReport:
    """The report on the update that a preview tells of."""
    hit = impact.judge(preview, plan, catalog, occupancy)
    bill = money.judge(preview.before, plan.aws)
    doubts = risks.judge(preview, plan.aws, hit, catalog, services)
    broken = [f"policy {one.rule}: {one.resource}: {veil.text(one.reason)}" for one in policies if one.blocks]
    facts = Facts(preview.changed(), hit, bill, doubts, preview.errors, broken)
    changes = sorted(preview.changed(), key=lambda change: (ORDER.index(change.operation), change.noun, change.name))
    return ChangeReport(
        stack=plan.stack,
        verdict=verdict.judge(facts),
        changes=tuple(map(_changed, changes)),
        impact=hit,
        money=bill,
        risks=doubts,
        warnings=tuple(dict.fromkeys(veil.text(said) for said in (*plan.warnings, *preview.warnings))),
        errors=tuple(map(veil.text, preview.errors)),
        policies=tuple(policies),
        unseen=occupancy.unseen,
    )


def _changed(change: Change) -> ChangedResource:
    fields = field_change.of(change) if change.operation in ("update", "replace") else ()
    return ChangedResource(change.operation, change.noun, change.name, fields)


def _money(bill: Money | None) -> dict[str, Any] | None:
    if bill is None:
        return None
    return {
        "hourlyBefore": bill.before,
        "hourlyAfter": bill.after,
        "hourlyChange": round(bill.change, 2),
        "monthlyChange": round(bill.monthly, 2),
        "lines": [asdict(line) for line in bill.changed()],
        "pricesOf": bill.date,
        "maxHourlyUsd": bill.ceiling,
        "left": None if bill.left is None else round(bill.left, 2),
        "monthlyUsd": bill.alarm,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    until = finding.exempted_until
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "resource": finding.resource,
        "reason": veil.text(finding.reason),
        "remedy": finding.remedy,
        "exemptedUntil": until.isoformat() if until else None,
    }
