"""Charts of the plan, as they lie in the checkout."""

from pathlib import Path

from muster import charts
from muster.plan import Plan
from muster.preflight.lines import Line
from muster.releases import Chart, Releases


def check(plan: Plan, locked: Releases, program: Path) -> tuple[Line, ...]:
    """One line a chart; `program` is the folder that the plan's paths of charts start from."""
    wanted = sorted({release.chart for release in plan.releases})
    return tuple(_chart(path.rpartition("/")[2], locked, charts.digest(program / path)) for path in wanted)


def _chart(name: str, locked: Releases, digest: str) -> Line:
    chart: Chart = locked.charts[name]
    title = f"chart {name} {chart.version or chart.online.version}"
    if not chart.digest:
        text = f"nothing pins it: never fetched from {chart.online.repository}"
        return Line(title, "fail", text, "make charts PIN=published, then commit releases.yaml")
    if not digest:
        return Line(title, "warn", "not made yet", "make charts, as make up does")
    if digest != chart.digest:
        return Line(title, "fail", f"has digest {digest[:12]}, releases.yaml pins {chart.digest[:12]}", "make charts")
    return Line(title, "ok", f"as pinned, {digest[:12]}")
