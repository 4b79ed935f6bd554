"""Secrets: one in each namespace whose jobs use it, known here by name alone."""

from collections.abc import Mapping

from muster import names
from muster.plan.notes import Notes
from muster.plan.parts import SecretPlan
from muster.settings import Job, Settings


def make(settings: Settings, notes: Notes) -> tuple[SecretPlan, ...]:
    """Secrets that jobs of the stack use; one that no job names is noted."""
    named = {secret for job in settings.jobs.values() for secret in job.secrets.values()}
    for name in settings.secrets:
        if name not in named:
            notes.warning(f"secrets.{name}", "no job uses it, so it is not put on the cluster")
    used = {(job.namespace, name) for job in settings.enabled_jobs.values() for name in job.secrets.values()}
    return tuple(SecretPlan(name, namespace) for namespace, name in sorted(used) if name in settings.secrets)


def check(key: str, job: Job, secrets: Mapping[str, object], notes: Notes) -> None:
    """Note what can't be among the secrets of a job, `key` its key in the stack file."""
    for variable, secret in job.secrets.items():
        notes.known(f"{key}.secrets.{variable}", secret, secrets, "secret")
        if names.is_reserved_env(variable):
            notes.reserved(f"{key}.secrets.{variable}")
        elif variable in job.env:
            notes.phrase(f"{key}.secrets.{variable}", "a variable of env as well", "one of the two")
