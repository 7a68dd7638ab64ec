"""TLS: what turns an accepted connection into a protected one, in the connection's own greenlet.

A stranger who connects and says nothing, resets in the middle or speaks something else holds nobody else up: the
door gives the handshake a deadline as a whole, and every failure of it is an `OSError` that ends that one connection.
"""

import socket
import ssl
from pathlib import Path
from typing import Any

from eventlet.green.ssl import GreenSSLSocket

from appliance.server.http.pinning import fingerprint

TLS_RECORD = 0x16  # with which every handshake begins (RFC 8446, section 5.1); no HTTP request does

# For TLS 1.2, which old dashboards still speak; 1.3 brings its own. Forward secrecy and authenticated encryption only.
CIPHERS_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20"

PLAIN_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 51\r\n"
    b"Connection: close\r\n\r\nThis port speaks TLS: open the address with https:\n"
)


class TlsUnavailable(Exception):
    """The certificate or the key cannot be used; the text names the file."""


class Tls:
    """Protects connections with the certificate and key in these files, which may be one file."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Load both. Raises `TlsUnavailable`."""
        self._certificate, self._key = certificate, key
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.set_ciphers(CIPHERS_1_2)
        self._context.options |= ssl.OP_NO_RENEGOTIATION  # costs the server more than the client that asks for it
        self._context.set_alpn_protocols(["http/1.1"])
        self.load()

    def load(self) -> None:
        """Serve what the files hold now to whoever connects from now on. Raises `TlsUnavailable`."""
        try:
            self._context.load_cert_chain(self._certificate, self._key)
        except (OSError, ValueError) as error:  # `ssl.SSLError` is an `OSError`
            raise TlsUnavailable(
                f"{self._certificate} and {self._key} cannot be used as certificate and key: {error}"
            ) from None
        self.fingerprint = fingerprint(self._certificate)

    def secure(self, connection: Any) -> Any:
        """The accepted green socket as a protected one, after the handshake. Raises `OSError`."""
        first = connection.recv(1, socket.MSG_PEEK)
        if first and first[0] != TLS_RECORD:
            connection.sendall(PLAIN_ANSWER)
            raise ConnectionAbortedError("speaks no TLS")
        protected = GreenSSLSocket(connection, server_side=True, do_handshake_on_connect=False, _context=self._context)
        try:
            protected.do_handshake()
        except BaseException:  # the deadline of the door too
            protected.close()  # the wrap has taken the descriptor over
            raise
        return protected
