"""What the embedded cluster refuses, and what it is made of."""

import datetime as dt
import platform
import stat
from pathlib import Path

import pytest
from cryptography import x509

from local import cluster, components, packages, pki, settings, toolchain
from local.problem import Problem

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def test_another_system_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(Problem, match=r"needs Linux, this is Darwin; or use .*STACK=existing KUBECONFIG="):
        cluster.check_machine()


def test_another_user_than_root_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.os, "geteuid", lambda: 1000)
    with pytest.raises(Problem, match=r"needs root, this is user 1000; .*STACK=existing"):
        cluster.check_machine()


def test_a_missing_capability_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.os, "geteuid", lambda: 0)
    monkeypatch.setattr(cluster, "CAPABILITIES", {"CAP_NO_SUCH": 63})
    with pytest.raises(Problem, match="needs CAP_NO_SUCH, which this process lacks"):
        cluster.check_machine()


def test_missing_packages_are_listed_where_they_can_not_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "NEEDED", {"no-such-binary": "one", "/no/such/file": "two"})
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)
    with pytest.raises(Problem, match="these packages are missing: one two; install them"):
        packages.ensure()


def test_certificates_are_made_once_and_private(tmp_path: Path) -> None:
    made = pki.make(tmp_path / "pki", ["10.0.0.1", "kubernetes"], NOW)
    server = x509.load_pem_x509_certificate(made.cert("server").read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    assert names.get_values_for_type(x509.DNSName) == ["kubernetes"]
    authority = x509.load_pem_x509_certificate(made.ca.read_bytes())
    server.verify_directly_issued_by(authority)
    for name in ("server", "admin", "tokens"):
        assert stat.S_IMODE(made.key(name).stat().st_mode) == 0o600
    before = made.ca.read_bytes()
    assert pki.make(tmp_path / "pki", [], NOW).ca.read_bytes() == before


def test_the_kubeconfig_names_keys_and_holds_none(tmp_path: Path) -> None:
    made = pki.make(tmp_path / "pki", ["x"], NOW)
    pki.write_kubeconfig(tmp_path / "kubeconfig", made, "https://10.0.0.1:6443", "muster")
    assert "PRIVATE KEY" not in (tmp_path / "kubeconfig").read_text()
    assert stat.S_IMODE((tmp_path / "kubeconfig").stat().st_mode) == 0o600


def test_every_address_follows_from_the_settings(tmp_path: Path) -> None:
    chosen = settings.load().model_copy(
        update={"link": "10.1.0.0/30", "pods": "10.2.0.0/24", "services": "10.3.0.0/24", "api_server_port": 7443}
    )
    binaries = {name: Path("/bin") / name for name in toolchain.CLUSTER}
    made = components.node(chosen, tmp_path, tmp_path / "images", pki.Pki(tmp_path / "pki"), binaries)
    assert (made.gateway, made.address, made.bridge, made.api) == (
        "10.1.0.1",
        "10.1.0.2",
        "10.2.0.1",
        "https://10.1.0.2:7443",
    )
    text = made.json() + "".join(path.read_text() for path in (tmp_path / "etc").rglob("*") if path.is_file())
    assert "10.213.7" not in text
    assert "10.244." not in text
    assert "10.96." not in text


def test_a_recycled_process_number_is_not_taken_for_the_supervisor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    cluster.folder().mkdir(parents=True)
    (cluster.folder() / "pid").write_text("[1, 1, 1]")
    assert cluster.running() is None
