"""Orders for servers that tests and benches start in a process of their own."""

import os
from collections.abc import Iterable

from eventlet.hubs import trampoline


def lines(descriptor: int = 0) -> Iterable[bytes]:
    """Each line as it arrives there (standard input), without its end; other greenlets run meanwhile."""
    rest = b""
    while True:
        trampoline(descriptor, read=True)
        data = os.read(descriptor, 65536)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from lines
