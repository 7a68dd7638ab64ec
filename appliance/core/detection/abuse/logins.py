"""Logins: connections to services that ask for a password, which end after a few words, again and again.

A refused login shows only by its length: the server says hardly more than its greeting, its keys and its refusal. A
login that is granted goes on, and counts against the verdict.
"""

from collections import OrderedDict
from typing import NamedTuple

from msgspec import Struct, field

from appliance.core.detection.evidence import MOST_EXAMPLES, Evidence
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.traffic.packet import ACK, FIN, RST, Packet


class LoginService(NamedTuple):
    """A service that asks for a password. `least_said`: bytes of the server that only a login makes it say."""

    name: str
    least_said: int


# The ports at which computers and devices let people in (IANA). Who only looks whether a service is there hears its
# greeting: up to 60 bytes, of MySQL 100, of SMB 280 and of RDP 19; SSH also says its keys, 800 and more.
SERVICES = {
    22: LoginService("SSH", 800),
    2222: LoginService("SSH", 800),
    3389: LoginService("RDP", 300),
    5985: LoginService("WinRM", 300),
}
SERVICES |= dict.fromkeys((139, 445), LoginService("SMB", 400)) | dict.fromkeys((23, 2323), LoginService("Telnet", 80))
SERVICES |= {21: LoginService("FTP", 80), 1433: LoginService("SQL Server", 150), 3306: LoginService("MySQL", 130)}
SERVICES |= {5432: LoginService("PostgreSQL", 80), 5900: LoginService("VNC", 20)}
# What a server says to a login that fails: OpenSSH 2.0 to 2.7 kB for three tries with its keys, RDP up to 2.5 kB with
# its certificate, SMB 1 kB. One that is granted has 4 kB at least.
MOST_SAID = 3500
# Such connections within `WITHIN_S`, beside the first to each host: a person gives up after a few, and a station that
# looks at many hosts asks each but once in that time.
LEAST = 20
WITHIN_S = 300.0
MOST_OPEN = 2048  # connections that are followed; 0.7 MB
MOST_SOURCES = 512  # watched, each with its latest `MOST_KEPT` connections; 2 MB
MOST_KEPT = 64
_NUMBERS = 2**32


class _Tried(Struct):
    """The ended connections of a source at one service, the latest last: when, whose, and whether it was short."""

    ended: list[tuple[float, str, bool]] = field(default_factory=list)
    mac: str = ""


class Logins:
    """The logins at one department's services, or of its devices; `now_s` is monotonic."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, int, str, int], int] = OrderedDict()  # by both ends, the server's number
        self._tried: OrderedDict[tuple[str, int], _Tried] = OrderedDict()  # by source and port, the latest last
        self._touched: dict[tuple[str, int], None] = {}

    def follow(self, packet: Packet, now_s: float) -> None:
        """Follow a TCP segment; only those that accept and end a login's connection change anything."""
        if packet.accepts and packet.source_port in SERVICES:
            ends = packet.destination, packet.destination_port, packet.source, packet.source_port
            self._open[ends] = (packet.sequence + 1) % _NUMBERS
            if len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
        elif packet.flags & (FIN | RST):
            self._end(packet, now_s)

    def found(self, now_s: float) -> list[Evidence]:
        """The sources that try passwords, of those with a connection that ended since the previous call."""
        touched, self._touched = self._touched, {}
        found = []
        for key in touched:
            tried = self._tried[key]
            tried.ended = [one for one in tried.ended if now_s - one[0] < WITHIN_S]
            short = [one for one in tried.ended if one[2]]
            repeated = len(short) - len({host for _, host, _ in short})
            if repeated >= LEAST and len(short) > 2 * (len(tried.ended) - len(short)):
                found.append(_evidence(*key, short, tried.mac))
        return found

    def _end(self, packet: Packet, now_s: float) -> None:
        if packet.source_port in SERVICES:
            ends = packet.destination, packet.destination_port, packet.source, packet.source_port
            end, mac = packet.sequence, packet.destination_mac
        elif packet.destination_port in SERVICES and packet.flags & ACK:
            ends = packet.source, packet.source_port, packet.destination, packet.destination_port
            end, mac = packet.acknowledgement, packet.source_mac
        else:
            return
        begin = self._open.pop(ends, None)
        said = (end - begin) % _NUMBERS if begin is not None else 0
        if said < SERVICES[ends[3]].least_said:
            return
        key = ends[0], ends[3]
        tried = self._tried.setdefault(key, _Tried())
        self._tried.move_to_end(key)
        tried.mac = mac
        tried.ended = [*tried.ended[1 - MOST_KEPT :], (now_s, ends[2], said <= MOST_SAID)]
        self._touched[key] = None
        if len(self._tried) > MOST_SOURCES:
            oldest, _ = self._tried.popitem(last=False)
            self._touched.pop(oldest, None)


def _evidence(source: str, port: int, short: list[tuple[float, str, bool]], mac: str) -> Evidence:
    hosts = tuple(dict.fromkeys(host for _, host, _ in short))
    where = hosts[0] if len(hosts) == 1 else f"{len(hosts)} hosts"
    took_s = max(1, round(short[-1][0] - short[0][0]))
    return Evidence(
        kind=IncidentKind.BRUTE_FORCE,
        source=source,
        count=len(short),
        details=(
            f"{source} tried to log in at port {port} ({SERVICES[port].name}) of {where} {len(short)} times within "
            f"{took_s} s, and was turned away each time"
        ),
        expected=f"fewer than {LEAST} in {WITHIN_S / 60:.0f} minutes, or logins that go on",
        first_s=short[0][0],
        latest_s=short[-1][0],
        peers=hosts[:MOST_EXAMPLES],
        ports=(str(port),),
        senders={mac: len(short)},
        values={
            "form": "one" if len(hosts) == 1 else "many",
            "port": port,
            "service": SERVICES[port].name,
            "host": hosts[0],
            "hosts": len(hosts),
            "count": len(short),
            "seconds": took_s,
            "least": LEAST,
            "within": round(WITHIN_S),
        },
        proven=len(short),  # each connection was accepted and answered: its ends were heard
    )
