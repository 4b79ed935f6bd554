"""Rules of IAM: what may be done, and by whom."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from muster.policy.parts import Resource, maps

POLICIES = ("aws:iam/policy:Policy", "aws:iam/rolePolicy:RolePolicy")
ROLE = "aws:iam/role:Role"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
ADMINISTRATORS = ("AdministratorAccess", "PowerUserAccess")
"""Managed policies that allow (almost) everything: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_job-functions.html"""


def everything(resource: Resource) -> Iterator[str]:
    """Policies that allow every action on every resource."""
    if resource.kind in POLICIES:
        for statement in _allowed(resource.at("policy")):
            actions, on = _texts(statement.get("Action")), _texts(statement.get("Resource"))
            if "*" in on and ("*" in actions or "NotAction" in statement):
                yield "every action on every resource is allowed"
            elif "*" in on and any(action.endswith(":*") for action in actions):
                services = ", ".join(sorted(action for action in actions if action.endswith(":*")))
                yield f"{services} on every resource is allowed"
    name = str(resource.at("policyArn")).rpartition("/")[2]
    if resource.kind == ATTACHMENT and name in ADMINISTRATORS:
        yield f"the policy {name} allows every action on every resource"


def open_trust(resource: Resource) -> Iterator[str]:
    """Roles that anybody with an AWS account may take."""
    if resource.kind != ROLE:
        return
    for statement in _allowed(resource.at("assumeRolePolicy")):
        principal = statement.get("Principal")
        named = _texts(principal.get("AWS")) if isinstance(principal, Mapping) else _texts(principal)
        if "*" in named and not statement.get("Condition"):
            yield "anybody may take the role"


def _allowed(document: object) -> Iterator[Mapping[str, Any]]:
    """Statements of a policy that allow something; none of what is no policy, such as a value not known yet."""
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return
    if not isinstance(document, Mapping):
        return
    statements = document.get("Statement")
    for statement in [statements] if isinstance(statements, Mapping) else maps(statements):
        if statement.get("Effect") == "Allow":
            yield statement


def _texts(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value)) if isinstance(value, list | tuple) else ()
