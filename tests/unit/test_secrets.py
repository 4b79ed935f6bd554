"""Secrets: known by name everywhere but in the engine."""

import json

import pytest
from muster.manifests import secret, trainjob
from muster.plan.parts import SecretPlan
from muster.problems import SettingsError
from muster.settings import secrets

from tests.unit import planned

VALUE = "hf_marked"


def config(**job: object) -> dict[str, object]:
    own = {"workload": "zero3-train", "runtime": "deepspeed-p5", "nodes": 2, **job}
    used = {**planned.P5, "queues": {}, "storage": {}, "jobs": {"train": own}}
    return {**used, "secrets": {"token": {"secure": "v1:a:b"}, "idle": {"secure": "v1:c:d"}}}


def test_what_the_engine_unsealed_never_reaches_the_settings() -> None:
    unsealed = {"muster:secrets": {"token": VALUE}, "muster:queues": {}}
    veiled = secrets.veiled(unsealed, ["muster:secrets"], "FILE")
    assert veiled == {"muster:secrets": {"token": {"secure": "held by the engine"}}, "muster:queues": {}}
    assert unsealed["muster:secrets"] == {"token": VALUE}


def test_values_that_the_engine_does_not_hold_secret_stay_to_be_refused() -> None:
    assert secrets.veiled({"muster:secrets": {"token": VALUE}}, [], "FILE") == {"muster:secrets": {"token": VALUE}}


def test_a_secret_elsewhere_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        secrets.veiled({"muster:jobs": {"env": VALUE}, "aws:token": VALUE}, ["muster:jobs", "aws:token"], "FILE")
    assert str(caught.value) == (
        "FILE: jobs: found a secret; expected a name under secrets, and jobs.NAME.secrets that refers to it"
    )


def test_a_secret_is_in_each_namespace_that_uses_it_and_in_no_other() -> None:
    made = planned.of(config(secrets={"HF_TOKEN": "token"}, namespace="team-a"))
    assert made.secrets == (SecretPlan("token", "team-a"),)
    assert made.warnings == ("FILE: secrets.idle: no job uses it, so it is not put on the cluster",)


def test_a_job_that_is_switched_off_leaves_no_secret_behind() -> None:
    made = planned.of(config(secrets={"HF_TOKEN": "token"}, enabled=False))
    assert made.secrets == ()


def test_processes_find_it_in_their_environment() -> None:
    (job,) = planned.of(config(secrets={"HF_TOKEN": "token"}, env={"LEVEL": "debug"})).jobs
    env = {row["name"]: row for row in trainjob.build(job)["spec"]["trainer"]["env"]}
    assert env["HF_TOKEN"] == {
        "name": "HF_TOKEN",
        "valueFrom": {"secretKeyRef": {"name": "token", "key": "value"}},
    }
    assert env["LEVEL"] == {"name": "LEVEL", "value": "debug"}
    assert "v1:a:b" not in json.dumps(trainjob.build(job))


def test_the_manifest_holds_what_it_is_given() -> None:
    made = secret.build(SecretPlan("token", "team-a"), "<secret>")
    assert made["metadata"]["namespace"] == "team-a"
    assert made["data"] == {"value": "<secret>"}
