"""Gangs and queues from what Volcano keeps of them."""

import pytest
from muster.report import gangs

from tests.unit.report.cluster import podgroup

BLAND = "5/5 tasks in gang unschedulable: pod group is not ready, 5 Pending, 5 minAvailable; Pending: 5 Unschedulable"
CAUSE = "0/1001 nodes are unavailable: 11 node(s) had untolerated taint {unreachable: }, 990 Insufficient cpu."


@pytest.mark.parametrize(
    ("message", "why"),
    [("", ""), (BLAND, BLAND), (f"{BLAND}. Origin reason is job-170-node-0-3-2vrjm: {CAUSE}", CAUSE)],
)
def test_why_a_gang_waits_is_the_cause_where_volcano_tells_it(message: str, why: str) -> None:
    assert gangs.gang(podgroup("g", "research", "Inqueue", 5, 40, why=message)).why == why


def test_a_gang_is_as_big_as_its_podgroup_says() -> None:
    gang = gangs.gang(podgroup("g", "research", "Running", 5, 40))
    assert (gang.members, gang.gpus, gang.gpus_per_pod, gang.queue, gang.phase) == (5, 40, 8, "research", "Running")


def test_a_queue_counts_its_own_gangs_alone() -> None:
    found = [
        gangs.gang(podgroup("a", "research", "Running", 2, 16)),
        gangs.gang(podgroup("b", "research", "Inqueue", 2, 16)),
        gangs.gang(podgroup("c", "research", "Completed", 2, 16)),
        gangs.gang(podgroup("d", "other", "Running", 2, 16)),
    ]
    queues = [{"metadata": {"name": "research"}, "status": {"state": "Open"}}]
    assert gangs.queue("research", queues, found) == gangs.QueueView("research", "Open", 1, 1, 16)
    assert gangs.queue("gone", queues, found).state == "absent"
