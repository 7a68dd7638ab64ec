"""An incident: what one source does that is hostile or broken, how grave that is, and how it has changed."""

from collections.abc import Callable, Mapping
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from appliance.core.detection.count_series import CountSeries
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.text import Values


class Severity(StrEnum):
    """The gravity of an incident, the worst last."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


# The least count for each severity, worst first. Ports: nmap tries 1,000 by default, 100 with -F. Hosts: a /24 has 254.
# Floods: in ten seconds; a thousand connections begun a second fill the tables of a small server. Data in names: bytes;
# a table of customers, or a key. Listed addresses: packets in a minute, of a program that does not give up. Passwords:
# as many as are counted; nobody types 60 in five minutes. What leaves: bytes; a database, or a whole disk.
SEVERITIES = {
    IncidentKind.PORT_SCAN: ((1000, Severity.CRITICAL), (100, Severity.HIGH), (15, Severity.MEDIUM), (0, Severity.LOW)),
    IncidentKind.ARP_SPOOFING: ((0, Severity.HIGH),),  # who takes addresses reads what is meant for others
    IncidentKind.ADDRESS_CONFLICT: ((0, Severity.MEDIUM),),  # two people have half a connection each
    IncidentKind.ROGUE_DHCP: ((0, Severity.HIGH),),  # devices are led astray, or have no connection at all
    IncidentKind.ROGUE_ROUTER: ((0, Severity.HIGH),),
    IncidentKind.SYN_FLOOD: ((10_000, Severity.CRITICAL), (1000, Severity.HIGH), (0, Severity.MEDIUM)),
    IncidentKind.UDP_FLOOD: ((50_000, Severity.CRITICAL), (5000, Severity.HIGH), (0, Severity.MEDIUM)),
    IncidentKind.DNS_TUNNEL: ((100_000, Severity.CRITICAL), (10_000, Severity.HIGH), (0, Severity.MEDIUM)),
    IncidentKind.LISTED_CONTACT: ((100, Severity.HIGH), (0, Severity.MEDIUM)),
    IncidentKind.OUTBOUND_VOLUME: ((50 * 10**9, Severity.CRITICAL), (5 * 10**9, Severity.HIGH), (0, Severity.MEDIUM)),
    IncidentKind.BRUTE_FORCE: ((60, Severity.HIGH), (0, Severity.MEDIUM)),
    IncidentKind.HOST_SWEEP: ((250, Severity.CRITICAL), (100, Severity.HIGH), (25, Severity.MEDIUM), (0, Severity.LOW)),
}


def severity_of(kind: IncidentKind, count: int) -> Severity:
    """The severity of so many."""
    return next(severity for least, severity in SEVERITIES[kind] if count >= least)


RANKS = list(Severity)


class IncidentChange(StrEnum):
    """How an incident has changed."""

    OPENED = "opened"
    ESCALATED = "escalated"
    SPREAD = "spread"  # to another host
    CLOSED = "closed"


class Incident(Struct, frozen=True):
    """What one source does. `count`: of what `details`, a sentence, says, as of the worst moment.

    `began_s`: when it began first; `latest_s`: when it went on last; both monotonic. `times`: how often it came, the
    first time with it. `expected`: what would be ordinary; `peers`, `ports`: examples; `values`: as evidence has them.

    `series`: its counts by time, of which whoever keeps the incident sees the further ones, too.

    `senders`: failures by the hardware address that sent them, where these alone are a scan; `proven`: those of a
    sender that has completed a connection of the same kind from the source's address; `addressed`: those of a sender to
    whose hardware address the answers for the source went; 0: of none.
    """

    kind: IncidentKind
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
    expected: str = ""
    peers: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    values: Values = field(default_factory=dict)
    series: CountSeries = field(default_factory=CountSeries)

    @property
    def victim(self) -> str:
        """The one host that it is done to; empty where there are many."""
        return self.peers[0] if self.kind in _WITH_VICTIM and self.peers else ""

    def as_proven(self, is_inside: bool, has_address: Callable[[str, str], bool]) -> "Incident | None":
        """The incident, as far as its source has proved that it did it; `None`: anyone may have sent it.

        `is_inside`: the source is one of the department's addresses: there a hardware address means a device, while
        all that comes from outside has the router's. `has_address`: whether the kernel knows a device with this
        hardware address by this address.
        """
        counts = (count for mac, count in self.senders.items() if has_address(self.source, mac))
        count = max([self.proven, self.addressed if is_inside else 0, *counts])
        return replace(self, count=count, severity=severity_of(self.kind, count)) if count else None


_WITH_VICTIM = {IncidentKind.PORT_SCAN, IncidentKind.SYN_FLOOD, IncidentKind.UDP_FLOOD}


class IncidentUpdate(Struct, frozen=True):
    """An incident that has just opened, escalated, spread or closed."""

    change: IncidentChange
    incident: Incident
