"""Scans: distinct failed connections, remembered for a while, by what they have in common.

A scanner does not know which servers exist, so most of its attempts fail: on many ports of one host (`port_scan`), or
at one port of many hosts (`host_sweep`). An attempt is a source, a destination and a port; it fails when it is refused,
or not accepted in time. Only distinct failures count: a busy client whose server is down tries the same port again and
again, and that is one failure. Unrequested replies (backscatter of an attack elsewhere) match no attempt.

Memory is bounded for any traffic. While too many attempts are open, new ones are not followed, so that a fast scan
cannot hide its beginning; when too many failures are remembered, the suspicion that was quiet for longest is forgotten.
UDP scans and those without SYN are not detected.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from itertools import islice, takewhile
from typing import NamedTuple

from appliance.core.traffic.packet import Packet

ANSWER_S = 3.0  # a SYN is repeated after 1 s and 3 s (RFC 6298); an attempt not accepted by then has failed
WINDOW_S = 300.0  # failures are counted over 5 minutes, as in Zeek's policy/misc/scan
SLOW_WINDOW_S = 7200.0  # rare behaviour is counted over 2 hours: slow worms try a host every ten minutes
MOST_ATTEMPTS = 4096  # open at once: 1,300 a second for 3 s, far above what a department opens; 1.5 MB
MOST_FAILURES = 8192  # remembered in all: 5 MB if each has another source, as only in a flood
MOST_FAILURES_EACH = 1024  # on one suspicion: beyond it the worst severity is reached (nmap tries 1,000 ports)


class ScanKind(StrEnum):
    """The kind of a scan, by what the failures of its source have in common."""

    PORT_SCAN = "port_scan"  # the destination
    HOST_SWEEP = "host_sweep"  # the port


class Key(NamedTuple):
    """Names a suspicion. `source`: whose connections failed; `common`: the destination or port that they share."""

    kind: ScanKind
    source: str
    common: str | int


@dataclass(frozen=True, slots=True)
class ScanRule:
    """The threshold of a scan: this many distinct failures within this time."""

    count: int
    within_s: float


# Zeek's scan policy has 15 ports and 25 hosts in 5 minutes. In a burst fewer suffice: the server with most ports that
# clients use by themselves, a domain controller, offers 9 TCP ports, so that its failure stays below 10.
_PORT_SCAN = (ScanRule(15, WINDOW_S), ScanRule(10, 10.0))
_HOST_SWEEP = (ScanRule(25, WINDOW_S),)
# A computer uses few file shares, terminals and databases; worms search for many.
_WORM_SWEEP = (ScanRule(8, SLOW_WINDOW_S),)
_WORM_PORTS = frozenset({22, 23, 135, 139, 445, 1433, 2323, 3306, 3389, 5555, 5900})
# A browser that is cut off, by its quota or by a broken uplink, fails at dozens of Internet hosts at once: at these
# ports only private destinations count for a sweep.
_WEB_PORTS = frozenset({80, 443})


class Attempt(NamedTuple):
    """A client's attempt to connect, however often its SYN is repeated and from any source port."""

    source: str
    destination: str
    port: int


@dataclass(slots=True)
class Suspicion:
    """A source's distinct failures with one thing in common, by destination or port, each with its latest time."""

    key: Key
    failed_s: dict[str | int, float] = field(default_factory=dict)  # the latest last

    @property
    def latest_s(self) -> float:
        """The time of the latest failed attempt."""
        return next(reversed(self.failed_s.values()))

    @property
    def rules(self) -> tuple[ScanRule, ...]:
        """The thresholds, any of which makes it a scan."""
        if self.key.kind is ScanKind.PORT_SCAN:
            return _PORT_SCAN
        return _WORM_SWEEP if self.key.common in _WORM_PORTS else _HOST_SWEEP

    def is_scan(self) -> bool:
        """Whether enough distinct failures are close enough together."""
        return any(self._satisfies(rule) for rule in self.rules)

    def _satisfies(self, rule: ScanRule) -> bool:
        nth_latest_s = next(islice(reversed(self.failed_s.values()), rule.count - 1, None), None)
        return nth_latest_s is not None and self.latest_s - nth_latest_s <= rule.within_s


