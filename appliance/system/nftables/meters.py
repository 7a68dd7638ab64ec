"""The kernel's own meters: one table of the packet filter, kept as it is found and changed only where plans differ.

The table `netdev appliance_meters` outlives this program. A start finds the counts of the one before; a flush by
somebody else makes other meters, with other identities. `core.kernel.nftables.meter_rules` says what is in it,
`core.kernel.nftables.meter_change` how it changes.

A quota of the kernel counts the same packets as the counters do, from the same zero on, so that moving its limit needs
no count to be read first, and lets nothing slip. But the kernel counts what goes out with its Ethernet header: at each
`apply` a limit is moved by what that makes. While this program is dead, a department is stopped early by that much:
by 1 % of what then remained where packets are full, more where they are small, never late.

A quota goes on counting what it refuses. So one that was met, and has something left, is made anew with what the
counters say, which stand still meanwhile because all is refused.
"""

import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

from appliance.core.kernel.nftables.host_rules import Left, beyond_name, due, left_name
from appliance.core.kernel.nftables.meter_change import TABLE, Counters, Quotas, moved, transaction
from appliance.core.kernel.nftables.meter_names import (
    ETHERNET_BYTES,
    is_held,
    object_name,
    outgoing_direction,
    parse_name,
)
from appliance.core.kernel.nftables.meter_rules import REFUSED, layout
from appliance.core.kernel.nftables.notice_rules import notice_table
from appliance.core.kernel.nftables.ruleset import Command
from appliance.core.kernel.nftables.table import ExistingTable, Layout
from appliance.core.kernel.nftables.throttle_rules import shares
from appliance.core.metering.meter import Plan, Reading

__all__ = ["TABLE", "NftablesMeters"]

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

Counted = Sequence[int]  # bytes and packets, as the kernel counts them
UNCOUNTED = (0, 0)
LOOKS = 4  # for which a host that was active still counts as such, beside the latest


class Run(Protocol):
    """How a transaction is put to the packet filter (`libnftables.Nftables.run`)."""

    def __call__(self, commands: Sequence[Command], /) -> tuple[str, str | None]:
        """What the kernel listed, and the reason where it refused."""


class Shown(Protocol):
    """What the kernel shows of the table (`nfnetlink.Nfnetlink`)."""

    def has_interface(self, name: str) -> bool:
        """Whether there is an interface of this name."""

    def table_handle(self) -> int | None:
        """The table's handle, which no other since the boot has had; `None`: the table is not there."""

    def counters(self) -> Counters:
        """By name: handle, bytes, packets."""

    def quotas(self) -> Quotas:
        """By name: bytes that it has seen, as far as its limit, and the limit."""

    def objects(self) -> Mapping[str, str]:
        """By name: the kind."""

    def chains(self) -> Mapping[str, int]:
        """By name: how many rules are in it or lead to it."""

    def counted(self, name: str) -> Iterator[tuple[bytes, int, int]]:
        """Of a set: each key, its bytes and its packets."""

    def keys(self, name: str) -> set[bytes]:
        """Of a set: its keys."""

    def limited(self, name: str) -> Mapping[bytes, tuple[int, int]]:
        """Of a set: by key, bytes that its quota has seen, as far as its limit, and the limit."""

    def limit(self, name: str, wanted: Mapping[bytes, int], former: Mapping[str, Collection[bytes]]) -> str | None:
        """Give elements of a set new quotas, in place of the former in this and other sets."""


@dataclass(frozen=True, slots=True)
class Structure:
    """All that decides what is in the table, but for the limits. `present`: those of its interfaces that exist.

    `shares`: by throttled department, into how many its rate is divided.
    """

    plans: tuple[Plan, ...] = ()
    present: frozenset[str] = frozenset()
    shares: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Activity:
    """A throttled department's hosts. `counted`: by key and set, its bytes; `active`: how many of late had more."""

    counted: Mapping[tuple[str, bytes], int] = field(default_factory=dict)
    active: Sequence[int] = ()

    @property
    def shares(self) -> int:
        """Into how many the rate is divided: by the most that were active, because a pause is not yet an end."""
        return shares(max(self.active, default=1))


