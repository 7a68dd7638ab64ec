"""TLS handshakes: not begun, not ended, reset, and in another protocol."""

import contextlib
import ssl
import time
from collections.abc import Callable, Iterator

import pytest

from tests.abuse.service import LONG_DEADLINES, Service
from tests.abuse.test_connections import is_over, reset


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("tls"), tls=True)
    for _ in range(5):
        with service.crowd(1000, hello()[:50], origins=20):
            service.serves_an_honest_client()
    yield service
    service.stop()


def hello() -> bytes:
    """A client's first message of the handshake."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="x")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(
    "beginning",
    [b"", hello()[:1], hello()[:50], hello(), hello() + b"\x16\x03\x03"],
    ids=["nothing", "a byte", "a part", "a whole hello", "more than that"],  # each process makes a hello of its own
)
def test_a_handshake_that_goes_no_further_is_given_up(service: Service, beginning: bytes) -> None:
    with service.unharmed(), service.crowd(80, beginning) as slow:
        time.sleep(1)
        service.serves_an_honest_client()
        assert all(is_over(one) for one in slow)


def test_a_reset_during_the_handshake_does_not_end_accepting(service: Service) -> None:
    with service.unharmed():
        for beginning in (b"", hello()[:50], hello()):
            for number in range(200):
                one = service.connect(f"127.0.2.{1 + number}")
                one.sendall(beginning)
                reset(one)


def test_bytes_that_are_no_handshake_are_answered_or_disconnected(service: Service) -> None:
    with service.unharmed():
        for beginning in (b"GET / HTTP/1.1\r\n\r\n", b"\x16" + b"\xff" * 5000, b"\x16\x03\x01\x00\x00", bytes(100)):
            with service.crowd(50, beginning) as odd:
                assert all(is_over(one) for one in odd)


def test_running_out_of_descriptors_does_not_end_accepting(start: Callable[..., Service]) -> None:
    service = start(tls=True, limits=LONG_DEADLINES)
    with service.unharmed():
        service.limit_descriptors(service.cost().descriptors + 4)
        with service.crowd(100, hello()):
            service.serves_an_honest_client()
        service.limit_descriptors()
