"""Reports on prepared changes of an environment that is up in rehearsal, against golden files.

`MUSTER_GOLDEN=write` writes the golden files anew: read every line of the difference before it is committed.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from muster import catalog, engine, preview
from muster.catalog import services
from muster.report import change_report, markdown, occupancy

from rehearsal import place as places
from rehearsal.place import Place

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.usefixtures("alone")]
GOLDEN = Path(__file__).parent / "golden" / "report"
STACK = "staging"
BEFORE: Mapping[str, Any] = {
    "cluster.kubernetesVersion": "1.34",
    "cluster.support": "extended",
    "cluster.network": {"kind": "own", "cidr": "10.20.0.0/16"},
    "pools.p4d.ami": {"release": "1.34.4-20261023"},
    "jobs.zero3-smoke.wait": "none",
    "jobs.zero3-smoke.secrets": {"HF_TOKEN": "hub"},
}
"""What the environment differs in from its stack file, so that each change has something to change."""
ON_DEMAND = {"mode": "on-demand", "allowUnreserved": True}
BLOCK = {"mode": "capacity-block", "reservation": "cr-0a1b2c3d4e5f60718", "ends": "2027-12-01T11:30:00Z"}
FIRST, SECOND = "marked-1-5d1c0b77f2a9", "marked-2-e08c44b19d36"
"""Values of the secret, before and after."""
CHART = "kubeflow-trainer"
JOB, SPACE = "zero3-smoke", "training"


def edit(**values: Any) -> Callable[[Place], None]:
    """Set keys of the stack file; two underscores stand for a dot, one for a hyphen."""

    def make(place: Place) -> None:
        for path, value in values.items():
            place.edit(path.replace("__", ".").replace("_", "-"), value)

    return make


def bump_chart(place: Place) -> None:
    """Put the next patch of a chart where the pinned one is."""
    link = place.root / "charts" / CHART
    pinned = link.resolve()
    link.unlink()
    shutil.copytree(pinned, link)
    chart = yaml.safe_load((link / "Chart.yaml").read_text())
    (link / "Chart.yaml").write_text(yaml.safe_dump({**chart, "version": "2.3.1"}))


def rotate(place: Place) -> None:
    seal(place, SECOND)


def seal(place: Place, value: str) -> None:
    place.run("config", "set", "--secret", "--path", "muster:secrets.hub", value)


CHANGES: Mapping[str, Callable[[Place], None]] = {
    "grow": edit(pools__p4d__nodes=3),
    "shrink": edit(pools__p4d__nodes=1, jobs__zero3_smoke__nodes=1),
    "node-image": edit(pools__p4d__ami={"release": "1.34.5-20261120"}),
    "instance-type": edit(pools__p4d__instanceType="g6e.48xlarge", pools__p4d__capacity=ON_DEMAND),
    "capacity-mode": edit(pools__p4d__capacity=BLOCK),
    "zone": edit(pools__p4d__zone="use1-az1", pools__p4d__capacity=ON_DEMAND, storage__checkpoints__zone="use1-az1"),
    "kubernetes-minor": edit(cluster__kubernetesVersion="1.35", pools__p4d__ami={"release": "1.35.4-20261023"}),
    "runtime": edit(runtimes__deepspeed_p4d__image="123456789012.dkr.ecr.us-east-1.amazonaws.com/deepspeed:0.19.9"),
    "job": edit(jobs__zero3_smoke__args=["--steps", "50"]),
    "queue": edit(queues__research__weight=5),
    "network": edit(cluster__network__cidr="10.30.0.0/16"),
    "pool-with-a-running-job": edit(pools__p4d=None, runtimes__deepspeed_p4d=None, jobs__zero3_smoke=None),
    "tag": edit(cluster__tags__owner="research"),
    "chart": bump_chart,
    "secret": rotate,
}
"""Changes by the name of their golden file, each made on the environment as it is."""


@pytest.fixture(scope="module")
def up() -> Iterator[Place]:
    place = places.prepare(STACK)
    seal(place, FIRST)
    for path, value in BEFORE.items():
        place.edit(path, value)
    place.up()
    place.kube.create_pod(SPACE, gang())
    yield place
    place.destroy()
    assert place.leftovers() == []


def gang() -> dict[str, Any]:
    """A double of the job's first pod: the simulator ends those of a Job after seconds, this one runs on."""
    return {
        "metadata": {"name": f"{JOB}-node-0-0-double", "labels": {occupancy.JOBSET: JOB}},
        "spec": {
            "nodeSelector": {"muster.dev/pool": "p4d"},
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "node", "image": "double"}],
        },
    }


@pytest.fixture
def environment(up: Place) -> Iterator[Place]:
    file, chart = up.root / "stacks" / f"Pulumi.{STACK}.yaml", up.root / "charts" / CHART
    before, pinned = file.read_text(), chart.readlink()
    yield up
    file.write_text(before)
    if not chart.is_symlink():
        shutil.rmtree(chart)
        chart.symlink_to(pinned)


@pytest.mark.parametrize("name", CHANGES)
def test_the_report_on_a_change_is_right(environment: Place, name: str) -> None:
    CHANGES[name](environment)
    text = environment.run(*engine.PREVIEW)
    found = change_report.make(
        preview.load(text, name),
        environment.plan(),
        catalog.load(),
        services.load(),
        occupancy=occupancy.read(environment.kube),
        policies=(),
    )
    said = re.sub(r"\b([a-z]+)-[0-9a-f]{17}\b", r"\1-ID", markdown.render(found))
    assert FIRST not in said
    assert SECOND not in said
    golden = GOLDEN / f"{name}.md"
    if os.environ.get("MUSTER_GOLDEN") == "write":
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(said)
        (environment.folder / f"{name}.json").write_text(text)
    assert said == golden.read_text()