class Scans:
    """The open attempts and remembered failures at one department; `now_s` is monotonic."""

    def __init__(self) -> None:
        self._open_s: dict[Attempt, float] = {}  # in the order of their beginning
        self._suspicions: dict[Key, Suspicion] = {}  # the latest changed last
        self.remembered = 0  # failures, at most `MOST_FAILURES`
        self._touched: dict[Key, None] = {}  # changed since the previous `found`; an ordered set

    def follow(self, packet: Packet, now_s: float) -> None:
        """Follow a TCP segment that opens, accepts or refuses a connection; others change nothing."""
        if packet.opens:
            attempt = Attempt(packet.source, packet.destination, packet.destination_port)
            if len(self._open_s) < MOST_ATTEMPTS:
                self._open_s.setdefault(attempt, now_s)  # a repeated SYN is no new attempt
            return
        attempt = Attempt(packet.destination, packet.source, packet.source_port)
        if packet.accepts:
            self._open_s.pop(attempt, None)
            self._withdraw(attempt)
        elif packet.refuses and attempt in self._open_s:
            self._fail(attempt, self._open_s.pop(attempt))

    def found(self, now_s: float) -> list[Suspicion]:
        """The suspicions that are scans, of those with a failure since the previous call."""
        for attempt in list(takewhile(lambda one: now_s - self._open_s[one] >= ANSWER_S, self._open_s)):
            self._fail(attempt, self._open_s.pop(attempt))
        self._forget(now_s)
        touched, self._touched = self._touched, {}
        return [suspicion for key in touched if (suspicion := self._suspicions[key]).is_scan()]

    def forget_source(self, kind: ScanKind, source: str) -> None:
        """Forget the source's failures of this kind: its incident is closed and a new one starts from nothing."""
        for key in [key for key in self._suspicions if key[:2] == (kind, source)]:
            self._drop(key)

    def _fail(self, attempt: Attempt, began_s: float) -> None:
        for key, distinct in _evidence(attempt):
            if key.kind is ScanKind.PORT_SCAN or _counts_for_sweep(attempt):
                self._record(key, distinct, began_s)

    def _record(self, key: Key, distinct: str | int, began_s: float) -> None:
        suspicion = self._suspicions.pop(key, None) or Suspicion(key)
        self._suspicions[key] = suspicion
        self._touched[key] = None
        if suspicion.failed_s.pop(distinct, None) is None:
            self.remembered += 1
        suspicion.failed_s[distinct] = began_s
        if len(suspicion.failed_s) > MOST_FAILURES_EACH:
            self._remove(suspicion, next(iter(suspicion.failed_s)))
        while self.remembered > MOST_FAILURES:
            self._drop(next(iter(self._suspicions)))

    def _withdraw(self, attempt: Attempt) -> None:
        """Forget the failures of an attempt that was accepted late."""
        for key, distinct in _evidence(attempt):
            suspicion = self._suspicions.get(key)
            if suspicion is not None and distinct in suspicion.failed_s:
                self._remove(suspicion, distinct)

    def _forget(self, now_s: float) -> None:
        """Drop the suspicions without recent failures, and the outdated failures of the changed ones."""
        while self._suspicions and next(iter(self._suspicions.values())).latest_s < now_s - SLOW_WINDOW_S:
            self._drop(next(iter(self._suspicions)))
        for key in [*self._touched]:
            suspicion = self._suspicions[key]
            limit_s = now_s - max(rule.within_s for rule in suspicion.rules)
            for distinct in [one for one, tried_s in suspicion.failed_s.items() if tried_s < limit_s]:
                self._remove(suspicion, distinct)

    def _remove(self, suspicion: Suspicion, distinct: str | int) -> None:
        del suspicion.failed_s[distinct]
        self.remembered -= 1
        if not suspicion.failed_s:
            self._drop(suspicion.key)

    def _drop(self, key: Key) -> None:
        self.remembered -= len(self._suspicions.pop(key).failed_s)
        self._touched.pop(key, None)


def _evidence(attempt: Attempt) -> tuple[tuple[Key, str | int], ...]:
    """The suspicions that a failed attempt adds to, each with its distinct part."""
    return (
        (Key(ScanKind.PORT_SCAN, attempt.source, attempt.destination), attempt.port),
        (Key(ScanKind.HOST_SWEEP, attempt.source, attempt.port), attempt.destination),
    )


def _counts_for_sweep(attempt: Attempt) -> bool:
    return attempt.port not in _WEB_PORTS or ip_address(attempt.destination).is_private
