"""Scans: distinct failed attempts, remembered for a while, by what they have in common.

A scanner does not know which servers exist, so most of its attempts fail: on many ports of one host (`port_scan`), or
at one port of many hosts (`host_sweep`). An attempt is a source, a destination and a port; it fails when it is refused,
or not answered in time. Only distinct failures count: a busy client whose server is down tries the same port again and
again, and that is one failure. Unrequested replies (backscatter of an attack elsewhere) match no attempt.

A SYN is an attempt, and so is the first datagram to a port over UDP, and the question for a neighbour's hardware
address. A segment that no system sends (`core.detection.probes`) is an attempt that has failed by itself.

Success counts against the verdict: who is granted as much as it is refused, by one host or at one port, is no scanner
but a monitor or a backup that some of its hosts are away from. And a service that had accepted a connection within a
day is no evidence while it is down, nor for a sweep a silent host with which the source had one, nor a neighbour that
was heard: a scanner finds what it does not know.

A failure needs no more than a SYN, which anyone may send in another's name. So each failure is remembered with the
hardware address that sent it, and a suspicion tells the senders: who they are, `core.detection.handshakes` or the
neighbour table may prove.

Memory is bounded for any traffic. While too many attempts are open, new ones are not followed, so that a fast scan
cannot hide its beginning; when too many failures are remembered, the suspicion that was quiet for longest is forgotten.
"""

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterator
from functools import lru_cache
from ipaddress import ip_address, ip_network
from itertools import islice, takewhile
from typing import NamedTuple, TypeVar

from msgspec import Struct, field

from appliance.core.detection.handshakes import Handshakes, Progress
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.probes import (
    is_datagram_to_a_host,
    is_probe,
    is_probing_datagram,
    is_segment_probe_of_hosts,
)
from appliance.core.traffic.packet import TCP, UDP, Packet

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
MOST_RELATIONS = 8192  # pairs of hosts that have completed a connection; 1.5 MB
MOST_HEARD = 4096  # neighbours; 0.5 MB
ARP = 0x0806  # as the protocol of an attempt
NEIGHBOURS, ANY_PORT = "ARP", "any port"  # what failures have in common where it is no port
MOST_FAILURES_EACH = 1024  # on one suspicion: beyond it the worst severity is reached (nmap tries 1,000 ports)


class Key(NamedTuple):
    """Names a suspicion. `source`: whose connections failed; `common`: the destination or port that they share."""

    kind: IncidentKind
    source: str
    common: str | int


class ScanRule(Struct, frozen=True):
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
    protocol: int = TCP

    @property
    def service(self) -> tuple[str, int | str]:
        """What it asked for."""
        return self.destination, self.label

    @property
    def label(self) -> int | str:
        """The port, as a person names it."""
        return self.port if self.protocol == TCP else f"{self.port}/udp"


class Failure(NamedTuple):
    """A failed attempt. `mac`: of the frame with its SYN."""

    began_s: float
    mac: str


