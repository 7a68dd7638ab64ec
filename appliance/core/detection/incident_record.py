"""What is kept of incidents: their evidence and course, what people have said to them, and what they do not want told.

A mute says what it concerns by up to four things, all of which must be so: the kind, the source, whom it is done to,
and the port. What is muted is recorded all the same, and nobody is told of it, nor blocked for it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address, ip_network

from msgspec import Struct, field
from msgspec.structs import replace

from appliance.core.detection.count_series import CountSeries
from appliance.core.detection.incident import RANKS, Incident, IncidentChange, IncidentUpdate, Severity
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.text import Values

MOST_STEPS = 24  # of a course: six hours of four events each
# What to look at, for a person who has the evidence before them.
ADVICE: Mapping[IncidentKind, str] = {
    IncidentKind.PORT_SCAN: "Find out what runs on the source; if it is a tool of yours, mute it for this source.",
    IncidentKind.HOST_SWEEP: "Find out what looks for hosts on the source; worms do, and so do inventories.",
    IncidentKind.ARP_SPOOFING: "Look for the hardware address in the switch's table, and unplug that port.",
    IncidentKind.ADDRESS_CONFLICT: "Give one of the two devices another address.",
    IncidentKind.ROGUE_DHCP: "Look for its hardware address in the switch's table, and unplug it; or name it as yours.",
    IncidentKind.ROGUE_ROUTER: "Look for its hardware address in the switch's table; unplug it, or name it as yours.",
    IncidentKind.SYN_FLOOD: "See whether the target still answers; stop the sender, by its switch port if it forges.",
    IncidentKind.UDP_FLOOD: "See whether the line is full; stop the sender, by its switch port if it forges.",
    IncidentKind.DNS_TUNNEL: "Find the program on the source that looks these names up; block the domain meanwhile.",
    IncidentKind.LISTED_CONTACT: "Find the program on the source that connects there; it was refused.",
    IncidentKind.OUTBOUND_VOLUME: "Ask who uses the device what it sends, and where; what is meant becomes usual.",
    IncidentKind.BRUTE_FORCE: "See whether a login was granted in the end; let the service take keys or fewer tries.",
}


class CourseStep(Struct, frozen=True):
    """What was told of an incident at a time. `change`: how it had changed."""

    at: datetime
    change: IncidentChange
    severity: Severity
    count: int
    details: str


class IncidentDevice(Struct, frozen=True):
    """A device of the department that an incident is about, as it was known when that was told last.

    `address`: the source or a peer that was its own; `name`: how people know it; `vendor`: of its hardware. Empty: not
    known, or only its hardware address is in the incident.
    """

    mac: str
    address: str = ""
    name: str = ""
    vendor: str = ""


class IncidentRecord(Struct, frozen=True, kw_only=True):
    """An incident, as it is kept. `ended_at`: `None` while it is open.

    `severity`, `count`: the worst; `values`: of `details` and `expected`, as evidence has them; `macs`: hardware
    addresses that sent it; `is_inside`: the source is in the department, `None`: not known; `known_devices`: which
    devices source, peers and `macs` are; `course`: the latest steps, oldest first; `series`: its counts by time, which
    go on while it is open; `acknowledged_by`: `None`: nobody.
    """

    id: str
    department: str
    kind: IncidentKind
    source: str
    severity: Severity
    count: int
    times: int
    details: str
    expected: str
    opened_at: datetime
    latest_at: datetime
    ended_at: datetime | None = None
    peers: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    values: Values = field(default_factory=dict)
    macs: tuple[str, ...] = ()
    is_inside: bool | None = None
    is_proven: bool = False
    known_devices: tuple[IncidentDevice, ...] = ()
    course: tuple[CourseStep, ...] = ()
    series: CountSeries = field(default_factory=CountSeries)
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None

    def followed(self, update: IncidentUpdate, at: datetime) -> "IncidentRecord":
        """The record after this change. One that comes back, or grows worse, is not acknowledged any more."""
        found, is_closed = update.incident, update.change is IncidentChange.CLOSED
        is_new = update.change in {IncidentChange.OPENED, IncidentChange.ESCALATED}
        step = CourseStep(at, update.change, found.severity, found.count, found.details)
        return replace(
            self,
            severity=max(self.severity, found.severity, key=RANKS.index),
            count=max(self.count, found.count),
            times=found.times,
            details=self.details if is_closed else found.details,
            expected=found.expected,
            latest_at=at,
            ended_at=at if is_closed else None,
            peers=found.peers,
            ports=found.ports,
            values=self.values if is_closed else found.values,
            macs=tuple(found.senders) or self.macs,
            course=(*self.course, step)[-MOST_STEPS:],
            series=found.series,
            acknowledged_by=None if is_new else self.acknowledged_by,
            acknowledged_at=None if is_new else self.acknowledged_at,
        )


class Mute(Struct, frozen=True, kw_only=True):
    """Incidents of a department that nobody is told of. `None`: whatever it is; `until`: `None` for no end.

    `source`, `destination`: an address or a prefix; of a tunnel, `destination` may be a domain.
    """

    id: str
    department: str
    by: str
    at: datetime
    kind: IncidentKind | None = None
    source: str | None = None
    destination: str | None = None
    port: str | None = None
    until: datetime | None = None
    reason: str | None = None

    def is_over(self, now: datetime) -> bool:
        """Whether its end has come."""
        return self.until is not None and self.until <= now

    def covers(self, found: "Incident | IncidentRecord") -> bool:
        """Whether an incident of the department is meant."""
        return (
            self.kind in {None, found.kind}
            and (self.source is None or _is_in(found.source, self.source))
            and (self.destination is None or _are_in(found.peers, self.destination))
            and (self.port is None or (bool(found.ports) and set(found.ports) == {self.port}))
        )

    def sentence(self) -> str:
        """What it covers, for a person."""
        parts = [
            f"{self.kind or 'any incident'} by {self.source or 'any source'}",
            f"against {self.destination}" if self.destination else "",
            f"at port {self.port} alone" if self.port else "",
        ]
        return " ".join(part for part in parts if part)


def _are_in(peers: Sequence[str], wanted: str) -> bool:
    return bool(peers) and _is_in(peers[0], wanted)


def _is_in(found: str, wanted: str) -> bool:
    if found == wanted:
        return True
    try:
        return ip_address(found) in ip_network(wanted, strict=False)
    except ValueError:
        return False  # a name, or a hardware address
