"""The course of the ports' links, and of what is written to the medium: what counters and looks come to over hours."""

from collections import deque
from collections.abc import Iterable, Mapping

from msgspec import Struct

from appliance.core.machine import Link

WINDOW_S, LOOK_S = 3600.0, 60.0  # a port's course is of the latest hour, from looks a minute apart
DAY_S, WRITTEN_LOOK_S = 86_400.0, 3600.0  # of the medium: a day, from looks an hour apart
FIRST_WRITTEN_S = 3600.0  # a start writes much; before an hour nothing is said of a day


class PortCourse(Struct, frozen=True):
    """A port in the latest hour. `damaged`: of its `packets`; `falls`: how often its link went down."""

    packets: int
    damaged: int
    falls: int


class _Port(Struct):
    """What is remembered of a port: looks at its counters, and when its link went down."""

    identity: str
    is_up: bool
    looks: deque[tuple[float, int, int]]
    falls: deque[float]


class PortCourses:
    """The ports in the latest hour. A port that was made anew begins anew; its falls are kept."""

    def __init__(self) -> None:
        self._ports: dict[str, _Port] = {}

    def look(self, links: Iterable[Link], now_s: float) -> Mapping[str, PortCourse]:
        """Take note of the ports as they are now; returns the course of each. A port that is gone is forgotten."""
        found = {one.name: self._noted(one, now_s) for one in links}
        self._ports = found
        return {name: _course(port) for name, port in found.items()}

    def _noted(self, link: Link, now_s: float) -> _Port:
        counters = link.counters
        look = now_s, counters.rx_packets + counters.tx_packets, counters.errors
        port = self._ports.get(link.name)
        if port is None:
            return _Port(link.identity, link.up, deque([look]), deque())
        if port.is_up and not link.up:
            port.falls.append(now_s)
        port.is_up = link.up
        if port.identity != link.identity or look[1] < port.looks[-1][1]:
            port.identity = link.identity
            port.looks.clear()
        # The last look is always the present one; those between are a minute apart.
        if len(port.looks) > 1 and port.looks[-1][0] - port.looks[-2][0] < LOOK_S:
            port.looks.pop()
        port.looks.append(look)
        while port.looks[0][0] < now_s - WINDOW_S:
            port.looks.popleft()
        while port.falls and port.falls[0] < now_s - WINDOW_S:
            port.falls.popleft()
        return port


def _course(port: _Port) -> PortCourse:
    first, last = port.looks[0], port.looks[-1]
    return PortCourse(last[1] - first[1], max(last[2] - first[2], 0), len(port.falls))


class WrittenCourse:
    """What is written to the medium in a day, from its counter since boot."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque()

    def look(self, written_bytes: int | None, now_s: float) -> float | None:
        """Bytes a day, as in the latest one or since the first look; `None`: not known, or not for an hour yet."""
        if written_bytes is None:
            return None
        if self._looks and written_bytes < self._looks[-1][1]:
            self._looks.clear()  # another medium
        if not self._looks or now_s - self._looks[-1][0] >= WRITTEN_LOOK_S:
            self._looks.append((now_s, written_bytes))
        while len(self._looks) > 1 and self._looks[0][0] < now_s - DAY_S:
            self._looks.popleft()
        first_s, first_bytes = self._looks[0]
        passed_s = now_s - first_s
        return (written_bytes - first_bytes) / passed_s * DAY_S if passed_s >= FIRST_WRITTEN_S else None
