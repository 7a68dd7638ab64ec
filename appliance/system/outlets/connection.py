"""Connections to receivers, by the standard library's `socket` and `ssl`: sealed, and bounded in time as a whole.

A timeout of a socket bounds one wait only. A receiver that sends a byte now and then is stopped by a timer, which ends
the connection under whatever waits for it.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

WAIT_S = 10.0  # a server on the LAN that is silent for longer is down
WHOLE_S = 30.0  # of a delivery: greetings, TLS, login and the message over a slow uplink


def context_of(ca: str | None) -> ssl.SSLContext:
    """TLS that believes this authority, or those of the system. Raises `OSError`.

    To be made after the connection: the authorities of the system take longer to read than all else of a vain attempt.
    """
    return ssl.create_default_context(cafile=ca)


def connected(host: str, port: int) -> socket.socket:
    """A connection to the first address of the host that answers. Raises `OSError`."""
    return socket.create_connection((host, port), WAIT_S)


@contextmanager
def bounded(connection: socket.socket, whole_s: float = WHOLE_S) -> Iterator[None]:
    """End the connection when this time is over, whatever lies above it."""
    with connection.dup() as guard:
        end = Timer(whole_s, _shut, (guard,))
        end.daemon = True
        end.start()
        try:
            yield
        finally:
            end.cancel()


def _shut(guard: socket.socket) -> None:
    try:
        guard.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended by itself


def fault_text(error: OSError) -> str:
    """A failed connection in words for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not good: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS fails: {error.reason or 'the connection ended'}; does the port speak TLS from the start?"
    if isinstance(error, TimeoutError):
        return "the server does not answer"
    return error.strerror or str(error) or type(error).__name__
