"""Secrets, whose values only the engine has."""

from typing import Any

from muster.manifests.labels import MANAGED
from muster.plan.parts import SecretPlan

KEY = "value"
"""The one key of every Secret."""


def build(plan: SecretPlan, value: Any) -> dict[str, Any]:
    """The Secret; `value` is its text in base64, which may be an output."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": plan.name, "namespace": plan.namespace, "labels": dict(MANAGED)},
        "type": "Opaque",
        "data": {KEY: value},
    }


def variable(name: str, secret: str) -> dict[str, Any]:
    """The environment variable of a container that holds a secret's value."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": KEY}}}
