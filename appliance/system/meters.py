"""The kernel's own meters: one table of the packet filter, kept as it is found and changed only where plans differ.

The table `netdev appliance_meters` outlives this program. A start finds the counts of the one before; a flush by
somebody else makes other meters, with other identities. `core.meter_rules` says what is in it.

A quota of the kernel counts the same packets as the counters do, from the same zero on, so that moving its limit needs
no count to be read first, and lets nothing slip. But the kernel counts what goes out with its Ethernet header: at each
`apply` a limit is moved by what that makes. While this program is dead, a department is stopped early by that much:
by 1 % of what then remained where packets are full, more where they are small, never late.

A quota goes on counting what it refuses. So when a limit is raised after it was met, the quota is made anew with what
the counters say, which stand still meanwhile because all is refused.
"""

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from itertools import product
from pathlib import Path
from typing import Protocol

from appliance.core.meter import Plan, Reading
from appliance.core.meter_rules import (
    ADDRESS_TYPES,
    CHAINS,
    ETHERNET_BYTES,
    NEVER,
    Layout,
    department_objects,
    layout,
    notice_table,
    object_name,
    outgoing_direction,
    unclaimed,
)
from appliance.core.ruleset import Command, add, add_rule

TABLE = "appliance_meters"
NETDEV = {"family": "netdev", "table": TABLE}
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Counted = tuple[int, int, int]  # handle, bytes, packets


class Run(Protocol):
    """How a transaction is put to the packet filter (`system.nftables.Nftables.run`)."""

    def __call__(self, commands: Sequence[Command], /) -> tuple[str, str | None]:
        """What the kernel listed, and the reason where it refused."""


class Shown(Protocol):
    """What the kernel shows of the table (`system.nfnetlink.Nfnetlink`)."""

    def table_handle(self) -> int | None:
        """The table's handle, which no other since the boot has had; `None`: the table is not there."""

    def counters(self) -> Mapping[str, Counted]:
        """By name: handle, bytes, packets."""

    def quotas(self) -> Mapping[str, tuple[int, int]]:
        """By name: bytes that it has seen, as far as its limit, and the limit."""

    def objects(self) -> Mapping[str, str]:
        """By name: the kind."""

    def chains(self) -> set[str]:
        """The names of the chains."""

    def counted(self, name: str) -> Iterator[tuple[bytes, int, int]]:
        """Of a set: each key, its bytes and its packets."""


