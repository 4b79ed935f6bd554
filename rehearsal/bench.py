"""`python -m rehearsal.bench`: everything that is measured, as one JSON line last on stdout.

The stack `local` first, against helm and kubectl in the same run; then previews of `prod` in rehearsal, as it is and
with more pools and jobs; then a report on a preview of 500 resources. Times are wall-clock seconds of whole commands.
"""

import json
import statistics
import sys
from typing import Any

from local import bench, cluster
from local.bench import timed
from local.problem import Problem
from local.progress import console
from rehearsal import bench_report, edits
from rehearsal import place as places
from rehearsal.place import Place

STACK = "prod"
SAMPLES = 3
"""Previews of which the middle one counts."""
POOLS, JOBS = (4, 8), (20, 200)
"""Pools and jobs that are added, few and many."""


def main() -> None:
    """Measure and print. A measured command that fails ends with its sentence and exit code 1."""
    try:
        results = bench.run()
        results["report_500_s"] = bench_report.measure()
        results |= _prod()
    except Problem as problem:
        console.print(f"muster: {problem}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    finally:
        cluster.down()
    sys.stdout.write(json.dumps(results) + "\n")


def _prod() -> dict[str, object]:
    place = places.prepare(STACK)
    place.edit("budget", {})
    found: dict[str, object] = {"up_prod_s": timed("pulumi up of prod, in rehearsal", place.up)}
    base = statistics.median(timed("preview of prod", place.preview) for _ in range(SAMPLES))
    found["preview_prod_s"] = base
    pools = {count: _with(place, "pools", count, edits.pool_like(edits.gpu_pool(place.plan()), 0)) for count in POOLS}
    jobs = {count: _with(place, "jobs", count, edits.job(place.plan())) for count in JOBS}
    place.destroy()
    resources = len(place.plan().jobs) + len(place.plan().pools)
    few, many = (jobs[count] / (count + resources) for count in JOBS)
    return found | {
        "preview_per_pool_s": _slope(base, pools),
        "preview_per_job_s": _slope(base, jobs),
        "ratio_growth": round(many / few, 3),
    }


def _with(place: Place, section: str, count: int, value: dict[str, Any]) -> float:
    """Seconds of a preview with so many more entries of a section."""
    for number in range(count):
        place.edit(f"{section}.more-{number}", value)
    seconds = timed(f"preview with {count} more {section}", place.preview)
    place.restore()
    place.edit("budget", {})
    return seconds


def _slope(base: float, seconds: dict[int, float]) -> float:
    """Seconds for each of the most entries added."""
    most = max(seconds)
    return round((seconds[most] - base) / most, 4)


if __name__ == "__main__":
    main()
