"""Certificates for the TLS side: a small CA for each run, with a server and a client that it vouches for."""

import ipaddress
import ssl
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes as PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["CLIENT", "HOST", "SERVER", "Certificates", "client_context", "make_certificates", "server_context"]

HOST = "127.0.0.1"
SERVER, CLIENT = "server", "client"
"""The common names that both sides see of each other."""

_KEYS: Mapping[str, Callable[[], PrivateKey]] = {
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
}
_USES = {SERVER: ExtendedKeyUsageOID.SERVER_AUTH, CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH}


@dataclass(frozen=True, slots=True)
class Certificates:
    """What both sides of a run need, in PEM: the CA's certificate, and key and certificate of each side."""

    ca: str
    sides: Mapping[str, str] = field(repr=False)


def make_certificates(kind: str) -> Certificates:
    """A new CA, a server at `HOST` and a client, all with keys of this kind: ecdsa (P-256) or rsa (2048 bits)."""
    ca_key, ca_name = _KEYS[kind](), _name("bench CA")
    ca = _builder(ca_name, ca_name, ca_key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    sides = {}
    for side, use in _USES.items():
        key = _KEYS[kind]()
        certificate = (
            _builder(_name(side), ca_name, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        sides[side] = (private + certificate.public_bytes(Encoding.PEM)).decode()
    return Certificates(ca.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM).decode(), sides)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: PrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
    )


def server_context(certificates: Certificates, *, mutual: bool) -> ssl.SSLContext:
    """TLS 1.3 as the server: with tickets off, so that each connection is a whole handshake.

    `mutual` asks clients for a certificate of this CA and refuses those without.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, certificates, SERVER)
    context.num_tickets = 0
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(certificates: Certificates, *, mutual: bool) -> ssl.SSLContext:
    """TLS 1.3 as the client, which verifies the server's certificate and its address; `mutual` shows its own."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, certificates, CLIENT if mutual else None)


def _context(protocol: int, certificates: Certificates, side: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=certificates.ca)
    if side is not None:
        # The ssl module takes keys from files alone. This one is gone before anything is measured.
        with tempfile.TemporaryDirectory(prefix="p2pnoise-bench-") as folder:
            file = Path(folder) / "key.pem"
            file.write_text(certificates.sides[side])
            context.load_cert_chain(file)
    return context
