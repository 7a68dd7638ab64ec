"""What the service says of the certificate that it shows."""

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from appliance.config import ServerSection
from appliance.core.machine import Link
from appliance.core.moment import Moment
from appliance.server.http.pinning import fingerprint
from appliance.service.access.authentication import ServerCertificate
from appliance.system import certificate
from appliance.system.storage.files import write_private

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Computer:
    """A computer without an address."""

    def links(self) -> Mapping[str, Link]:
        return {}


def machine() -> Any:
    return SimpleNamespace(interfaces=Computer(), clock=lambda: Moment(NOW, 1000.0, is_trusted=True))


def openssl(path: Path, subject: str, *options: str) -> None:
    """Make a certificate and its key."""
    program = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "9",
    ]
    program += ["-subj", subject, "-keyout", f"{path}.key", "-out", str(path), *options]
    subprocess.run(program, check=True, capture_output=True)


def test_its_own_certificate_is_told_as_it_stands_in_its_file(tmp_path: Path) -> None:
    facts = ServerCertificate(ServerSection(tls=True), tmp_path, machine()).facts()
    assert facts.names == tuple(certificate.host_names())
    assert facts.fingerprint == fingerprint(tmp_path / "server.pem")
    assert facts.is_self_signed
    assert timedelta(days=390) < facts.ends - NOW < timedelta(days=398)


def test_one_of_an_authority_is_not_self_signed(tmp_path: Path) -> None:
    authority, pem = tmp_path / "authority.pem", tmp_path / "given.pem"
    openssl(authority, "/CN=Authority")
    named = ["-addext", "subjectAltName=DNS:pi.example,IP:192.0.2.7"]
    openssl(pem, "/CN=pi.example", "-CA", str(authority), "-CAkey", f"{authority}.key", *named)
    given = ServerSection(tls=True, certificate=str(pem), key=f"{pem}.key")
    facts = ServerCertificate(given, tmp_path, machine()).facts()
    assert sorted(facts.names) == ["192.0.2.7", "pi.example"]
    assert not facts.is_self_signed


def test_after_a_renewal_it_is_read_again_and_otherwise_once(tmp_path: Path) -> None:
    server = ServerCertificate(ServerSection(tls=True), tmp_path, machine())
    first = server.facts()
    assert server.facts() is first
    certificate.ensure(tmp_path / "next.pem", ["other"], NOW, write_private, even_if_old=True)
    (tmp_path / "next.pem").replace(tmp_path / "server.pem")
    assert server.reload()
    assert server.facts().names == ("other",)
    assert server.facts().fingerprint == fingerprint(tmp_path / "server.pem") != first.fingerprint


def test_a_certificate_in_memory_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "server.pem").write_text("this is no certificate")
    server = ServerCertificate(ServerSection(tls=True), tmp_path, machine())
    assert server.trouble
    assert server.facts().names == tuple(certificate.host_names())
