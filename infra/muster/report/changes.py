"""What is new on a stack since somebody last looked: a line for each change of state, none for steps and losses."""

from collections.abc import Mapping

from muster.report.job import JobView
from muster.report.stack import StackView


def lines(before: StackView | None, after: StackView) -> list[str]:
    """What to tell of `after` to somebody who knows `before`; everything to somebody who knows nothing."""
    known = _states(before) if before is not None else {}
    return [line for about, line in _states(after).items() if known.get(about) != line]


def outcome(view: StackView) -> int | None:
    """Exit code for somebody who waits for the jobs: 0 all complete, 1 one failed, None while one is not over."""
    if not all(item.over for item in view.jobs):
        return None
    return 0 if all(item.state == "Complete" for item in view.jobs) else 1


def _states(view: StackView) -> Mapping[str, str]:
    """One line for each release, pool, queue and job, by what it is about."""
    said = [(f"release {name}", state) for name, state in view.releases.items()]
    for pool in view.pools:
        facts = [f"{pool.ready} of {pool.wanted} nodes ready", f"{pool.gpus} GPUs" if pool.gpus else "", pool.fabric]
        said.append((f"pool {pool.name}", ", ".join(filter(None, facts))))
    said += [(f"queue {queue.name}", queue.state) for queue in view.queues]
    said += [(f"job {item.namespace}/{item.name}", _job(item)) for item in view.jobs]
    return {about: f"{about}: {state}" for about, state in said}


def _job(item: JobView) -> str:
    restarts = f"{item.restarts} restart{'s' if item.restarts > 1 else ''}" if item.restarts else ""
    return ", ".join(filter(None, (item.state, item.reason, restarts)))
