"""Incidents: hostile or broken behaviour, from its beginning to its end.

A source that scans makes one incident of each kind, however many hosts it tries: it opens with the first evidence, is
reported again only when it becomes worse, and closes after a quiet time. What comes back within a day is the same
incident, counted, and must be quiet for longer each time: so a monitor that asks every five minutes is told when it
begins, not each time. `core.detection.scans` decides what counts as
evidence.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice

from appliance.core.detection.arp import AddressClaim, AddressClaims, Dispute
from appliance.core.detection.scans import MOST_SENDERS, ScanKind, Scans, Suspicion
from appliance.core.traffic.packet import Packet

QUIET_S = 180.0  # a scan that avoids detection waits a minute or two between its attempts
# How long an incident must be quiet that has come back once, and more often: what asks every hour or every night is
# then one incident, and not two events each time.
RETURNED_QUIET_S = (7200.0, 86400.0)
RETURN_S = 86400.0  # after its end, within which it is the same incident
MOST_EARLIER = 1024  # that have ended and may come back; 0.5 MB
MOST_TOLD, TOLD_WITHIN_S = 4, 3600.0  # events of one incident: opened, and a step for each severity; more can wait
MOST_OPEN = 256  # forged sources could open any number; a person reads no more
MOST_EXAMPLES = 5  # ports or hosts named in the details


class Severity(StrEnum):
    """The gravity of an incident, the worst last."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


# The least number of distinct failures for each severity, worst first. Ports: nmap tries 1,000 by default, 100 with -F.
# Hosts: a /24 has 254.
SEVERITIES = {
    ScanKind.PORT_SCAN: ((1000, Severity.CRITICAL), (100, Severity.HIGH), (15, Severity.MEDIUM), (0, Severity.LOW)),
    ScanKind.ARP_SPOOFING: ((0, Severity.HIGH),),  # who takes addresses reads what is meant for others
    ScanKind.ADDRESS_CONFLICT: ((0, Severity.MEDIUM),),  # two people have half a connection each
    ScanKind.HOST_SWEEP: ((250, Severity.CRITICAL), (100, Severity.HIGH), (25, Severity.MEDIUM), (0, Severity.LOW)),
}


def severity_of(kind: ScanKind, count: int) -> Severity:
    """The severity of so many distinct failures."""
    return next(severity for least, severity in SEVERITIES[kind] if count >= least)


RANKS = list(Severity)


class IncidentChange(StrEnum):
    """How an incident has changed."""

    OPENED = "opened"
    ESCALATED = "escalated"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Incident:
    """The scan of one source. `count`: distinct failures; `details`: a sentence with them.

    `began_s`: when it began first; `latest_s`: when it went on last; both monotonic. `times`: how often it came, the
    first time with it.

    `senders`: failures by the hardware address that sent them, where these alone are a scan; `proven`: those of a
    sender that has completed a connection of the same kind from the source's address; `addressed`: those of a sender to
    whose hardware address the answers for the source went; 0: of none.
    """

    kind: ScanKind
    source: str
    severity: Severity
    count: int
    details: str
    latest_s: float
    began_s: float = 0.0
    times: int = 1
    senders: Mapping[str, int] = field(default_factory=dict)
    proven: int = 0
    addressed: int = 0

    def as_proven(self, is_inside: bool, has_address: Callable[[str, str], bool]) -> "Incident | None":
        """The incident, as far as its source has proved that it did it; `None`: anyone may have sent it.

        `is_inside`: the source is one of the department's addresses: there a hardware address means a device, while
        all that comes from outside has the router's. `has_address`: whether the kernel knows a device with this
        hardware address by this address.
        """
        counts = (count for mac, count in self.senders.items() if has_address(self.source, mac))
        count = max([self.proven, self.addressed if is_inside else 0, *counts])
        return replace(self, count=count, severity=severity_of(self.kind, count)) if count else None


@dataclass(frozen=True, slots=True)
class IncidentUpdate:
    """An incident that has just opened, escalated or closed."""

    change: IncidentChange
    incident: Incident


@dataclass(slots=True)
class _Course:
    """What was told of an incident. `severity`: the latest one that was, `None` while it is not open for clients."""

    began_s: float
    times: int = 1
    severity: Severity | None = None
    told_s: list[float] = field(default_factory=list)
    ended_s: float = 0.0

    @property
    def quiet_s(self) -> float:
        """How long it must be quiet to end."""
        return (QUIET_S, *RETURNED_QUIET_S)[min(self.times, 1 + len(RETURNED_QUIET_S)) - 1]

    def may_tell(self, now_s: float) -> bool:
        """Whether a client may hear of it again."""
        self.told_s = [one for one in self.told_s if now_s - one < TOLD_WITHIN_S]
        return len(self.told_s) < MOST_TOLD

    def tell(self, severity: Severity | None, now_s: float) -> None:
        """Note what is told now."""
        self.severity = severity
        self.told_s.append(now_s)


