"""Incidents: hostile or broken behaviour, from its beginning to its end.

A source that scans makes one incident of each kind, however many hosts it tries: it opens with the first evidence, is
reported again only when it becomes worse, and closes after a quiet time. What comes back within a day is the same
incident, counted, and must be quiet for longer each time: so a monitor that asks every five minutes is told when it
begins, not each time. What is done to another host than before is told, too.

`core.detection.scans` and `.abuse` decide what counts as evidence.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from appliance.core.detection.abuse.arp import AddressClaim, AddressClaims, AddressQuestion
from appliance.core.detection.abuse.floods import Floods
from appliance.core.detection.abuse.logins import Logins
from appliance.core.detection.abuse.rogue_servers import RogueServers
from appliance.core.detection.abuse.tunnels import Tunnels
from appliance.core.detection.count_series import CountSeries
from appliance.core.detection.evidence import Evidence
from appliance.core.detection.handshakes import Progress
from appliance.core.detection.incident import RANKS, Incident, IncidentChange, IncidentUpdate, Severity, severity_of
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.scan_evidence import dispute_evidence, scan_evidence
from appliance.core.detection.scans import MOST_SENDERS, Scans
from appliance.core.traffic.devices.server_sign import ServerSign
from appliance.core.traffic.dns import DNS_PORT, look_ups_in
from appliance.core.traffic.packet import TCP, Packet

QUIET_S = 180.0  # a scan that avoids detection waits a minute or two between its attempts
# How long an incident must be quiet that has come back once, and more often: what asks every hour or every night is
# then one incident, and not two events each time.
RETURNED_QUIET_S = (7200.0, 86400.0)
RETURN_S = 86400.0  # after its end, within which it is the same incident
MOST_EARLIER = 1024  # that have ended and may come back; 1 MB
MOST_TOLD, TOLD_WITHIN_S = 4, 3600.0  # events of one incident: opened, and a step for each severity; more can wait
MOST_OPEN = 256  # forged sources could open any number; a person reads no more
MOST_VICTIMS = 16  # of one incident that are remembered as told


class _Course(Struct):
    """What was told of an incident. `severity`: the latest one that was, `None` while it is not open for clients."""

    began_s: float
    times: int = 1
    series: CountSeries = field(default_factory=CountSeries)
    severity: Severity | None = None
    told_s: list[float] = field(default_factory=list)
    ended_s: float = 0.0
    victims: dict[str, None] = field(default_factory=dict)  # that were told; an ordered set
    spread: Incident | None = None  # to another victim, which is not told yet

    def meet(self, found: Incident) -> None:
        """Note whom it concerned now."""
        if found.victim and found.victim not in self.victims and len(self.victims) < MOST_VICTIMS:
            self.spread = found

    @property
    def quiet_s(self) -> float:
        """How long it must be quiet to end."""
        return (QUIET_S, *RETURNED_QUIET_S)[min(self.times, 1 + len(RETURNED_QUIET_S)) - 1]

    def may_tell(self, now_s: float) -> bool:
        """Whether a client may hear of it again."""
        self.told_s = [one for one in self.told_s if now_s - one < TOLD_WITHIN_S]
        return len(self.told_s) < MOST_TOLD

    def tell(self, severity: Severity | None, now_s: float, victim: str = "") -> None:
        """Note what is told now."""
        self.severity = severity
        self.told_s.append(now_s)
        if victim:
            self.victims[victim] = None
        if self.spread is not None and self.spread.victim in self.victims:
            self.spread = None


class Incidents:
    """The incidents of one department; `now_s` is monotonic."""

    def __init__(self) -> None:
        self._scans, self._claims, self._rogues = Scans(), AddressClaims(), RogueServers()
        self._floods, self._logins, self._tunnels = Floods(), Logins(), Tunnels()
        self._reported: deque[Evidence] = deque(maxlen=MOST_OPEN)
        self._open: dict[tuple[IncidentKind, str], Incident] = {}
        self._courses: dict[tuple[IncidentKind, str], _Course] = {}  # of the open ones
        self._earlier: OrderedDict[tuple[IncidentKind, str], _Course] = OrderedDict()  # the latest ended last

    def follow(self, packet: Packet, now_s: float) -> None:
        """Evaluate a TCP segment or a datagram as evidence."""
        step = self._scans.follow(packet, now_s)
        if step is Progress.OPENED:
            is_known = self._scans.is_related(packet.source, packet.destination, now_s)
            self._floods.follow(packet, now_s, is_known=is_known)
        elif step is Progress.PROVEN:
            self._floods.complete(packet.destination, packet.destination_port, now_s)
        if packet.protocol == TCP:
            self._logins.follow(packet, now_s)
        if packet.destination_port == DNS_PORT:
            for asked, _ in look_ups_in(packet):
                self._tunnels.follow(asked, packet.source_mac, now_s)

    def follow_claim(self, claim: AddressClaim, own: Collection[str], now_s: float) -> None:
        """Evaluate a claim of an address. `own`: the appliance's hardware addresses, where the address is its own."""
        self._claims.follow(claim, own, now_s)
        self._scans.hear(claim.address, now_s)

    def follow_question(self, question: AddressQuestion, now_s: float) -> None:
        """Evaluate the question for a neighbour's hardware address."""
        self._scans.ask(question.address, question.mac, question.neighbour, now_s)

    def report(self, found: Evidence) -> None:
        """Take evidence that something else has found, for the next judgement."""
        self._reported.append(found)

    def tried(self, source: str, target: str) -> str | None:
        """An address in this prefix with which the source has failed to connect lately; `None`: there is none."""
        return self._scans.tried(source, target)

    def peers_of(self, addresses: Collection[str]) -> Iterator[str]:
        """With whom these addresses of one device have completed connections within a day, the latest first."""
        return self._scans.related(addresses)

    def follow_stranger(self, sign: ServerSign, now_s: float) -> None:
        """Evaluate that a server which is none of the department's has shown itself."""
        self._rogues.follow(sign, now_s)

    def restore(
        self, kind: IncidentKind, source: str, *, began_s: float, ended_s: float, times: int, series: CountSeries
    ) -> None:
        """Remember an incident of before a restart, so that it is the same one if it comes back within a day."""
        self._earlier[kind, source] = _Course(began_s, times, series, ended_s=ended_s)
        if len(self._earlier) > MOST_EARLIER:
            self._earlier.popitem(last=False)

    def judge(
        self, now_s: float, compared: Callable[[Evidence], Evidence | None] = lambda found: found
    ) -> list[IncidentUpdate]:
        """The incidents that opened, escalated or closed since the previous call, as far as they may be told.

        `compared`: the evidence, beside what its source has done on other days; `None`: it is usual, and no incident.
        """
        for found in filter(None, map(compared, self._found(now_s))):
            self._record(_incident(found), now_s)
        updates = [update for key in self._open if (update := self._news(key, now_s)) is not None]
        return updates + self._close_quiet(now_s)

    def open(self) -> Collection[Incident]:
        """The open incidents."""
        return self._open.values()

    def _found(self, now_s: float) -> Iterator[Evidence]:
        while self._reported:
            yield self._reported.popleft()
        yield from map(dispute_evidence, self._claims.found())
        yield from map(scan_evidence, self._scans.found(now_s))
        yield from self._floods.found(now_s)
        yield from self._logins.found(now_s)
        yield from self._tunnels.found()
        yield from self._rogues.found()

    def _record(self, found: Incident, now_s: float) -> None:
        key = found.kind, found.source
        known = self._open.get(key)
        if known is None:
            if self._has_room_for(found):
                course = self._courses[key] = self._course_of(key, now_s)
                course.series.follow(found.count, now_s - course.began_s)
                self._open[key] = replace(found, began_s=course.began_s, times=course.times, series=course.series)
            return
        course = self._courses[key]
        course.meet(found)
        course.series.follow(found.count, now_s - course.began_s)
        worse = found if found.count > known.count else replace(known, latest_s=max(found.latest_s, known.latest_s))
        senders = Counter(known.senders) | Counter(found.senders)  # of each, the most at one host or port
        self._open[key] = replace(
            worse,
            began_s=known.began_s,
            times=known.times,
            series=known.series,
            senders=dict(senders.most_common(MOST_SENDERS)),
            proven=max(known.proven, found.proven),
            addressed=max(known.addressed, found.addressed),
        )

    def _course_of(self, key: tuple[IncidentKind, str], now_s: float) -> _Course:
        """The course of an incident that opens: its own of earlier, where it comes back."""
        earlier = self._earlier.pop(key, None)
        if earlier is None or now_s - earlier.ended_s >= RETURN_S:
            return _Course(now_s)
        earlier.times += 1
        return earlier

    def _news(self, key: tuple[IncidentKind, str], now_s: float) -> IncidentUpdate | None:
        found, course = self._open[key], self._courses[key]
        is_new = course.severity is None
        is_worse = course.severity is not None and RANKS.index(found.severity) > RANKS.index(course.severity)
        if not (is_new or is_worse or course.spread) or not course.may_tell(now_s):
            return None
        spread = None if is_new or is_worse else course.spread
        course.tell(found.severity, now_s, spread.victim if spread else found.victim)
        if is_worse:
            return IncidentUpdate(IncidentChange.ESCALATED, found)
        if spread is not None:
            told = replace(found, details=spread.details, peers=spread.peers, values=spread.values)
            return IncidentUpdate(IncidentChange.SPREAD, told)
        again = f"Again, {found.times} times by now: " if found.times > 1 else ""
        return IncidentUpdate(IncidentChange.OPENED, replace(found, details=f"{again}{found.details}"))

    def _has_room_for(self, found: Incident) -> bool:
        """Whether one more can be open; one that anyone may have sent gives way to one that is proven."""
        if len(self._open) < MOST_OPEN:
            return True
        forged = next((key for key, one in self._open.items() if not one.proven), None)
        if not found.proven or forged is None:
            return False
        del self._open[forged], self._courses[forged]
        return True

    def _close_quiet(self, now_s: float) -> list[IncidentUpdate]:
        closed = []
        for key, one in [*self._open.items()]:
            course = self._courses[key]
            if now_s - one.latest_s < course.quiet_s or (course.severity is not None and not course.may_tell(now_s)):
                continue
            del self._open[key], self._courses[key]
            self._scans.forget_source(one.kind, one.source)
            if course.severity is not None:
                course.tell(None, now_s)
                details = f"Quiet again after: {one.details}"
                closed.append(IncidentUpdate(IncidentChange.CLOSED, replace(one, details=details)))
            course.ended_s = now_s
            self._earlier[key] = course
            if len(self._earlier) > MOST_EARLIER:
                self._earlier.popitem(last=False)
        return closed


def _incident(found: Evidence) -> Incident:
    return Incident(
        kind=found.kind,
        source=found.source,
        severity=severity_of(found.kind, found.count),
        count=found.count,
        details=found.details,
        latest_s=found.latest_s,
        senders=found.senders,
        proven=found.proven,
        addressed=found.addressed,
        expected=found.expected,
        peers=found.peers,
        ports=found.ports,
        values=found.values,
    )
