"""A slow line between two computers of the lab: each frame arrives later, and some never do.

As a program it carries the frames; not every kernel has the queueing discipline `netem`. An interface of one end that
is down is a cable that is cut.
"""

import fcntl
import os
import random
import select
import struct
import sys
import time
from collections import deque
from contextlib import suppress

from tests.lab.host import Host
from tests.lab.network import Network

INTERFACE = "line0"
ADDRESSES = ("10.40.0.1", "10.40.0.2")  # of the appliance, and of the other end
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x2, 0x1000  # linux/if_tun.h
LONGEST_FRAME = 65_536
QUEUE_S = 1.0  # what a router keeps; more is dropped


def slow_line(lab: Network, *, delay_s: float = 0.2, loss: float = 0.01, bits_s: float = 2e6) -> Host:
    """A new computer at the end of such a line from the appliance. `delay_s`, `bits_s`: of each direction."""
    host = lab.make_end("far")
    ends = (lab.appliance, host)
    words = [*(one.namespace for one in ends), str(delay_s), str(loss), str(bits_s)]
    lab.uplink.spawn([sys.executable, "-u", "-m", "tests.lab.slow_line", *words], ready="carries")
    for end, address in zip(ends, ADDRESSES, strict=True):
        end.run(["ip", "link", "set", INTERFACE, "up"])
        end.address(INTERFACE, f"{address}/24")
    host.ipv4 = ADDRESSES[1]
    return host


class Direction:
    """Frames on their way from one end to the other."""

    def __init__(self, source: int, sink: int, delay_s: float, loss: float, bits_s: float) -> None:
        self.source, self._sink = source, sink
        self._delay_s, self._loss, self._bits_s = delay_s, loss, bits_s
        self._free_at_s = 0.0
        self._on_the_way: deque[tuple[float, bytes]] = deque()
        self._chance = random.Random(source)

    def take(self, now_s: float) -> None:
        with suppress(OSError):  # the interface is down
            frame = os.read(self.source, LONGEST_FRAME)
            begins_s = max(now_s, self._free_at_s)
            if begins_s - now_s > QUEUE_S or self._chance.random() < self._loss:
                return
            self._free_at_s = begins_s + len(frame) * 8 / self._bits_s
            self._on_the_way.append((self._free_at_s + self._delay_s, frame))

    def deliver(self, now_s: float) -> float:
        """Hand over what has arrived; returns the seconds until the next frame does."""
        while self._on_the_way and self._on_the_way[0][0] <= now_s:
            with suppress(OSError):  # the interface is down
                os.write(self._sink, self._on_the_way.popleft()[1])
        return self._on_the_way[0][0] - now_s if self._on_the_way else 1.0


def _tap(namespace: str) -> int:
    with Host(namespace, namespace).entered():
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH14x", INTERFACE.encode(), IFF_TAP | IFF_NO_PI))
    return tap


def main() -> None:
    one, other = (_tap(namespace) for namespace in sys.argv[1:3])
    delay_s, loss, bits_s = map(float, sys.argv[3:6])
    directions = [Direction(*ends, delay_s, loss, bits_s) for ends in ((one, other), (other, one))]
    print("carries", flush=True)
    while True:
        wait_s = min(direction.deliver(time.monotonic()) for direction in directions)
        ready = select.select([one, other], [], [], max(0, wait_s))[0]
        for direction in directions:
            if direction.source in ready:
                direction.take(time.monotonic())


if __name__ == "__main__":
    main()
