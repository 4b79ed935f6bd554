"""Certificates of the embedded cluster: one authority, a server certificate, an administrator and a token key."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = dt.timedelta(days=3650)


@dataclass(frozen=True)
class Pki:
    """Paths of the PEM files in one folder, private keys readable by their owner only."""

    folder: Path

    @property
    def ca(self) -> Path:
        """Certificate of the authority."""
        return self.folder / "ca.crt"

    def cert(self, name: str) -> Path:
        """Certificate of `server` or `admin`."""
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Private key of `server`, `admin` or `tokens`."""
        return self.folder / f"{name}.key"


def make(folder: Path, server_names: Sequence[str], now: dt.datetime) -> Pki:
    """Create all files in `folder` unless they are there; `server_names` are DNS names and IP addresses."""
    pki = Pki(folder)
    if pki.ca.exists():
        return pki
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority, ca_key = _issue("muster", None, None, now, ca=True)
    server, server_key = _issue("kube-apiserver", authority, ca_key, now, names=server_names)
    # The group system:masters passes every authorization check: this is the machine's own administrator.
    # https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles
    admin, admin_key = _issue("muster-admin", authority, ca_key, now, group="system:masters")
    _write_key(pki.key("tokens"), ec.generate_private_key(ec.SECP256R1()))
    for name, certificate, key in (("server", server, server_key), ("admin", admin, admin_key)):
        pki.cert(name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _write_key(pki.key(name), key)
    pki.ca.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    return pki


def write_kubeconfig(path: Path, pki: Pki, server: str, name: str) -> None:
    """Administrator kubeconfig for the API server at URL `server`, mode 0600."""
    user = {"client-certificate": str(pki.cert("admin")), "client-key": str(pki.key("admin"))}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority": str(pki.ca)}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document))


def _issue(
    name: str,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey | None,
    now: dt.datetime,
    *,
    ca: bool = False,
    group: str | None = None,
    names: Sequence[str] = (),
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if group is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    subject = x509.Name(attributes)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + LIFE)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(item) for item in names]), critical=False
        )
    return builder.sign(issuer_key or key, hashes.SHA256()), key


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
