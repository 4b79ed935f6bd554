"""Kubeconfig files as people have them, and those that can't be used."""

import base64
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from muster import kubeconfig
from muster.kubeconfig import Login, Unusable

CA = "-----BEGIN CERTIFICATE-----\nca\n-----END CERTIFICATE-----\n"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def config(user: dict[str, Any], **cluster: Any) -> str:
    document = {
        "clusters": [{"name": "c", "cluster": {"server": "https://k8s.example:6443/", **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    return yaml.safe_dump(document)


def login(user: dict[str, Any], folder: Path = Path()) -> Login:
    return kubeconfig.parse(config(user), None, folder).login()


def test_server_and_authority_are_the_contexts(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(CA)
    for cluster in ({"certificate-authority": "ca.pem"}, {"certificate-authority-data": encoded(CA)}):
        found = kubeconfig.parse(config({}, **cluster), "x", tmp_path)
        assert (found.server, found.authority, found.insecure) == ("https://k8s.example:6443", CA, False)
    named = kubeconfig.parse(config({}, **{"tls-server-name": "other", "proxy-url": "http://p:1"}), None, tmp_path)
    assert (named.server_name, named.proxy) == ("other", "http://p:1")


def test_everything_that_a_user_can_be_known_by(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    (tmp_path / "cert.pem").write_text("CERT")
    (tmp_path / "key.pem").write_text("KEY")
    assert login({}) == Login()
    assert login({"token": "t"}) == Login(authorization="Bearer t")
    assert login({"tokenFile": "token"}, tmp_path) == Login(authorization="Bearer from-file")
    assert login({"username": "me", "password": "pw"}) == Login(authorization="Basic bWU6cHc=")
    files = {"client-certificate": "cert.pem", "client-key": "key.pem"}
    assert login(files, tmp_path) == Login(certificate="CERT\nKEY")
    data = {"client-certificate-data": encoded("CERT"), "client-key-data": encoded("KEY")}
    assert login(data) == Login(certificate="CERT\nKEY")


PLUGIN = """
import json, os, sys
asked = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
status = {"token": f"{sys.argv[1]}-{os.environ['WHO']}-{asked['apiVersion'].rpartition('/')[2]}"}
status["expirationTimestamp"] = "2026-12-01T11:30:00Z"
print(json.dumps({**asked, "status": status}))
"""


def test_a_command_gives_a_token_and_its_end() -> None:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-c", PLUGIN, "token"],
        "env": [{"name": "WHO", "value": "me"}],
    }
    ends = datetime(2026, 12, 1, 11, 30, tzinfo=UTC)
    assert login({"exec": plugin}) == Login(authorization="Bearer token-me-v1", ends=ends)


def test_a_command_may_be_told_of_the_cluster() -> None:
    script = "import os; print(os.environ['KUBERNETES_EXEC_INFO'].replace('spec', 'status'))"
    plugin = {"command": sys.executable, "args": ["-c", script], "provideClusterInfo": True}
    document = config({"exec": plugin}, **{"certificate-authority-data": encoded(CA)})
    assert kubeconfig.parse(document, None, Path()).login() == Login()
    quiet = {**plugin, "args": ["-c", "import os; assert 'k8s.example' in os.environ['KUBERNETES_EXEC_INFO']"]}
    with pytest.raises(Unusable, match="printed no credentials"):
        login({"exec": quiet})


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"exec": {"command": "no-such-command"}}, "its command no-such-command is not there"),
        ({"exec": {"command": "false"}}, "its command false ended with 1: nothing"),
        ({"exec": {"command": "true"}}, "its command true printed no credentials"),
        ({"auth-provider": {"name": "oidc"}}, "auth-provider of a user is not understood"),
        ({"as": "admin", "token": "secret"}, "as of a user is not understood"),
        ({"client-certificate-data": "***"}, "client-certificate-data is not base64 of text"),
        ({"tokenFile": "nowhere"}, "nowhere can't be read: No such file or directory"),
    ],
)
def test_a_user_that_can_t_be_used_is_named_without_its_secret(user: dict[str, Any], said: str) -> None:
    with pytest.raises(Unusable) as caught:
        login(user)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "context", "said"),
    [
        ("[", None, "it is no YAML"),
        ("- 1", None, "it is no map"),
        ("{}", None, "it names no current-context"),
        (config({}), "other", "contexts has no other"),
        (json.dumps({"contexts": [{"name": "x", "context": {"cluster": "c"}}]}), "x", "clusters has no c"),
    ],
)
def test_a_file_that_can_t_be_used_says_why(text: str, context: str | None, said: str) -> None:
    with pytest.raises(Unusable) as caught:
        kubeconfig.parse(text, context, Path())
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("ends", "renewed"), [(None, False), ("2020-01-01T00:00:00Z", True), ("2999-01-01T00:00:00Z", False)]
)
def test_credentials_are_renewed_at_their_end(ends: str | None, renewed: bool) -> None:
    moment = datetime.fromisoformat(ends) if ends else None
    assert kubeconfig.stale(Login(ends=moment)) is renewed
