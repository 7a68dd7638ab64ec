"""TLS with the clients that use it: Node's, curl, openssl, the command line's, and hostile ones."""

import os
import socket
import ssl
import struct
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from appliance.server.http.pinning import fingerprint, pinned_context
from appliance.server.http.tls import Tls, TlsUnavailable
from appliance.system import certificate
from appliance.system.storage.files import write_private
from tests.client import NodeClient
from tests.contract.schema import examples

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    from tests.server.conftest import Running

    running = Running(tmp_path_factory.mktemp("state"), tls=True)
    yield running
    running.stop()


@pytest.fixture
def pem(secured):
    return secured.state_dir / "server.pem"


def _public(pem):
    text = pem.read_text()
    return text[text.index("-----BEGIN CERTIFICATE") :]


def _curl(*words):
    return subprocess.run(["curl", "-sS", *words], capture_output=True, text=True, timeout=30, check=False)


def _honest(secured, pem, **options):
    return NodeClient(secured.url, secured.token(), options={"ca": _public(pem), **options})


@pytest.mark.parametrize("transports", [["polling", "websocket"], ["websocket"], ["polling"]])
def test_a_node_client_that_trusts_the_certificate_gets_events_and_calls(secured, pem, transports) -> None:
    with _honest(secured, pem, transports=transports) as client:
        client.wait_for("connect")
        if len(transports) > 1:
            assert client.wait_for("upgrade") == "websocket"
        secured.publish("usage:update", examples()["usage:update"])
        assert client.wait_for("usage:update", lambda data: data["metrics"]["activeConnections"] == 25)
        assert client.call("analytics:subscribe", "dept123") == {"success": True}


def test_a_node_client_that_does_not_trust_it_refuses(secured) -> None:
    with NodeClient(
        secured.url, secured.token(), options={"transports": ["websocket"], "reconnection": False}
    ) as client:
        assert client.wait_for("connect_error")
        assert client.named("connect") == []


def test_curl_verifies_it_by_name_and_address(secured, pem) -> None:
    for host in ("127.0.0.1", "localhost"):
        done = _curl("--cacert", str(pem), "-D-", f"https://{host}:{secured.port}/healthz")
        assert done.returncode == 0, done.stderr
        assert '"status"' in done.stdout
        assert "strict-transport-security" not in done.stdout.lower()
    assert "https://localhost" in _curl("--cacert", str(pem), f"https://localhost:{secured.port}/").stdout


def test_plain_http_is_answered_with_a_hint_at_https(secured) -> None:
    done = _curl(f"http://127.0.0.1:{secured.port}/")
    assert "https" in done.stdout


@pytest.mark.parametrize(
    "options",
    [
        ["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"],
        ["-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"],
        ["-tls1_2", "-cipher", "AES128-SHA"],  # no forward secrecy, no authenticated encryption
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"],
    ],
)
def test_old_protocols_and_weak_ciphers_are_refused(secured, options) -> None:
    program = ["openssl", "s_client", "-connect", f"127.0.0.1:{secured.port}", *options]
    done = subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    assert "Cipher is (NONE)" in done.stdout


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_modern_protocols_are_spoken(secured, version) -> None:
    program = ["openssl", "s_client", "-connect", f"127.0.0.1:{secured.port}", version]
    done = subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    assert "Cipher is (NONE)" not in done.stdout
    assert "BEGIN CERTIFICATE" in done.stdout


def test_a_handshake_that_breaks_off_ends_only_its_own_connection(secured, pem) -> None:
    hello = _client_hello()
    before = secured.count()["descriptors"]
    for what in (b"", hello[:1], hello[:20], hello, b"\x16" + os.urandom(500), b"\x16\x03\x01\xff\xff" + b"x" * 100):
        for _ in range(10):
            stranger = socket.create_connection(("127.0.0.1", secured.port))
            stranger.sendall(what)
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            stranger.close()
    with _honest(secured, pem) as client:
        client.wait_for("connect")
        assert client.call("ip:list")["success"]
    assert "Traceback" not in secured.log()
    assert secured.count()["descriptors"] <= before + 5


def test_silent_connections_do_not_delay_other_clients(secured, pem) -> None:
    silent = [socket.create_connection(("127.0.0.1", secured.port)) for _ in range(50)]
    for one in silent[25:]:
        one.sendall(_client_hello()[:100])
    with _honest(secured, pem) as client:
        client.wait_for("connect")
        assert client.call("ip:list")["success"]
    for one in silent:
        one.close()


def test_a_client_that_does_not_read_does_not_delay_others(secured, pem) -> None:
    stuck, honest = (_honest(secured, pem, transports=["websocket"]) for _ in range(2))
    with stuck, honest:
        stuck.wait_for("connect")
        honest.wait_for("connect")
        stuck.pause()
        alert = examples()["security:incident"]
        for number in range(300):
            incident = {**alert["incident"], "details": f"{number} {'x' * 4000}"}
            secured.publish("security:incident", {**alert, "incident": incident})
        honest.wait_for("security:incident", count=300)
        stuck.resume()


def test_pinning_accepts_the_pinned_certificate_and_no_other(secured, pem, tmp_path) -> None:
    address = ("127.0.0.1", secured.port)
    with socket.create_connection(address) as plain, pinned_context(pem).wrap_socket(plain) as protected:
        assert protected.version() == "TLSv1.3"
    other = tmp_path / "other.pem"
    certificate.ensure(other, ["localhost", "127.0.0.1"], datetime.now(UTC), write_private, even_if_old=True)
    with (
        socket.create_connection(address) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match="another server"),
    ):
        pinned_context(other).wrap_socket(plain)


def test_a_renewed_certificate_has_another_fingerprint(tmp_path) -> None:
    pem = tmp_path / "server.pem"
    wall = datetime(2026, 1, 1, tzinfo=UTC)
    assert certificate.ensure(pem, ["localhost"], wall, write_private, even_if_old=False)
    tls = Tls(pem, pem)
    first = tls.fingerprint
    assert not certificate.ensure(pem, ["localhost"], wall + timedelta(days=300), write_private, even_if_old=False)
    assert certificate.ensure(pem, ["localhost"], wall + timedelta(days=380), write_private, even_if_old=False)
    tls.load(pem, pem)
    assert tls.fingerprint == fingerprint(pem) != first


def test_a_certificate_without_its_key_is_reported_with_its_file(tmp_path) -> None:
    one, other = tmp_path / "one.pem", tmp_path / "other.pem"
    for path in (one, other):
        certificate.ensure(path, ["localhost"], datetime.now(UTC), write_private, even_if_old=True)
    with pytest.raises(TlsUnavailable, match="cannot be used as certificate and key"):
        Tls(one, other)
    with pytest.raises(TlsUnavailable, match=r"missing\.pem"):
        Tls(tmp_path / "missing.pem", one)


def _client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()
