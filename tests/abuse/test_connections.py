"""Connections: too many, too slow, half open, reset, and no descriptor left for the next."""

import contextlib
import ctypes
import select
import socket
import struct
import time

import pytest

from tests.abuse.service import HOME, LONG_DEADLINES, Service

POLLING = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n"
POST = "POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n"


SO_ATTACH_FILTER = 26  # socket(7); the socket module has no name for it
_KEPT: list[object] = []  # what the kernel is about to read


def is_over(one: socket.socket, within_s: float = 20) -> bool:
    """Whether the server ends the connection."""
    one.settimeout(within_s)
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while one.recv(65536):
            pass
    return True


def reset(one: socket.socket) -> None:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


@pytest.mark.parametrize("beginning", ["", "G", "GET / HTTP/1.1\r\nHost: x\r\n", POST, POST + "4"])
def test_a_client_that_sends_byte_by_byte_is_disconnected_in_time(service: Service, beginning: str) -> None:
    with service.unharmed(), service.crowd(80, beginning.encode()) as slow:
        ends = time.monotonic() + 30
        while slow and time.monotonic() < ends:
            for one in select.select(slow, [], [], 0)[0]:
                if not _takes(one):
                    slow.remove(one)
            for one in slow:
                with contextlib.suppress(OSError):
                    one.send(b"4")  # keeps any timeout between two bytes from running out
            time.sleep(0.2)
        assert slow == []


def _takes(one: socket.socket) -> bytes:
    try:
        return one.recv(4096)
    except OSError:
        return b""


def test_an_idle_connection_is_closed_in_time_after_its_answer(service: Service) -> None:
    with service.unharmed(), service.connect() as one:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert one.recv(65536).startswith(b"HTTP/1.1 200")
        assert is_over(one)


def test_ten_thousand_connections_do_not_keep_a_client_out(patient: Service) -> None:
    with patient.unharmed():
        for _ in range(10):
            with patient.crowd(1000, b"GET / HTTP/1.1\r\n", origins=20):
                patient.serves_an_honest_client()


def test_a_crowd_from_one_address_does_not_keep_its_honest_client_out(service: Service) -> None:
    with service.unharmed("127.0.1.1"):
        for _ in range(3):
            with service.crowd(1000, POLLING.encode()):
                pass


def test_strangers_that_take_all_places_are_evicted_for_new_clients(patient: Service) -> None:
    with patient.unharmed(), patient.crowd(1500, origins=20) as many:
        patient.serves_an_honest_client()
        assert all(is_over(one) for one in many)


def test_a_client_that_is_logged_in_is_not_evicted(service: Service) -> None:
    with service.unharmed(), service.client(HOME) as client:
        with service.crowd(2500, origins=20), service.crowd(150, origins=1):
            pass
        client.send('421["ip:list",{}]')
        assert any(text.startswith("431") for text in iter(client.read, None))


def test_connections_that_are_reset_at_any_point_leave_nothing_behind(service: Service) -> None:
    with service.unharmed():
        for beginning in (b"", b"GET / HT", POLLING.encode(), POST.encode()):
            for number in range(200):
                one = service.connect(f"127.0.2.{1 + number}")
                one.sendall(beginning)
                reset(one)
        for _ in range(100):
            reset(service.client().socket)


@pytest.mark.slow
def test_a_client_that_vanishes_without_closing_is_noticed(start) -> None:
    """Half open: the cable is pulled. What arrives is dropped before TCP sees it, so that nothing is answered."""
    service = start()
    before = service.cost().descriptors
    with service.unharmed(), contextlib.ExitStack() as stack:
        for number in range(20):
            client = stack.enter_context(service.client(f"127.0.2.{1 + number}"))
            client.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, _filter_that_drops_all())
        assert service.cost().descriptors > before + 15
        service.serves_an_honest_client()
        ends = time.monotonic() + 60  # a ping after 25 s at most, and 20 s for its answer
        while service.cost().descriptors > before + 6 and time.monotonic() < ends:
            time.sleep(1)
        assert service.cost().descriptors <= before + 6


def _filter_that_drops_all() -> bytes:
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # bpf: return 0
    _KEPT.append(instruction)
    return struct.pack("HP", 1, ctypes.addressof(instruction))


def test_running_out_of_descriptors_does_not_end_accepting(start) -> None:
    service = start(limits=LONG_DEADLINES)
    with service.unharmed():
        service.limit_descriptors(service.cost().descriptors + 4)
        with service.crowd(100, b"GET / HTTP/1.1\r\n"):
            time.sleep(0.5)
            service.serves_an_honest_client()
        service.limit_descriptors()
    assert "could not be accepted" in service.log()


def test_a_service_that_may_have_few_descriptors_takes_fewer_connections(start) -> None:
    service = start(prefix=("prlimit", "--nofile=256:256"), limits=LONG_DEADLINES)
    assert "there are descriptors for 56 connections only; raise LimitNOFILE" in service.log()
    with service.unharmed():
        with service.crowd(300, b"GET / HTTP/1.1\r\n", origins=20):
            service.serves_an_honest_client()
            assert service.cost().descriptors <= 90
        assert "could not be accepted" not in service.log()
