"""A kernel in memory that obeys the rules of the ports, and remembers what it carried, showed and forgot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from appliance.core.machine import Connection, Counters, Link, NextHop, Sighting
from appliance.core.metering.account import AccountKey
from appliance.core.metering.meter import Plan, Reading
from appliance.core.metering.usage import Mark
from appliance.core.pause import Pause, no_pause

INTERFACE = "eth1"
PACKET_BYTES = 1000


@dataclass
class Meter:
    """A meter. `shown`: the bytes that it showed when it was charged last; 0: it was not charged yet."""

    number: int
    reading: Reading
    shown: int = 0

    def saved(self, mark: Mark | None) -> int:
        """The bytes that the disk knows by this mark; a mark of a later meter was saved with all bytes of this one."""
        number = int(mark.identity.rpartition("/")[2]) if mark else 0
        if mark is None or number < self.number:
            return 0
        return self.shown if number > self.number else mark.up_bytes + mark.down_bytes


class Kernel:
    """`ports.Interfaces`, `ports.Flows` and `ports.Meters` with one interface.

    `carried`: bytes that meters ever counted; `forgotten`: those of them that went with a meter before being charged.
    """

    def __init__(self) -> None:
        self.plans: Sequence[Plan] = ()
        self.meters: dict[str, Meter] = {}
        self.link: Link | None = Link(INTERFACE, 2, "02:00:00:00:00:01", "boot-0", True, Counters(0, 0))
        self.carried = 0
        self.forgotten = 0
        self.left: dict[str, dict[str, int]] = {}
        self.shared: dict[str, tuple[int, int]] = {}
        self.stopped: dict[str, frozenset[str]] = {}
        self.leaving: dict[str, Sequence[str]] = {}
        self.neighbours: Sequence[Sighting] = ()
        self.hops: Sequence[NextHop] = ()
        self._hosts: dict[str, dict[str, Reading]] = {}
        self._made = 0
        self._gone: list[tuple[str, Meter]] = []

    def links(self) -> Mapping[str, Link]:
        return {INTERFACE: self.link} if self.link else {}

    def connections(self, _: Pause = no_pause) -> Mapping[Connection, int]:
        return {}

    def apply(self, plans: Sequence[Plan]) -> str | None:
        self.plans = tuple(plans)
        if self.link is not None:
            for plan in plans:
                if plan.department not in self.meters:
                    self._made += 1
                    self.meters[plan.department] = Meter(self._made, Reading(f"{self.link.boot}/{self._made}"))
        return None

    def read(self) -> Mapping[str, Reading]:
        for meter in self.meters.values():
            meter.shown = meter.reading.total_bytes
        return {name: meter.reading for name, meter in self.meters.items()}

    def hosts(self) -> Mapping[str, Mapping[str, Reading]]:
        return {department: dict(hosts) for department, hosts in self._hosts.items()}

    def newcomers(self) -> Mapping[str, tuple[int, int]]:
        return dict(self.shared)

    def refused_hosts(self) -> Mapping[str, frozenset[str]]:
        return dict(self.stopped)

    def make_room(self, used: Mapping[str, Mapping[str, int]]) -> Mapping[str, Sequence[str]]:
        self.used = used
        removed, self.leaving = self.leaving, {}
        for department, hosts in removed.items():
            for host in hosts:
                self.forget_host(department, host)
        return removed

    def spoofed(self) -> int:
        return 0

    def sightings(self) -> Sequence[Sighting]:
        return self.neighbours

    def next_hops(self) -> Sequence[NextHop]:
        return self.hops

    def unread(self) -> Mapping[str, Mapping[str, int]]:
        return {}

    def refused(self) -> int:
        return 0

    def let_pass(self, for_s: float) -> str | None:
        return None

    def hold_hosts(self, left: Mapping[str, Mapping[str, int]]) -> str | None:
        self.left = {name: dict(hosts) for name, hosts in left.items()}
        return None

    def pass_on_host(self, department: str, host: str, up: int, down: int) -> None:
        """Carries traffic of one host."""
        self.pass_on(department, up, down)
        if meter := self.meters.get(department):
            hosts = self._hosts.setdefault(department, {})
            before = hosts.get(host, Reading(meter.reading.identity))
            hosts[host] = replace(before, up_bytes=before.up_bytes + up, down_bytes=before.down_bytes + down)

    def forget_host(self, department: str, host: str) -> None:
        """Drops the meter of a host that was silent for long."""
        del self._hosts[department][host]

    def plan(self, department: str) -> Plan:
        return next(plan for plan in self.plans if plan.department == department)

    def pass_on(self, department: str, up: int, down: int) -> None:
        """Carries traffic: the interface always counts it, and the meter if it exists."""
        assert self.link is not None
        counters = self.link.counters
        packets = (up + PACKET_BYTES - 1) // PACKET_BYTES, (down + PACKET_BYTES - 1) // PACKET_BYTES
        self.link = replace(
            self.link,
            counters=Counters(
                counters.rx_bytes + up + 14 * packets[0],
                counters.tx_bytes + down + 14 * packets[1],
                counters.rx_packets + packets[0],
                counters.tx_packets + packets[1],
            ),
        )
        if meter := self.meters.get(department):
            reading = meter.reading
            meter.reading = replace(reading, up_bytes=reading.up_bytes + up, down_bytes=reading.down_bytes + down)
            self.carried += up + down

    def flush(self) -> None:
        """Drops all meters, as when another program flushes the rules."""
        self.forgotten += sum(meter.reading.total_bytes - meter.shown for meter in self.meters.values())
        self._gone += self.meters.items()
        self.meters.clear()
        self._hosts.clear()
        self.plans = ()

    def recreate_link(self) -> None:
        """Deletes the interface with its meters, and makes it again."""
        assert self.link is not None
        self.flush()
        self.link = replace(self.link, index=self.link.index + 1, counters=Counters(0, 0))

    def reboot(self) -> None:
        """Boots: everything begins at zero."""
        assert self.link is not None
        self.flush()
        self.link = replace(self.link, boot=f"{self.link.boot}+", counters=Counters(0, 0))

    def lose_unsaved_charges(self, marks: Mapping[AccountKey, Mark]) -> None:
        """The program died: bytes that it read and did not save are still in their meters, or gone with them."""
        self.forgotten += sum(meter.shown - meter.saved(marks.get(AccountKey(name))) for name, meter in self._gone)
        self._gone.clear()
        for name, meter in self.meters.items():
            meter.shown = meter.saved(marks.get(AccountKey(name)))
