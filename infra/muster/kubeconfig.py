"""A kubeconfig file as far as a client needs it: where the API server is, whom to trust, who asks.

Only what people use against today's clusters is understood; anything else is refused by name.
https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

import base64
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from muster import moments

REFUSED = ("auth-provider", "as", "as-uid", "as-groups")
SPARE_S = 60.0
"""Seconds before its end at which a token is renewed."""


class Unusable(Exception):  # noqa: N818 - a mistake of the file, told to the user
    """The file can't be used; the text says why, without its secrets."""


@dataclass(frozen=True)
class Login:
    """How a client proves who it is: a certificate with its key, or a header. `ends` is when it must be renewed."""

    certificate: str = ""
    """PEM: certificate and key."""
    authorization: str = ""
    ends: datetime | None = None


@dataclass(frozen=True)
class Access:
    """One context of a kubeconfig. `authority` is PEM, empty for those that the machine trusts."""

    server: str
    user: Mapping[str, Any]
    authority: str = ""
    insecure: bool = False
    server_name: str | None = None
    proxy: str | None = None
    folder: Path = Path()
    """Where relative paths of the file begin."""

    def login(self) -> Login:
        """Credentials, by running the file's command where it names one. Raises Unusable."""
        if "exec" in self.user:
            return _executed(self.user["exec"], self)
        if unknown := [key for key in REFUSED if self.user.get(key)]:
            raise Unusable(f"{unknown[0]} of a user is not understood; use exec, a token or a certificate")
        certificate = _either(self.user, "client-certificate", self.folder)
        if certificate:
            return Login(certificate=f"{certificate}\n{_either(self.user, 'client-key', self.folder)}")
        if self.user.get("tokenFile"):
            return Login(authorization=f"Bearer {_read(self.folder / self.user['tokenFile']).strip()}")
        if self.user.get("token"):
            return Login(authorization=f"Bearer {self.user['token']}")
        if self.user.get("username"):
            pair = f"{self.user['username']}:{self.user.get('password', '')}".encode()
            return Login(authorization=f"Basic {base64.b64encode(pair).decode()}")
        return Login()


def parse(text: str, context: str | None, folder: Path) -> Access:
    """The named context of a kubeconfig, or its current one. Raises Unusable."""
    try:
        document = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders
    except yaml.YAMLError:
        raise Unusable("it is no YAML") from None
    if not isinstance(document, dict):
        raise Unusable("it is no map")
    wanted = context or document.get("current-context")
    if not wanted:
        raise Unusable("it names no current-context")
    chosen = _named(document, "contexts", "context", wanted)
    cluster = _named(document, "clusters", "cluster", chosen.get("cluster"))
    if not cluster.get("server"):
        raise Unusable(f"cluster {chosen.get('cluster')} names no server")
    return Access(
        server=str(cluster["server"]).rstrip("/"),
        user=_named(document, "users", "user", chosen["user"]) if chosen.get("user") else {},
        authority=_either(cluster, "certificate-authority", folder),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        server_name=cluster.get("tls-server-name"),
        proxy=cluster.get("proxy-url"),
        folder=folder,
    )


def _named(document: Mapping[str, Any], section: str, key: str, name: object) -> Mapping[str, Any]:
    for entry in document.get(section) or ():
        if entry.get("name") == name:
            found: Mapping[str, Any] = entry.get(key) or {}
            return found
    raise Unusable(f"{section} has no {name}")


def _either(part: Mapping[str, Any], key: str, folder: Path) -> str:
    """PEM that stands in the file, or in a file that it names; empty where neither."""
    try:
        if part.get(f"{key}-data"):
            return base64.b64decode("".join(str(part[f"{key}-data"]).split()), validate=True).decode()
    except ValueError:
        raise Unusable(f"{key}-data is not base64 of text") from None
    return _read(folder / part[key]) if part.get(key) else ""


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise Unusable(f"{path} can't be read: {error.strerror}") from None


def _executed(plugin: Mapping[str, Any], access: Access) -> Login:
    """Credentials that a command prints.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
    """
    command = str(plugin.get("command", ""))
    program = str(access.folder / command) if "/" in command else command
    words: Sequence[str] = [program, *map(str, plugin.get("args") or ())]
    spec: dict[str, Any] = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        authority = base64.b64encode(access.authority.encode()).decode()
        spec["cluster"] = {"server": access.server, "certificate-authority-data": authority}
    asked = {"apiVersion": plugin.get("apiVersion"), "kind": "ExecCredential", "spec": spec}
    env = {**os.environ, "KUBERNETES_EXEC_INFO": json.dumps(asked)}
    env |= {entry["name"]: entry["value"] for entry in plugin.get("env") or ()}
    try:
        done = subprocess.run(words, env=env, check=False, capture_output=True, text=True)
        status = json.loads(done.stdout)["status"] if done.returncode == 0 else None
    except FileNotFoundError:
        raise Unusable(f"its command {command} is not there") from None
    except (ValueError, KeyError):
        raise Unusable(f"its command {command} printed no credentials") from None
    if status is None:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise Unusable(f"its command {command} ended with {done.returncode}: {said}")
    ends = status.get("expirationTimestamp")
    return Login(
        certificate=f"{status['clientCertificateData']}\n{status.get('clientKeyData', '')}"
        if status.get("clientCertificateData")
        else "",
        authorization=f"Bearer {status['token']}" if status.get("token") else "",
        ends=moments.parse(ends) if ends else None,
    )


def stale(login: Login) -> bool:
    """Whether credentials end within SPARE_S."""
    return login.ends is not None and (login.ends - datetime.now(UTC)).total_seconds() < SPARE_S