class NftablesMeters:
    """`ports.Meters` of the network namespace in which `run` and `shown` were made."""

    def __init__(self, run: Run, shown: Shown, notice_port: int | None = None) -> None:
        """`run`: one transaction of libnftables. `shown`: reads the table.

        `notice_port`: of this machine, to which the HTTP of a cut-off host is led; `None`: it is refused.
        """
        self._run = run
        self._shown = shown
        self._notice = notice_table(notice_port) if notice_port else []
        self._boot = BOOT_ID.read_text().strip()
        self._structure: tuple[Plan, ...] = ()
        self._layout = Layout()
        self._present: frozenset[str] = frozenset()
        self._handle: int | None = None
        self._limits: dict[str, int] = {}

    def apply(self, plans: Sequence[Plan]) -> str | None:
        """Meter and hold exactly by these plans; a meter that is there already keeps its count."""
        structure = tuple(replace(plan, stop_at_bytes=None) for plan in plans)
        present = frozenset(name for _, name in socket.if_nameindex())
        if structure != self._structure or not self._stands(present):
            refusal = self._build(structure, present)
            if refusal is not None:
                return refusal
        return self._hold(plans)

    def read(self) -> Mapping[str, Reading]:
        """By department, its meter; `unclaimed:<interface>` is what no department there claims."""
        handle = self._shown.table_handle()
        if handle is None:
            return {}
        counters = self._shown.counters()
        readings = ((plan.department, self._reading(plan, handle, counters)) for plan in self._metered())
        return {name: reading for name, reading in readings if reading is not None}

    def hosts(self) -> Mapping[str, Mapping[str, Reading]]:
        """By department and address, the meters of its hosts."""
        identity = f"{self._boot}/{self._shown.table_handle()}"
        return {plan.department: self._host_readings(plan, identity) for plan in self._structure}

    def _metered(self) -> Iterator[Plan]:
        yield from self._structure
        for interface in dict.fromkeys(plan.interface for plan in self._structure):
            plans = [plan for plan in self._structure if plan.interface == interface]
            if all(plan.networks for plan in plans):
                yield unclaimed(plans)

    def _reading(self, plan: Plan, handle: int, counters: Mapping[str, Counted]) -> Reading | None:
        up, down = (counters.get(object_name(direction, plan)) for direction in CHAINS)
        if up is None or down is None:
            return None
        outgoing = outgoing_direction(plan.facing)
        return Reading(
            identity=f"{self._boot}/{handle}/{up[0]}",
            up_bytes=_l3_bytes(*up[1:], is_outgoing=outgoing == "up"),
            down_bytes=_l3_bytes(*down[1:], is_outgoing=outgoing == "down"),
            up_packets=up[2],
            down_packets=down[2],
        )

    def _host_readings(self, plan: Plan, identity: str) -> dict[str, Reading]:
        outgoing = outgoing_direction(plan.facing)
        found: dict[str, Reading] = {}
        for direction, version in product(CHAINS, ADDRESS_TYPES):
            for key, counted_bytes, packets in self._shown.counted(object_name(f"{direction}{version}", plan)):
                address = str(ip_address(key))
                own_bytes = _l3_bytes(counted_bytes, packets, is_outgoing=outgoing == direction)
                # A host's meter may run out by silence; its count then falls, which is told from the number itself.
                change = {f"{direction}_bytes": own_bytes, f"{direction}_packets": packets}
                found[address] = replace(found.get(address, Reading(identity)), **change)  # type: ignore[arg-type]
        return found

    def _stands(self, present: frozenset[str]) -> bool:
        """Whether the table is the one that was built, with a hook at each interface that exists."""
        if present != self._present or self._shown.table_handle() != self._handle:
            return False
        wanted = {chain for chain, interface in self._layout.devices.items() if interface in present}
        return wanted <= self._shown.chains()

    def _build(self, structure: tuple[Plan, ...], present: frozenset[str]) -> str | None:
        """Make the table have this structure; what counts there already is left as it is."""
        wanted = layout(structure, leads=bool(self._notice))
        table = {"add": {"table": {"family": "netdev", "name": TABLE}}}
        change = [*self._remove_rules(), *self._change_objects(wanted), *_rules(wanted, present)]
        _, refusal = self._run([table, *change, *self._notice])
        if refusal is None:
            self._structure, self._layout, self._present = structure, wanted, present
            self._handle = self._shown.table_handle()
            self._limits.clear()
        return refusal

    def _remove_rules(self) -> list[Command]:
        chains = sorted(self._shown.chains())
        # A chain that another's rule leads to cannot be deleted: first all are emptied.
        return [{action: {"chain": {**NETDEV, "name": name}}} for action in ("flush", "delete") for name in chains]

    def _change_objects(self, wanted: Layout) -> list[Command]:
        there = self._shown.objects()
        unwanted = {name: kind for name, kind in there.items() if name not in wanted.objects}
        missing = {name: one for name, one in wanted.objects.items() if name not in there}
        return [
            *({"delete": {kind: {**NETDEV, "name": name}}} for name, kind in unwanted.items()),
            *(add(kind, NETDEV, name, **properties) for name, (kind, properties) in missing.items()),
        ]

    def _hold(self, plans: Sequence[Plan]) -> str | None:
        """Move the kernel's limits to where these plans have them."""
        if all(plan.stop_at_bytes is None for plan in plans) and not self._limits:
            return None
        counters, quotas = self._shown.counters(), self._shown.quotas()
        limits = {plan.department: _kernel_limit(plan, counters) for plan in plans}
        commands: list[Command] = []
        for plan in plans:
            commands += self._move(plan, limits[plan.department], quotas.get(object_name("stop", plan)), counters)
        refusal = self._run(commands)[1] if commands else None
        if refusal is None:
            self._limits = {name: limit for name, limit in limits.items() if limit != NEVER}
        return refusal

    def _move(
        self, plan: Plan, limit: int, quota: tuple[int, int] | None, counters: Mapping[str, Counted]
    ) -> list[Command]:
        """What moves a department's limit; nothing where it is where it was, or is used up all the same."""
        seen, before = quota or (0, NEVER)
        if seen < before:
            moved = add("quota", NETDEV, object_name("stop", plan), bytes=limit, used=0, inv=True)
            return [] if limit == before else [moved]
        # What it refused may be all that is beyond the limit: then what is left must still pass.
        passed = sum(counters[object_name(direction, plan)][1] for direction in CHAINS)
        return self._renew(plan, limit, passed) if limit > passed else []

    def _renew(self, plan: Plan, limit: int, used: int) -> list[Command]:
        """Make a quota that has refused packets anew, without what these have added to it."""
        held = department_objects(plan)
        held[object_name("stop", plan)] = ("quota", {"bytes": limit, "used": used, "inv": True})
        chains = [f"{chain}.{plan.department}" for chain in CHAINS.values()]
        return [
            *({"flush": {"chain": {**NETDEV, "name": chain}}} for chain in chains),
            *({"delete": {kind: {**NETDEV, "name": name}}} for name, (kind, _) in held.items()),
            *(add(kind, NETDEV, name, **properties) for name, (kind, properties) in held.items()),
            *(add_rule(NETDEV, chain, rule) for chain in chains for rule in self._layout.rules[chain]),
        ]


def _rules(wanted: Layout, present: frozenset[str]) -> list[Command]:
    # An interface that does not exist gets no hook (older kernels refuse it); its meters wait for it.
    chains = {name: one for name, one in wanted.chains.items() if wanted.devices.get(name, "") in {"", *present}}
    return [
        *(add("chain", NETDEV, name, **properties) for name, properties in chains.items()),
        *(add_rule(NETDEV, name, rule) for name in chains for rule in wanted.rules[name]),
    ]


def _l3_bytes(counted_bytes: int, packets: int, *, is_outgoing: bool) -> int:
    return counted_bytes - ETHERNET_BYTES * packets if is_outgoing else counted_bytes


def _kernel_limit(plan: Plan, counters: Mapping[str, Counted]) -> int:
    """Where the kernel's own count stands when the meter's total reaches the plan's limit."""
    if plan.stop_at_bytes is None:
        return NEVER
    outgoing = outgoing_direction(plan.facing)
    counter = counters.get(object_name(outgoing, plan)) if outgoing else None
    limit = plan.stop_at_bytes + (ETHERNET_BYTES * counter[2] if counter else 0)
    return min(max(limit, 1), NEVER)  # a meter made anew begins at zero, which may be beyond the limit already
