"""Soak: 200 clients that come and go, good, slow and broken ones, for half an hour; memory is flat after warm-up.

APPLIANCE_SOAK_MINUTES says for how long, 30 if it says nothing. How flatness is judged: the first third is warm-up; the
medians of the resident memory in the second third and in the last one are compared, which neither a peak nor the
moment of a garbage collection moves.
"""

import contextlib
import os
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.abuse.service import Service
from tests.abuse.test_connections import reset

MINUTES = float(os.environ.get("APPLIANCE_SOAK_MINUTES", "30"))
CLIENTS = 200
SAMPLE_S = 2.0
MOST_GROWTH_BYTES = 2 << 20  # between two thirds; a leak of 100 bytes for each client that came would be more
GONE = (OSError, AssertionError)  # sent away, or not let in: part of the play


class Crowd:
    """The clients, each in a thread that plays one part after the other."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.played: Counter[str] = Counter()
        self.is_over = threading.Event()
        self._threads = [threading.Thread(target=self._live, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self) -> "Crowd":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        for thread in self._threads:
            thread.join()

    def _live(self, number: int) -> None:
        chance = random.Random(number)
        while not self.is_over.is_set():
            [(name, (_, play))] = chance.choices(list(PARTS.items()), [weight for weight, _ in PARTS.values()])
            with contextlib.suppress(*GONE):
                play(self, f"127.0.{20 + number // 100}.{1 + number % 100}", chance.uniform(1, 20))
            self.played[name] += 1
            self.is_over.wait(chance.uniform(0, 2))


def _watch(crowd: Crowd, origin: str, for_s: float) -> None:
    """What a dashboard does."""
    with crowd.service.client(origin, timeout_s=30) as client:
        client.send('421["analytics:subscribe","dept123"]')
        ends = time.monotonic() + for_s
        while time.monotonic() < ends and not crowd.is_over.is_set():
            if client.read() == "2":
                client.send("3")


def _read_slowly(crowd: Crowd, origin: str, for_s: float) -> None:
    with crowd.service.client(origin) as client:
        ends = time.monotonic() + for_s
        while time.monotonic() < ends and not crowd.is_over.is_set():
            client.socket.recv(50)
            time.sleep(0.5)


def _read_nothing(crowd: Crowd, origin: str, for_s: float) -> None:
    with crowd.service.client(origin):
        crowd.is_over.wait(for_s)


def _ask_much(crowd: Crowd, origin: str, _: float) -> None:
    with crowd.service.client(origin) as client:
        for number in range(300):
            client.send(f'42{number}["ip:list",{{}}]')
        while not (client.read() or "43299").startswith("43299"):
            pass


def _break_the_rules(crowd: Crowd, origin: str, _: float) -> None:
    with crowd.service.client(origin) as client:
        client.send("42[")
        client.is_dropped()


def _vanish(crowd: Crowd, origin: str, for_s: float) -> None:
    client = crowd.service.client(origin)
    crowd.is_over.wait(for_s / 10)
    reset(client.socket)
    client.file.close()


def _guess(crowd: Crowd, origin: str, _: float) -> None:
    with crowd.service.websocket(origin) as client:
        client.read()
        client.send('40{"token":"guess"}')
        client.read()


def _open_and_wait(crowd: Crowd, origin: str, _: float) -> None:
    with crowd.service.connect(origin) as connection:
        connection.sendall(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n")
        while connection.recv(4096):
            pass


Play = Callable[[Crowd, str, float], None]
PARTS: dict[str, tuple[int, Play]] = {
    "watch": (10, _watch),
    "read slowly": (2, _read_slowly),
    "read nothing": (2, _read_nothing),
    "ask much": (1, _ask_much),
    "break the rules": (2, _break_the_rules),
    "vanish": (3, _vanish),
    "guess": (2, _guess),
    "open and wait": (2, _open_and_wait),
}


@pytest.mark.slow
def test_memory_is_flat_while_two_hundred_clients_come_and_go(start) -> None:
    service = start(limits={"connections_per_address": 100})
    before = service.cost()
    samples: list[int] = []
    with Crowd(service) as crowd:
        ends = time.monotonic() + MINUTES * 60
        while time.monotonic() < ends:
            samples.append(service.cost().memory_bytes)
            time.sleep(SAMPLE_S)
        service.serves_an_honest_client()
    third = len(samples) // 3
    middle, last = statistics.median(samples[third : 2 * third]), statistics.median(samples[2 * third :])
    print(f"played: {dict(crowd.played)}")
    print(f"memory: {before.memory_bytes >> 10} kB at the start, then {middle / 1024:.0f} and {last / 1024:.0f} kB")
    print(f"log: {service.cost().log_bytes} bytes")
    assert set(crowd.played) == set(PARTS)
    assert last - middle < MOST_GROWTH_BYTES, [size >> 10 for size in samples[:: max(1, len(samples) // 60)]]
    ends = time.monotonic() + 60
    while service.cost().descriptors > before.descriptors + 6 and time.monotonic() < ends:
        time.sleep(1)
    assert service.cost().descriptors <= before.descriptors + 6
