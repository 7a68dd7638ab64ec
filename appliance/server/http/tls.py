"""TLS: turns an accepted connection into a protected one, in the connection's own greenlet.

A stranger that connects and sends nothing, resets in the middle or speaks another protocol delays no other client: the
listener gives the whole handshake a deadline, and every failure of it is an `OSError` that ends that one connection.
"""

import socket
import ssl
from datetime import datetime
from pathlib import Path
from typing import Any

from eventlet.green.ssl import GreenSSLSocket
from msgspec import Struct

from appliance.server.http.pinning import der_of, fingerprint_of

TLS_RECORD = 0x16  # the first byte of every handshake (RFC 8446, section 5.1), and of no HTTP request

# For TLS 1.2, which old dashboards still speak; 1.3 brings its own. Forward secrecy and authenticated encryption only.
CIPHERS_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20"

PLAIN_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 51\r\n"
    b"Connection: close\r\n\r\nThis port speaks TLS: open the address with https:\n"
)


class TlsUnavailable(Exception):
    """The certificate or the key cannot be used; the text names the file."""


class CertificateFacts(Struct, frozen=True):
    """What people see of the certificate in use. `ends`: when; `fingerprint`: its SHA-256, as browsers show it."""

    names: tuple[str, ...]
    ends: datetime
    fingerprint: str
    is_self_signed: bool


class Tls:
    """Protects connections with the certificate and key in these files, which may be the same file.

    `certificate`: the one in use, in DER.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        """Load the certificate and the key. Raises `TlsUnavailable`."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.set_ciphers(CIPHERS_1_2)
        self._context.options |= ssl.OP_NO_RENEGOTIATION  # costs the server more than the client that asks for it
        self._context.set_alpn_protocols(["http/1.1"])
        self.load(certificate, key)

    def has_changed(self, certificate: Path, key: Path) -> bool:
        """Whether one of these files is another one than was read."""
        return _stamps(certificate, key) not in (self._read, None)

    def load(self, certificate: Path, key: Path) -> None:
        """Read both files; later connections get the new certificate. Raises `TlsUnavailable`."""
        self._read = _stamps(certificate, key)
        try:
            # Elsewhere first: of a certificate and a key that do not fit, the context in use would keep one.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
            self._context.load_cert_chain(certificate, key)
            self.certificate = der_of(certificate)
        except (OSError, ValueError) as error:  # `ssl.SSLError` is an `OSError`
            raise TlsUnavailable(f"{certificate} and {key} cannot be used as certificate and key: {error}") from None

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the certificate, as browsers show it."""
        return fingerprint_of(self.certificate)

    def secure(self, connection: Any) -> Any:
        """Do the handshake on an accepted green socket; returns the protected socket. Raises `OSError`."""
        first = connection.recv(1, socket.MSG_PEEK)
        if first and first[0] != TLS_RECORD:
            connection.sendall(PLAIN_ANSWER)
            raise ConnectionAbortedError("speaks no TLS")
        protected = GreenSSLSocket(connection, server_side=True, do_handshake_on_connect=False, _context=self._context)
        try:
            protected.do_handshake()
        except BaseException:  # the listener's deadline too
            protected.close()  # which has taken over the descriptor
            raise
        return protected


def _stamps(*files: Path) -> tuple[tuple[int, int], ...] | None:
    """Number and time of the files; `None`: one is not there, as while it is replaced."""
    try:
        found = [path.stat() for path in files]
    except OSError:
        return None
    return tuple((one.st_ino, one.st_mtime_ns) for one in found)