class Suspicion(Struct):
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
        if self.key.kind is IncidentKind.PORT_SCAN:
            return _PORT_SCAN
        # A stranger on the Internet has no business with several hosts that are not there, at whatever port.
        return _WORM_SWEEP if self.key.common in _WORM_PORTS or self.key.common == ANY_PORT else _HOST_SWEEP

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
        self._services_s: OrderedDict[tuple[str, int | str], float] = OrderedDict()  # accepted one, the latest last
        self._related_s: OrderedDict[tuple[str, str], float] = OrderedDict()  # client and server, the latest last
        self._heard_s: OrderedDict[str, float] = OrderedDict()  # neighbours, by address, the latest last
        self.remembered = 0  # failures, at most `MOST_FAILURES`
        self._touched: dict[Key, None] = {}  # changed since the previous `found`; an ordered set

    def follow(self, packet: Packet, now_s: float) -> Progress:
        """Follow a TCP segment or a datagram; returns what it means."""
        if packet.protocol == UDP:
            return self._follow_datagram(packet, now_s)
        if packet.opens:
            return self._open_connection(packet, now_s)
        if is_probe(packet):
            self._follow_probe(packet, now_s)
        step = self._handshakes.follow(packet)
        attempt = Attempt(packet.destination, packet.source, packet.source_port)
        if step in {Progress.ACCEPTED, Progress.REFUSED}:
            _remember(self._addressed_s, (packet.destination, packet.destination_mac), now_s)
        if step is Progress.ACCEPTED:
            self._accept(attempt, now_s)
        elif step is Progress.REFUSED and attempt in self._open:
            self._fail(attempt, self._open.pop(attempt), is_refused=True)
        elif step is Progress.PROVEN:
            self._prove(Attempt(packet.source, packet.destination, packet.destination_port), packet.source_mac, now_s)
            _remember(self._related_s, (packet.source, packet.destination), now_s, MOST_RELATIONS)
        return step

    def ask(self, source: str, mac: str, neighbour: str, now_s: float) -> None:
        """Follow the question of a device for the hardware address of a neighbour."""
        if len(self._open) < MOST_ATTEMPTS:
            self._open.setdefault(Attempt(source, neighbour, 0, ARP), Failure(now_s, mac))

    def hear(self, neighbour: str, now_s: float) -> None:
        """Learn that a neighbour is there."""
        _remember(self._heard_s, neighbour, now_s, MOST_HEARD)

    def tried(self, source: str, target: str) -> str | None:
        """An address in this prefix with which the source has failed to connect lately; `None`: there is none."""
        meant = ip_network(target, strict=False)
        failed = (key.common for key in self._suspicions if key[:2] == (IncidentKind.PORT_SCAN, source))
        return next((str(one) for one in failed if ip_address(one) in meant), None)

    def is_related(self, one: str, other: str, now_s: float) -> bool:
        """Whether the two have completed a connection, or answered each other, within a day."""
        latest_s = max(self._related_s.get((one, other), -SERVICE_S), self._related_s.get((other, one), -SERVICE_S))
        return now_s - latest_s < SERVICE_S

    def related(self, addresses: Collection[str]) -> Iterator[str]:
        """The servers with which these clients have completed connections within a day, the latest first."""
        return (server for client, server in reversed(self._related_s) if client in addresses)

    def found(self, now_s: float) -> list[Suspicion]:
        """The suspicions that are scans, of those with a failure or a proof since the previous call."""
        for attempt in list(takewhile(lambda one: now_s - self._open[one].began_s >= ANSWER_S, self._open)):
            self._fail(attempt, self._open.pop(attempt), is_refused=False)
        self._forget(now_s)
        touched, self._touched = self._touched, {}
        changed = [self._suspicions[key] for key in touched]
        scans = [one for one in changed if one.is_scan() and self._count_granted(one.key, now_s) < len(one.failed)]
        for scan in scans:
            senders, source = scan.senders(), scan.key.source
            scan.proven = max((senders[mac] for mac in senders if (scan.key, mac) in self._proved_s), default=0)
            scan.addressed = max((senders[mac] for mac in senders if (source, mac) in self._addressed_s), default=0)
        return scans

    def forget_source(self, kind: IncidentKind, source: str) -> None:
        """Forget the source's failures of this kind: its incident is closed and a new one starts from nothing."""
        for key in [key for key in self._suspicions if key[:2] == (kind, source)]:
            self._drop(key)

    def _open_connection(self, packet: Packet, now_s: float) -> Progress:
        if len(self._open) >= MOST_ATTEMPTS:
            return Progress.OPENED
        attempt = Attempt(packet.source, packet.destination, packet.destination_port)
        self._open.setdefault(attempt, Failure(now_s, packet.source_mac))  # a repeated SYN is no new attempt
        return Progress.OPENED if self._handshakes.open(packet, now_s) else Progress.NONE

    def _follow_probe(self, packet: Packet, now_s: float) -> None:
        attempt = Attempt(packet.source, packet.destination, packet.destination_port)
        if (packet.source, packet.source_port) not in self._services_s:  # which ends the connections of its clients
            only = None if is_segment_probe_of_hosts(packet) else IncidentKind.PORT_SCAN
            self._fail(attempt, Failure(now_s, packet.source_mac), is_refused=True, only=only)

    def _follow_datagram(self, packet: Packet, now_s: float) -> Progress:
        asked = Attempt(packet.destination, packet.source, packet.source_port, UDP)
        is_reply = self._open.pop(asked, None) is not None
        if is_reply or asked.service in self._services_s or self._is_remembered(asked):
            if is_reply or not self.is_related(packet.source, packet.destination, now_s):
                self._accept(asked, now_s)
                _remember(self._related_s, (packet.destination, packet.source), now_s, MOST_RELATIONS)
            return Progress.ACCEPTED
        attempt = Attempt(packet.source, packet.destination, packet.destination_port, UDP)
        if not is_datagram_to_a_host(packet):
            return Progress.NONE
        if attempt.service in self._services_s and self.is_related(packet.source, packet.destination, now_s):
            return Progress.NONE
        if is_probing_datagram(packet) and len(self._open) < MOST_ATTEMPTS:
            self._open.setdefault(attempt, Failure(now_s, packet.source_mac))
        return Progress.OPENED

    def _is_remembered(self, attempt: Attempt) -> bool:
        """Whether the attempt has failed; it is answered late."""
        return any(key in self._suspicions and at in self._suspicions[key].failed for key, at in _evidence(attempt))

    def _accept(self, attempt: Attempt, now_s: float) -> None:
        self._open.pop(attempt, None)
        self._withdraw(attempt)
        self._grant(attempt, now_s)

    def _grant(self, attempt: Attempt, now_s: float) -> None:
        """Remember that the source was let in."""
        _remember(self._services_s, attempt.service, now_s, MOST_SERVICES)
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

    def _fail(self, attempt: Attempt, failure: Failure, *, is_refused: bool, only: IncidentKind | None = None) -> None:
        """Count a failure. `only`: for this kind alone."""
        if attempt.protocol == ARP:
            if failure.began_s - self._heard_s.get(attempt.destination, -SERVICE_S) >= SERVICE_S:
                self._record(Key(IncidentKind.HOST_SWEEP, attempt.source, NEIGHBOURS), attempt.destination, failure)
            return
        accepted_s = self._services_s.get(attempt.service)
        if accepted_s is not None and failure.began_s - accepted_s < SERVICE_S:
            return
        is_away = not is_refused and self.is_related(attempt.source, attempt.destination, failure.began_s)
        for key, distinct in _evidence(attempt):
            is_sweep = key.kind is IncidentKind.HOST_SWEEP
            if only in {None, key.kind} and not (is_sweep and (is_away or not _counts_for_sweep(attempt))):
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
    found: tuple[tuple[Key, str | int], ...] = (
        (Key(IncidentKind.PORT_SCAN, attempt.source, attempt.destination), attempt.label),
        (Key(IncidentKind.HOST_SWEEP, attempt.source, attempt.label), attempt.destination),
    )
    if attempt.protocol == TCP and _is_private(attempt.destination) and not _is_private(attempt.source):
        return *found, (Key(IncidentKind.HOST_SWEEP, attempt.source, ANY_PORT), attempt.destination)
    return found


def _counts_for_sweep(attempt: Attempt) -> bool:
    """Programs ask many hosts outside over UDP: the time, names, and each other."""
    return (attempt.protocol == TCP and attempt.port not in _WEB_PORTS) or _is_private(attempt.destination)


@lru_cache(maxsize=4096)  # of as many hosts as a department speaks with in an hour; 0.5 MB
def _is_private(address: str) -> bool:
    return ip_address(address).is_private
