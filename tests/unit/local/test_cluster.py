"""What the embedded cluster refuses, and what it is made of."""

import datetime as dt
import json
import platform
import stat
import subprocess
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


def made_with(chosen: settings.ClusterSettings) -> None:
    cluster.folder().mkdir(parents=True)
    (cluster.folder() / "settings.json").write_text(chosen.model_dump_json())


def test_settings_that_changed_under_a_cluster_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(cluster, "check_machine", lambda: None)
    made_with(settings.load().model_copy(update={"pods": "10.9.0.0/24", "api_server_port": 7443}))
    wanted = r"\(pods 10\.9\.0\.0/24 to \S+, apiServerPort 7443 to 6443\); end it with make cluster-down"
    with pytest.raises(Problem, match=wanted):
        cluster.up({})


def test_a_supervisor_is_given_time_to_mend_its_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(cluster, "check_machine", lambda: None)
    made_with(settings.load())
    answers = iter([False, False, False, True])
    monkeypatch.setattr(cluster, "_supervisor", lambda: 17)
    monkeypatch.setattr(cluster, "_ready", lambda: next(answers))
    monkeypatch.setattr(cluster, "_end", lambda: pytest.fail("a cluster that only stalled was ended"))
    assert cluster.up({}).pid == 17


def test_a_folder_too_deep_for_sockets_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ("x" * 100)))
    monkeypatch.setattr(cluster, "check_machine", lambda: None)
    with pytest.raises(Problem, match=r"characters too long for sockets below it; set a shorter XDG_STATE_HOME"):
        cluster.up({})


@pytest.mark.parametrize(
    ("routes", "taken"),
    [
        ([{"dst": "default"}, {"dst": "0.0.0.0/1"}, {"dst": "128.0.0.0/1"}], None),
        ([{"dst": "10.213.8.0/24", "dev": "vpn0"}], None),
        ([{"dst": "10.0.0.0/8", "dev": "vpn0"}], "10.0.0.0/8 on vpn0"),
        ([{"type": "local", "dst": "10.213.7.1", "dev": "lo"}], "10.213.7.1 on lo"),
    ],
)
def test_a_network_that_is_in_use_is_named(
    routes: list[dict[str, str]], taken: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(words, 0, stdout=json.dumps(routes))

    monkeypatch.setattr(cluster.subprocess, "run", answer)
    monkeypatch.setattr(cluster, "_interfaces", lambda: ["lo"])
    chosen = settings.load().model_copy(update={"link": "10.213.7.0/30"})
    if taken is None:
        cluster._check_link(chosen)
    else:
        with pytest.raises(Problem, match=f"network 10.213.7.0/30 is taken by {taken}; .*cluster.yaml"):
            cluster._check_link(chosen)


def hierarchy(root: Path, **files: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / name.replace("_", ".", 1)).write_text(text)
    return root


def test_control_groups_are_made_in_every_hierarchy_of_version_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONTROLLERS", tmp_path)
    for name in ("cpu", "cpuset"):
        hierarchy(tmp_path / name, cgroup_procs="1\n")
    (tmp_path / "not-a-hierarchy").mkdir()
    cluster._make_control_groups("muster3")
    assert {path.parent.name for path in tmp_path.glob("*/muster3")} == {"cpu", "cpuset"}
    (tmp_path / "cpu" / "muster3" / "kubepods" / "pod1").mkdir(parents=True)
    cluster._remove_control_groups("muster3")
    assert not list(tmp_path.glob("*/muster3"))


def test_version_2_passes_its_controllers_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONTROLLERS", tmp_path)
    hierarchy(tmp_path, cgroup_controllers="cpu memory\n", cgroup_procs="1\n")
    cluster._make_control_groups("muster3")
    assert (tmp_path / "muster3" / "cgroup.subtree_control").read_text() == "+cpu +memory"


def test_control_groups_of_somebody_else_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONTROLLERS", tmp_path)
    hierarchy(tmp_path / "cpu", cgroup_procs="1\n")
    hierarchy(tmp_path / "cpu" / "docker" / "inner", cgroup_procs="4711\n")
    chosen = settings.load().model_copy(update={"interface": "docker"})
    with pytest.raises(Problem, match=r"docker/inner is taken by process 4711; choose another interface"):
        cluster._check_control_group(chosen)