class Incidents:
    """The incidents of one department; `now_s` is monotonic."""

    def __init__(self) -> None:
        self._scans, self._claims = Scans(), AddressClaims()
        self._open: dict[tuple[ScanKind, str], Incident] = {}
        self._courses: dict[tuple[ScanKind, str], _Course] = {}  # of the open ones
        self._earlier: OrderedDict[tuple[ScanKind, str], _Course] = OrderedDict()  # the latest ended last

    def follow(self, packet: Packet, now_s: float) -> None:
        """Evaluate a TCP segment as evidence."""
        self._scans.follow(packet, now_s)

    def follow_claim(self, claim: AddressClaim, own: Collection[str], now_s: float) -> None:
        """Evaluate a claim of an address. `own`: the appliance's hardware addresses, where the address is its own."""
        self._claims.follow(claim, own, now_s)

    def judge(self, now_s: float) -> list[IncidentUpdate]:
        """The incidents that opened, escalated or closed since the previous call, as far as they may be told."""
        for dispute in self._claims.found():
            self._record(_disputed(dispute), now_s)
        for suspicion in self._scans.found(now_s):
            self._record(_incident(suspicion), now_s)
        updates = [update for key in self._open if (update := self._news(key, now_s)) is not None]
        return updates + self._close_quiet(now_s)

    def open(self) -> Collection[Incident]:
        """The open incidents."""
        return self._open.values()

    def _record(self, found: Incident, now_s: float) -> None:
        key = found.kind, found.source
        known = self._open.get(key)
        if known is None:
            if self._has_room_for(found):
                course = self._courses[key] = self._course_of(key, now_s)
                self._open[key] = replace(found, began_s=course.began_s, times=course.times)
            return
        worse = found if found.count > known.count else replace(known, latest_s=found.latest_s)
        senders = Counter(known.senders) | Counter(found.senders)  # of each, the most at one host or port
        self._open[key] = replace(
            worse,
            began_s=known.began_s,
            times=known.times,
            senders=dict(senders.most_common(MOST_SENDERS)),
            proven=max(known.proven, found.proven),
            addressed=max(known.addressed, found.addressed),
        )

    def _course_of(self, key: tuple[ScanKind, str], now_s: float) -> _Course:
        """The course of an incident that opens: its own of earlier, where it comes back."""
        earlier = self._earlier.pop(key, None)
        if earlier is None or now_s - earlier.ended_s >= RETURN_S:
            return _Course(now_s)
        earlier.times += 1
        return earlier

    def _news(self, key: tuple[ScanKind, str], now_s: float) -> IncidentUpdate | None:
        found, course = self._open[key], self._courses[key]
        is_worse = course.severity is not None and RANKS.index(found.severity) > RANKS.index(course.severity)
        if (course.severity is not None and not is_worse) or not course.may_tell(now_s):
            return None
        course.tell(found.severity, now_s)
        if is_worse:
            return IncidentUpdate(IncidentChange.ESCALATED, found)
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


def _incident(suspicion: Suspicion) -> Incident:
    kind, source, _ = suspicion.key
    count = len(suspicion.failed)
    return Incident(
        kind=kind,
        source=source,
        severity=severity_of(kind, count),
        count=count,
        details=_details(suspicion, count),
        latest_s=suspicion.latest_s,
        senders=suspicion.senders(),
        proven=suspicion.proven,
        addressed=suspicion.addressed,
    )


def _disputed(dispute: Dispute) -> Incident:
    kind = ScanKind.ARP_SPOOFING if dispute.is_own or dispute.also else ScanKind.ADDRESS_CONFLICT
    took_s = max(1, round(dispute.latest_s - dispute.first_s))
    whose = "the appliance's own address" if dispute.is_own else f"an address that {dispute.holder} has too"
    also = f", and also {', '.join(dispute.also)}" if dispute.also else ""
    return Incident(
        kind=kind,
        source=dispute.address,
        severity=severity_of(kind, dispute.count),
        count=dispute.count,
        details=(
            f"{dispute.rival} claims {dispute.address}, {whose}, {dispute.count} times in turns within {took_s} s"
            f"{also}; look for {dispute.rival} in the switch's table of addresses"
        ),
        latest_s=dispute.latest_s,
    )


def _details(suspicion: Suspicion, count: int) -> str:
    took_s = max(1, round(suspicion.latest_s - suspicion.first_s))
    examples = ", ".join(str(one) for one in islice(suspicion.failed, MOST_EXAMPLES))
    kind, source, common = suspicion.key
    is_port_scan = kind is ScanKind.PORT_SCAN
    what = f"{count} different ports of {common}" if is_port_scan else f"port {common} of {count} different hosts"
    return f"{source} failed to connect to {what} within {took_s} s, among them {examples}"
