"""Floods: what is sent to one target so fast, and with so little in return, that it can only be meant to drown it.

Of SYNs count those whose connection is not completed: a busy server has as many, but its clients go on. Of UDP count
datagrams to a host that answers nothing. Neither needs the true address of who sends it, so the target is what is
watched; the source is the one that sent most of it, and where nobody did, because addresses were forged, the target.

A client and a server that have completed a connection with each other within a day count a tenth: so clients whose
server is restarted are no flood, and a camera that only sends is none.
"""

from collections import Counter, OrderedDict

from msgspec import Struct, field

from appliance.core.detection.evidence import MOST_EXAMPLES, Evidence
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.traffic.packet import TCP, Packet

WITHIN_S = 10  # of what is counted together
LEAST_SYNS = 100  # in that time, not completed: forty people who reload a page have as many, but of a server they know
LEAST_DATAGRAMS = 1000  # in that time, unanswered: more than any device reports, less than any flood
COMPLETED_SHARE = 10  # one in so many connections that is completed shows a server at work
KNOWN_SHARE = 10  # so many of who knows the target count as one
MOST_TARGETS = 1024  # watched at once; 2 MB if each is flooded from everywhere
MOST_SOURCES = 64  # counted of each target; a source that sends most of it is among the first
MOST_FORGED_SHARE = 2  # a source that sent less than one in so many is not named
# Collectors of logs, flows and traps, which never answer (IANA): a firewall reports thousands a second.
COLLECTORS = frozenset({162, 514, 1514, 2055, 2056, 4739, 4789, 6343, 8125, 9995, 9996, 12201})


class _Target(Struct):
    """What was sent to a target. `seconds`: by second, tries and completed ones, each ten times as many."""

    first_s: float
    seconds: OrderedDict[int, list[int]] = field(default_factory=OrderedDict)
    sources: Counter[str] = field(default_factory=Counter)
    macs: Counter[str] = field(default_factory=Counter)
    others: int = 0  # sent by sources that found no room
    latest_s: float = 0.0

    def add(self, packet: Packet, weight: int, now_s: float) -> None:
        """Count what was sent."""
        self._second(now_s)[0] += weight
        self.latest_s = now_s
        if packet.source in self.sources or len(self.sources) < MOST_SOURCES:
            self.sources[packet.source] += 1
        else:
            self.others += 1
        if packet.source_mac in self.macs or len(self.macs) < MOST_EXAMPLES:
            self.macs[packet.source_mac] += 1

    def complete(self, now_s: float) -> None:
        """Count a connection that was completed."""
        self._second(now_s)[1] += KNOWN_SHARE

    def sums(self, now_s: float) -> tuple[int, int]:
        """The tries and the completed ones in the last seconds, but for the present one, which is not over."""
        recent = [found for second, found in self.seconds.items() if now_s - 1 - WITHIN_S <= second < int(now_s)]
        return sum(one[0] for one in recent) // KNOWN_SHARE, sum(one[1] for one in recent) // KNOWN_SHARE

    def _second(self, now_s: float) -> list[int]:
        found = self.seconds.setdefault(int(now_s), [0, 0])
        while len(self.seconds) > WITHIN_S + 2:
            self.seconds.popitem(last=False)
        return found


class Floods:
    """What is sent to the targets of one department; `now_s` is monotonic."""

    def __init__(self) -> None:
        self._targets: OrderedDict[tuple[IncidentKind, str, int], _Target] = OrderedDict()  # the latest last
        self._touched: dict[tuple[IncidentKind, str, int], None] = {}

    @property
    def remembered(self) -> int:
        """The number of targets, at most `MOST_TARGETS`."""
        return len(self._targets)

    def follow(self, packet: Packet, now_s: float, *, is_known: bool) -> None:
        """Follow a SYN or an unanswered datagram. `is_known`: its ends have completed a connection lately."""
        if packet.protocol == TCP:
            key = IncidentKind.SYN_FLOOD, packet.destination, packet.destination_port
        elif packet.destination_port in COLLECTORS:
            return
        else:
            key = IncidentKind.UDP_FLOOD, packet.destination, 0
        target = self._targets.get(key)
        if target is None or now_s - target.latest_s > WITHIN_S:
            target = self._targets[key] = _Target(now_s)
        self._targets.move_to_end(key)
        if len(self._targets) > MOST_TARGETS:
            oldest, _ = self._targets.popitem(last=False)
            self._touched.pop(oldest, None)
        target.add(packet, 1 if is_known else KNOWN_SHARE, now_s)
        self._touched[key] = None

    def complete(self, server: str, port: int, now_s: float) -> None:
        """Follow a connection that was completed at this server's port."""
        target = self._targets.get((IncidentKind.SYN_FLOOD, server, port))
        if target is not None:
            target.complete(now_s)

    def found(self, now_s: float) -> list[Evidence]:
        """The floods with a packet since the previous call."""
        touched, self._touched = self._touched, {}
        found = []
        for key in touched:
            tried, completed = self._targets[key].sums(now_s)
            least = LEAST_SYNS if key[0] is IncidentKind.SYN_FLOOD else LEAST_DATAGRAMS
            if tried >= least and completed * COMPLETED_SHARE < tried:
                found.append(_evidence(*key, self._targets[key], tried, completed))
        return found


def _evidence(kind: IncidentKind, destination: str, port: int, target: _Target, tried: int, completed: int) -> Evidence:
    total = target.sources.total() + target.others
    main, sent = target.sources.most_common(1)[0]
    is_one = sent * MOST_FORGED_SHARE >= total
    number = f"{len(target.sources)}{' or more' if target.others else ''}"
    whose = main if is_one else f"{number} addresses, many of them surely forged,"
    is_syn = kind is IncidentKind.SYN_FLOOD
    what = (
        f"began {tried} connections to port {port} of {destination} in {WITHIN_S} s, and completed {completed} of them"
        if is_syn
        else f"sent {tried} datagrams to {destination} in {WITHIN_S} s, and none was answered"
    )
    return Evidence(
        kind=kind,
        source=main if is_one else destination,
        count=tried,
        details=f"{whose} {what}; they came by {', '.join(target.macs)}",
        expected=f"fewer than {LEAST_SYNS if is_syn else LEAST_DATAGRAMS}, or answers to them",
        first_s=target.first_s,
        latest_s=target.latest_s,
        peers=(destination,) if is_one else tuple(one for one, _ in target.sources.most_common(MOST_EXAMPLES)),
        ports=(str(port),) if is_syn else (),
        senders={mac: count for mac, count in target.macs.items() if count * 2 > total} if is_one else {},
        values={
            "form": "one" if is_one else "more" if target.others else "many",
            "sources": len(target.sources),
            "count": tried,
            "target": destination,
            "port": port,
            "seconds": WITHIN_S,
            "completed": completed,
            "macs": ", ".join(target.macs),
            "least": LEAST_SYNS if is_syn else LEAST_DATAGRAMS,
        },
    )
