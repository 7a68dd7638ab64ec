"""Scans: distinct failed connections, remembered for a while, by what they have in common.

A scanner does not know which servers exist, so most of its attempts fail: on many ports of one host (`port_scan`), or
at one port of many hosts (`host_sweep`). An attempt is a source, a destination and a port; it fails when it is refused,
or not accepted in time. Only distinct failures count: a busy client whose server is down tries the same port again and
again, and that is one failure. Unrequested replies (backscatter of an attack elsewhere) match no attempt.

Success counts against the verdict: who is granted as much as it is refused, by one host or at one port, is no scanner
but a monitor or a backup that some of its hosts are away from. And a service that had accepted a connection within a
day is no evidence while it is down: a scanner finds what it does not know.

A failure needs no more than a SYN, which anyone may send in another's name. So each failure is remembered with the
hardware address that sent it, and a suspicion tells the senders: who they are, `core.detection.handshakes` or the
neighbour table may prove.

Memory is bounded for any traffic. While too many attempts are open, new ones are not followed, so that a fast scan
cannot hide its beginning; when too many failures are remembered, the suspicion that was quiet for longest is forgotten.
UDP scans and those without SYN are not detected.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from itertools import islice, takewhile
from typing import NamedTuple, TypeVar

from appliance.core.detection.handshakes import Handshakes, Progress
from appliance.core.traffic.packet import Packet

T = TypeVar("T")

ANSWER_S = 3.0  # a SYN is repeated after 1 s and 3 s (RFC 6298); an attempt not accepted by then has failed
WINDOW_S = 300.0  # failures are counted over 5 minutes, as in Zeek's policy/misc/scan
SLOW_WINDOW_S = 14400.0  # rare behaviour is counted over 4 hours: slow worms try a host every half hour
MOST_ATTEMPTS = 4096  # open at once: 1,300 a second for 3 s, far above what a department opens; 1.5 MB
MOST_FAILURES = 8192  # remembered in all: 5 MB if each has another source, as only in a flood
MOST_PROOFS = 4096  # senders and what they proved themselves at; 1 MB at most
SERVICE_S = 86400.0  # a laptop that sleeps at night had its services yesterday
MOST_SERVICES = 8192  # remembered; 1.5 MB
MOST_GRANTED = 8192  # remembered in all; 1.5 MB
MOST_GRANTED_EACH = 1024  # of one kind, as of the failures that they are compared with
MOST_SENDERS = 4  # of one suspicion that are told; whoever forges many has few failures for each
MOST_FAILURES_EACH = 1024  # on one suspicion: beyond it the worst severity is reached (nmap tries 1,000 ports)


class ScanKind(StrEnum):
    """The kind of a scan, by what the failures of its source have in common."""

    PORT_SCAN = "port_scan"  # the destination
    HOST_SWEEP = "host_sweep"  # the port
    ARP_SPOOFING = "arp_spoofing"  # of no scan: addresses that somebody takes
    ADDRESS_CONFLICT = "address_conflict"  # nor of this: one address that two devices have


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


class Failure(NamedTuple):
    """A failed attempt. `mac`: of the frame with its SYN."""

    began_s: float
    mac: str


@dataclass(slots=True)
class Suspicion:
    """A source's distinct failures with one thing in common, by destination or port, each with its latest attempt.

    `proven`: of a sender that has proved to hold the source's address, by a completed connection to the same host or at
    the same port in the last minutes; `addressed`: of one to whose hardware address the answers went; 0: of none.
    """

    key: Key
    failed: dict[str | int, Failure] = field(default_factory=dict)  # the latest last
    proven: int = 0
    addressed: int = 0

    @property
    def latest_s(self) -> float:
        """The time of the latest failed attempt."""
        return next(reversed(self.failed.values())).began_s

    @property
    def first_s(self) -> float:
        """The time of the earliest failed attempt."""
        return min(failure.began_s for failure in self.failed.values())

    def senders(self) -> dict[str, int]:
        """The failures by the hardware address that sent them, of those addresses whose own ones make it a scan."""
        common = Counter(failure.mac for failure in self.failed.values()).most_common(MOST_SENDERS)
        return {mac: count for mac, count in common if self._of(mac).is_scan()}

    @property
    def rules(self) -> tuple[ScanRule, ...]:
        """The thresholds, any of which makes it a scan."""
        if self.key.kind is ScanKind.PORT_SCAN:
            return _PORT_SCAN
        return _WORM_SWEEP if self.key.common in _WORM_PORTS else _HOST_SWEEP

    def is_scan(self) -> bool:
        """Whether enough distinct failures are close enough together."""
        return any(self._satisfies(rule) for rule in self.rules)

    def _of(self, mac: str) -> "Suspicion":
        return Suspicion(self.key, {at: failure for at, failure in self.failed.items() if failure.mac == mac})

    def _satisfies(self, rule: ScanRule) -> bool:
        nth_latest = next(islice(reversed(self.failed.values()), rule.count - 1, None), None)
        return nth_latest is not None and self.latest_s - nth_latest.began_s <= rule.within_s


class Scans:
    """The open attempts and remembered failures at one department; `now_s` is monotonic."""

    def __init__(self) -> None:
        self._handshakes = Handshakes()
        self._open: dict[Attempt, Failure] = {}  # what each will be if it fails, in the order of their beginning
        self._suspicions: dict[Key, Suspicion] = {}  # the latest changed last
        self._proved_s: OrderedDict[tuple[Key, str], float] = OrderedDict()  # by hardware address, the latest last
        self._addressed_s: OrderedDict[tuple[str, str], float] = OrderedDict()  # by address and hardware address
        self._granted: OrderedDict[Key, dict[str | int, float]] = OrderedDict()  # as failures, the latest changed last
        self.granted = 0  # remembered, at most `MOST_GRANTED`
        self._services_s: OrderedDict[tuple[str, int], float] = OrderedDict()  # accepted a connection, the latest last
        self.remembered = 0  # failures, at most `MOST_FAILURES`
        self._touched: dict[Key, None] = {}  # changed since the previous `found`; an ordered set

    def follow(self, packet: Packet, now_s: float) -> None:
        """Follow a TCP segment that opens, accepts, refuses or ends a connection; others change nothing."""
        if packet.opens:
            attempt = Attempt(packet.source, packet.destination, packet.destination_port)
            if len(self._open) < MOST_ATTEMPTS:
                self._open.setdefault(attempt, Failure(now_s, packet.source_mac))  # a repeated SYN is no new attempt
                self._handshakes.open(packet, now_s)
            return
        step = self._handshakes.follow(packet)
        attempt = Attempt(packet.destination, packet.source, packet.source_port)
        if step in {Progress.ACCEPTED, Progress.REFUSED}:
            _remember(self._addressed_s, (packet.destination, packet.destination_mac), now_s)
        if step is Progress.ACCEPTED:
            self._open.pop(attempt, None)
            self._withdraw(attempt)
            self._grant(attempt, now_s)
        elif step is Progress.REFUSED and attempt in self._open:
            self._fail(attempt, self._open.pop(attempt))
        elif step is Progress.PROVEN:
            self._prove(Attempt(packet.source, packet.destination, packet.destination_port), packet.source_mac, now_s)

    def found(self, now_s: float) -> list[Suspicion]:
        """The suspicions that are scans, of those with a failure or a proof since the previous call."""
        for attempt in list(takewhile(lambda one: now_s - self._open[one].began_s >= ANSWER_S, self._open)):
            self._fail(attempt, self._open.pop(attempt))
        self._forget(now_s)
        touched, self._touched = self._touched, {}
        changed = [self._suspicions[key] for key in touched]
        scans = [one for one in changed if one.is_scan() and self._count_granted(one.key, now_s) < len(one.failed)]
        for scan in scans:
            senders, source = scan.senders(), scan.key.source
            scan.proven = max((senders[mac] for mac in senders if (scan.key, mac) in self._proved_s), default=0)
            scan.addressed = max((senders[mac] for mac in senders if (source, mac) in self._addressed_s), default=0)
        return scans

    def forget_source(self, kind: ScanKind, source: str) -> None:
        """Forget the source's failures of this kind: its incident is closed and a new one starts from nothing."""
        for key in [key for key in self._suspicions if key[:2] == (kind, source)]:
            self._drop(key)

    def _grant(self, attempt: Attempt, now_s: float) -> None:
        """Remember that the source was let in."""
        _remember(self._services_s, (attempt.destination, attempt.port), now_s, MOST_SERVICES)
        for key, distinct in _evidence(attempt):
            granted = self._granted.setdefault(key, {})
            self._granted.move_to_end(key)
            if distinct not in granted and len(granted) >= MOST_GRANTED_EACH:
                continue
            self.granted += distinct not in granted
            granted[distinct] = now_s
        while self.granted > MOST_GRANTED:
            _, oldest = self._granted.popitem(last=False)
            self.granted -= len(oldest)

    def _count_granted(self, key: Key, now_s: float) -> int:
        return sum(now_s - at_s < SLOW_WINDOW_S for at_s in self._granted.get(key, {}).values())

    def _fail(self, attempt: Attempt, failure: Failure) -> None:
        accepted_s = self._services_s.get((attempt.destination, attempt.port))
        if accepted_s is not None and failure.began_s - accepted_s < SERVICE_S:
            return
        for key, distinct in _evidence(attempt):
            if key.kind is ScanKind.PORT_SCAN or _counts_for_sweep(attempt):
                self._record(key, distinct, failure)

    def _prove(self, attempt: Attempt, mac: str, now_s: float) -> None:
        """Remember that the source has completed this connection."""
        for key, _ in _evidence(attempt):
            _remember(self._proved_s, (key, mac), now_s)
            if key in self._suspicions:
                self._touched[key] = None

    def _record(self, key: Key, distinct: str | int, failure: Failure) -> None:
        suspicion = self._suspicions.pop(key, None) or Suspicion(key)
        self._suspicions[key] = suspicion
        self._touched[key] = None
        if suspicion.failed.pop(distinct, None) is None:
            self.remembered += 1
        suspicion.failed[distinct] = failure
        if len(suspicion.failed) > MOST_FAILURES_EACH:
            self._remove(suspicion, next(iter(suspicion.failed)))
        while self.remembered > MOST_FAILURES:
            self._drop(next(iter(self._suspicions)))

    def _withdraw(self, attempt: Attempt) -> None:
        """Forget the failures of an attempt that was accepted late."""
        for key, distinct in _evidence(attempt):
            suspicion = self._suspicions.get(key)
            if suspicion is not None and distinct in suspicion.failed:
                self._remove(suspicion, distinct)

    def _forget(self, now_s: float) -> None:
        """Drop outdated proofs, suspicions without recent failures, and the outdated failures of the changed ones."""
        for proofs in (self._proved_s, self._addressed_s):
            while proofs and next(iter(proofs.values())) < now_s - WINDOW_S:
                proofs.popitem(last=False)
        while self._suspicions and next(iter(self._suspicions.values())).latest_s < now_s - SLOW_WINDOW_S:
            self._drop(next(iter(self._suspicions)))
        for key in [*self._touched]:
            suspicion = self._suspicions[key]
            limit_s = now_s - max(rule.within_s for rule in suspicion.rules)
            for distinct in [one for one, failure in suspicion.failed.items() if failure.began_s < limit_s]:
                self._remove(suspicion, distinct)

    def _remove(self, suspicion: Suspicion, distinct: str | int) -> None:
        del suspicion.failed[distinct]
        self.remembered -= 1
        if not suspicion.failed:
            self._drop(suspicion.key)

    def _drop(self, key: Key) -> None:
        self.remembered -= len(self._suspicions.pop(key).failed)
        self._touched.pop(key, None)


def _remember(proofs: OrderedDict[T, float], proof: T, now_s: float, most: int = MOST_PROOFS) -> None:
    proofs[proof] = now_s
    proofs.move_to_end(proof)
    if len(proofs) > most:
        proofs.popitem(last=False)


def _evidence(attempt: Attempt) -> tuple[tuple[Key, str | int], ...]:
    """The suspicions that a failed attempt adds to, each with its distinct part."""
    return (
        (Key(ScanKind.PORT_SCAN, attempt.source, attempt.destination), attempt.port),
        (Key(ScanKind.HOST_SWEEP, attempt.source, attempt.port), attempt.destination),
    )


def _counts_for_sweep(attempt: Attempt) -> bool:
    return attempt.port not in _WEB_PORTS or ip_address(attempt.destination).is_private
