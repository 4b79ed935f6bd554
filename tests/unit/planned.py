"""Plans of real and made-up stack files, for tests."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from muster import catalog, plan, releases, repository, settings
from muster.catalog import services
from muster.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
CHECKOUT = Path(__file__).parent / "fixtures" / "checkout"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
"""The day on which the tests judge dates."""
GOLDEN = Path(__file__).parent / "golden"


def of(config: dict[str, Any], *, checkout: Path = CHECKOUT, stack: str = "test", now: datetime = NOW) -> Plan:
    """Plan of a configuration whose keys lack `muster:`."""
    declared = settings.parse({f"muster:{key}": value for key, value in config.items()}, "FILE")
    return plan.make(
        declared,
        repository.load(checkout),
        catalog.load(),
        services.load(),
        releases.load(),
        stack=stack,
        source="FILE",
        now=now,
    )


def of_stack(name: str, *, checkout: Path = CHECKOUT) -> Plan:
    """Plan of a stack file of the project, on the templates of `checkout`."""
    document = yaml.safe_load((ROOT / "stacks" / f"Pulumi.{name}.yaml").read_text())
    config = {key.removeprefix("muster:"): value for key, value in document["config"].items()}
    return of(config, checkout=checkout, stack=name)


P5: dict[str, Any] = {
    "cluster": {"provider": "embedded"},
    "pools": {"p5": {"instanceType": "p5.48xlarge", "nodes": 4, "simulated": True}},
    "queues": {"research": {"weight": 3, "gpus": 32}},
    "storage": {"data": {"kind": "existing-claim", "claimName": "shared-data"}},
    "runtimes": {"deepspeed-p5": {"template": "pinned", "pool": "p5"}},
    "jobs": {
        "pretrain": {
            "workload": "zero3-train",
            "runtime": "deepspeed-p5",
            "nodes": 4,
            "queue": "research",
            "namespace": "team-a",
            "image": "docker.io/muster/own:2",
            "args": ["--lr", "0.1"],
            "env": {"LEVEL": "debug"},
            "storage": {"data": "/data"},
            "resources": {"requests": {"cpu": 100}, "limits": {"memory": "1000Gi"}},
            "deadline": "2h",
            "run": 7,
        }
    },
}
"""A stack with everything that a job may say, on whole GPU nodes."""