@dataclass(frozen=True, slots=True)
class InForce:
    """What was put in force, and what the kernel then showed. `is_limited`: whether a department has a limit."""

    structure: Structure = Structure()
    layout: Layout = field(default_factory=Layout)
    handle: int | None = None
    chains: Mapping[str, int] = field(default_factory=dict)
    is_limited: bool = False


class NftablesMeters:
    """`ports.Meters` of the network namespace that `run` and `shown` were made in."""

    def __init__(self, run: Run, shown: Shown, notice_port: int | None = None) -> None:
        """`run`: one transaction of libnftables. `shown`: reads `TABLE`.

        `notice_port`: of this machine, to which the HTTP of a cut-off host is led; `None`: it is refused.
        """
        self._run = run
        self._shown = shown
        self._notice = notice_table(notice_port) if notice_port else []
        self._boot = BOOT_ID.read_text().strip()
        self._force = InForce()
        self._activity: Mapping[str, Activity] = {}
        self._left: dict[str, Left] = {}

    def apply(self, plans: Sequence[Plan]) -> str | None:
        """Meter and hold exactly by these plans; a meter that is there already keeps its count."""
        interfaces = {plan.interface for plan in plans}
        self._activity = {plan.department: self._observe(plan) for plan in plans if plan.throttle_bytes_s is not None}
        structure = Structure(
            tuple(replace(plan, stop_at_bytes=None) for plan in plans),
            frozenset(filter(self._shown.has_interface, interfaces)),
            {name: activity.shares for name, activity in self._activity.items()},
        )
        if structure == self._force.structure and self._stands():
            return self._hold(plans)
        return self._build(structure, plans)

    def read(self) -> Mapping[str, Reading]:
        """By department, its meter; `unclaimed_meter(interface)` is what no department there claims."""
        return {
            department: _reading(identity, facing, up, down)
            for department, _, facing, identity, up, down in self._meters()
        }

    def hosts(self) -> Mapping[str, Mapping[str, Reading]]:
        """By department and address, the meters of its hosts. One that was silent for a day has begun at zero again."""
        return {
            department: self._hosts(meter, facing, identity)
            for department, meter, facing, identity, *_ in self._meters()
            if ":" not in department
        }

    def refused(self) -> int:
        """Packets that were turned away because a quota was used up, since the table was made."""
        _, _, packets = self._shown.counters().get(REFUSED, (0, 0, 0))
        return packets

    def hold_hosts(self, left: Mapping[str, Mapping[str, int]]) -> str | None:
        """Hold each of these hosts to what it has left."""
        for plan in filter(is_held, self._force.structure.plans):
            for version, family in FAMILIES.items():
                own = {
                    socket.inet_pton(family, host): left_bytes
                    for host, left_bytes in left.get(plan.department, {}).items()
                    if ip_address(host).version == version
                }
                refusal = self._hold_hosts(plan, version, own)
                if refusal is not None:
                    return refusal
        return None

    def _hold_hosts(self, plan: Plan, version: int, left: Left) -> str | None:
        if plan.host_limit_bytes is None:
            return None
        name, beyond = left_name(plan, version), beyond_name(plan, version)
        shown = self._shown.limited(name)
        wanted = due(left, self._left.get(name, {}), shown, plan.host_limit_bytes)
        self._left[name] = left
        return self._shown.limit(name, wanted, {name: shown, beyond: self._shown.keys(beyond)}) if wanted else None

    def _meters(self) -> Iterator[tuple[str, str, str, str, Counted, Counted]]:
        """Department, how its objects' names end, facing, identity, and what was counted up and down."""
        table = self._shown.table_handle()
        counters = self._shown.counters()
        for name, (handle, *up) in counters.items():
            kind, meter = name[:2], name[2:]
            down = counters.get(f"down{meter}")
            if kind == "up" and down is not None:
                facing, department = parse_name(name)
                yield department, meter, facing, f"{self._boot}/{table}/{handle}", up, down[1:]

    def _hosts(self, meter: str, facing: str, identity: str) -> dict[str, Reading]:
        found = {}
        for version, family in FAMILIES.items():
            up = {key: counted for key, *counted in self._shown.counted(f"up{version}{meter}")}
            down = {key: counted for key, *counted in self._shown.counted(f"down{version}{meter}")}
            for key in up | down:
                if _is_host(key):
                    reading = _reading(identity, facing, up.get(key, UNCOUNTED), down.get(key, UNCOUNTED))
                    found[socket.inet_ntop(family, key)] = reading
        return found

    def _observe(self, plan: Plan) -> Activity:
        """Who of a throttled department has sent or received since the last look."""
        before = self._activity.get(plan.department, Activity())
        names = [object_name(f"{way}{version}", plan) for way in ("up", "down") for version in FAMILIES]
        counted = {(name, key): size for name in names for key, size, _ in self._shown.counted(name)}
        active = {key for (name, key), size in counted.items() if size != before.counted.get((name, key))}
        return Activity(counted, (*before.active[-LOOKS:], len(active)))

    def _stands(self) -> bool:
        """Whether the table is as it was left: rules and hooks too."""
        return self._shown.table_handle() == self._force.handle and self._shown.chains() == self._force.chains

    def _build(self, structure: Structure, plans: Sequence[Plan]) -> str | None:
        """Put the table into the state of the plans, whatever is in it."""
        known = self._force.layout.rules if self._stands() else {}
        there = ExistingTable(self._shown.objects(), self._shown.chains(), known)
        wanted = layout(plans, shares=structure.shares, leads=bool(self._notice))
        # Only kernels from 6.16 on take a chain for an interface that does not exist, and keep it when one goes.
        absent = {
            chain
            for chain, interface in wanted.devices.items()
            if interface not in structure.present and chain not in there.chains
        }
        return self._put(InForce(structure, wanted.without(absent)), there, plans, self._notice)

    def _hold(self, plans: Sequence[Plan]) -> str | None:
        """Move the limits; all else stands."""
        if not self._force.is_limited and not _are_limited(plans):
            return None
        kinds = {name: kind for name, (kind, _) in self._force.layout.objects.items()}
        return self._put(self._force, ExistingTable(kinds, self._force.chains, self._force.layout.rules), plans)

    def _put(
        self, wanted: InForce, there: ExistingTable, plans: Sequence[Plan], more: Sequence[Command] = ()
    ) -> str | None:
        """One transaction, if there is anything to do."""
        # In this order: where a quota was met, its counters stand still.
        quotas = self._shown.quotas()
        moving = moved(plans, quotas, self._shown.counters())
        if wanted is not self._force or moving:
            _, refusal = self._run([*transaction(there, wanted.layout, moving), *more])
            if refusal is not None:
                return refusal
            wanted = replace(wanted, handle=self._shown.table_handle(), chains=self._shown.chains())
        self._force = replace(wanted, is_limited=_are_limited(plans))
        return None


def _are_limited(plans: Sequence[Plan]) -> bool:
    return any(plan.stop_at_bytes is not None for plan in plans)


def _reading(identity: str, facing: str, up: Counted, down: Counted) -> Reading:
    outgoing = outgoing_direction(facing)
    return Reading(
        identity,
        up_bytes=up[0] - (ETHERNET_BYTES * up[1] if outgoing == "up" else 0),
        down_bytes=down[0] - (ETHERNET_BYTES * down[1] if outgoing == "down" else 0),
        up_packets=up[1],
        down_packets=down[1],
    )


def _is_host(address: bytes) -> bool:
    """Whether this can be the address of one: neither unspecified, nor of many (multicast, broadcast)."""
    first_of_many = 224 if len(address) == 4 else 255
    return address[0] < first_of_many and any(address)
