import socket
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from appliance.system.device.supervisor import ALIVE, READY, STOPPING, Supervisor

MORE_THAN_FIT = 100_000  # datagrams into one socket


def listening(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(address)
    listener.settimeout(5)
    return listener


@pytest.mark.parametrize("named", [lambda folder: f"{folder}/notify", lambda folder: f"@{folder}/notify"])
def test_it_is_told_at_its_file_and_at_its_abstract_name(named: Callable[[Path], str], tmp_path: Path) -> None:
    address = named(tmp_path)
    with closing(listening(address.replace("@", "\0"))) as socket_of_systemd:
        for state in (READY, ALIVE, STOPPING):
            Supervisor(address).tell(state)
        assert [socket_of_systemd.recv(64) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_one_that_is_not_there_stops_nobody(tmp_path: Path) -> None:
    Supervisor("").tell(READY)
    Supervisor(str(tmp_path / "nobody")).tell(READY)


def test_one_that_does_not_read_stops_nobody(tmp_path: Path) -> None:
    address = str(tmp_path / "deaf")
    with closing(listening(address)) as deaf, closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sender:
        sender.setblocking(False)
        with suppress(BlockingIOError):
            for _ in range(MORE_THAN_FIT):
                sender.sendto(b"something", address)
        Supervisor(address).tell(ALIVE)
        assert deaf.recv(64) == b"something"
