"""Watches devices: frames and the kernel's neighbour tables become the register of each department's devices.

A frame tells of a device at the interface at which it was captured. Where several departments share that, the device
belongs to the one that owns its address; at a port of a bridge, where frames of both sides pass, it must be one that
the bridge has learned there. A device that is new is saved, and then told of.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import UNSET

from appliance.core.machine import Facing, Link, Position, Sighting
from appliance.core.metering.department import Department, holds, networks_of
from appliance.core.moment import Moment, at_epoch, timestamp
from appliance.core.positions import POSITIONS
from appliance.core.refusal import Code, Refused
from appliance.core.traffic.devices.clue import Clue, NameSource
from appliance.core.traffic.devices.device_register import LEARNING_S, DeviceRegister, KnownDevice
from appliance.core.traffic.devices.dhcp import SERVER_PORT, dhcp_in
from appliance.core.traffic.devices.hardware_address import is_randomised, virtual_kind
from appliance.core.traffic.devices.multicast_dns import MDNS_PORT, announced_in
from appliance.core.traffic.devices.neighbour_discovery import notice_in
from appliance.core.traffic.devices.reverse_look_up import ReverseLookUps
from appliance.core.traffic.devices.server_sign import (
    ServerSign,
    sign_of_advertisement,
    sign_of_choice,
    sign_of_offer,
)
from appliance.core.traffic.packet import UDP, Packet
from appliance.events import DeviceFacts, DeviceNew
from appliance.monitor.traffic.server_watch import ServerWatch
from appliance.ports import Publisher, Store, Vendors

log = logging.getLogger(__name__)

MOST_TOGETHER = 8192  # devices of all departments; 8 MB
MOST_OF_ONE, LEAST_OF_ONE = 2048, 128  # of a department: what the appliance is made for, and what 64 have each
MOST_HEARD = 4096  # clues between two steps, a second; a flood says the same again
PATIENCE_S = 15.0  # for which a clue waits until the kernel's tables, read every 10 s, say whose it is
SAVE_S = 60.0  # names and addresses that were learned; a new device is saved at once
AGE_S = 3600.0


class NeighbourTables(Protocol):
    """The kernel's neighbour tables, as they were read last."""

    @property
    def sightings(self) -> Sequence[Sighting]:
        """All of them; another object each time that they are read."""


class Networks(Protocol):
    """The interfaces, and who is at them."""

    @property
    def links(self) -> Mapping[str, Link]:
        """The interfaces by name."""

    @property
    def devices(self) -> NeighbourTables:
        """What the kernel knows of devices."""


class DeviceWatch:
    """Keeps the registers of all departments."""

    def __init__(
        self,
        departments: Sequence[Department],
        *,
        position: Position,
        metering: Networks,
        vendors: Vendors,
        store: Store,
        publish: Publisher,
        servers: ServerWatch,
        learning_s: float = LEARNING_S,
    ) -> None:
        """`servers`: which DHCP servers and routers are a department's own."""
        self._departments = {one.id: one for one in departments}
        self._facing, self._metering, self._vendors = POSITIONS[position].facing, metering, vendors
        self._store, self._publish = store, publish
        self._registers, self._servers = _registers(self._departments, store, learning_s), servers
        self._heard: dict[tuple[str, Clue], float] = {}
        self._reverse = ReverseLookUps()
        self._read: Sequence[Sighting] = ()
        self._at_port: dict[str, frozenset[str]] = {}
        self._own: frozenset[str] = frozenset()
        self._saved_s = self._aged_s = 0.0

    def read_packet(self, interface: str, packet: Packet, now: Moment) -> Sequence[tuple[str, ServerSign]]:
        """Takes what a datagram tells of the device that sent it; returns a stranger, by department."""
        if packet.protocol != UDP:
            return ()
        if SERVER_PORT in {packet.source_port, packet.destination_port}:
            message = dhcp_in(packet)
            if message is not None and message.server:
                return self._strangers(interface, sign_of_offer(message, packet.source_mac), message.given, now)
            if message is not None:
                self.hear(interface, Clue(message.mac, name=message.name, source=NameSource.DHCP), now)
            if message is not None and message.chosen:
                return self._strangers(interface, sign_of_choice(message), message.given, now)
        elif packet.source_port == MDNS_PORT and (name := announced_in(packet)):
            self.hear(interface, Clue(packet.source_mac, packet.source, name, NameSource.MDNS), now)
        else:
            self._read_reverse(interface, packet, now)
        return ()

    def read_frame(self, interface: str, frame: bytes, now: Moment) -> Sequence[tuple[str, ServerSign]]:
        """Takes what neighbour discovery tells; returns a router that is a stranger, by department."""
        notice = notice_in(frame)
        if notice is None:
            return ()
        self.hear(interface, Clue(notice.mac, notice.address), now)
        return self._strangers(interface, sign_of_advertisement(notice), "", now) if notice.is_router else ()

    def hear(self, interface: str, clue: Clue, now: Moment) -> None:
        """Takes what a frame told of a device."""
        if len(self._heard) < MOST_HEARD:
            self._heard.setdefault((interface, clue), now.monotonic_s)

    def step(self, now: Moment) -> None:
        """Learns what was heard and what the kernel knows, saves it, and tells of new devices; every second.

        While the clock may be wrong it only listens: when a device came would be wrong for ever.
        """
        if not now.is_trusted:
            return
        self._own = frozenset(link.mac for link in self._metering.links.values())
        self._learn_sightings(now)
        self._learn_heard(now)
        if now.is_due(self._aged_s, AGE_S):
            self._aged_s = now.monotonic_s
            for register in self._registers.values():
                register.age(_epoch_s(now))
        found = [
            (department, device)
            for department, register in self._registers.items()
            for device in register.newcomers(_epoch_s(now))
        ]
        if found or now.is_due(self._saved_s, SAVE_S):
            self.save(now)
        for department, device in found:
            facts = self.facts(department, device, now)
            self._publish(DeviceNew(timestamp=timestamp(now.wall), department_id=department, device=facts))

    def save(self, now: Moment, *, everything: bool = False) -> None:
        """Saves what has changed; where the disk takes nothing it is tried again. `everything`: at the end."""
        self._saved_s = now.monotonic_s
        changes = {
            department: found
            for department, register in self._registers.items()
            if (found := register.changes(everything=everything)) is not None
        }
        if not changes:
            return
        try:
            self._store.save_devices(changes)
        except Refused as refused:
            log.warning("devices are kept in memory: %s", refused.message)
            return
        for department, one in changes.items():
            self._registers[department].mark_saved(one)

    def devices(self, department: str) -> Sequence[KnownDevice]:
        """The department's devices, the one seen last first."""
        return self._registers[department].devices()

    def is_learning(self, department: str, now: Moment) -> bool:
        """Whether its devices are being learned for the first time, so that none is new."""
        return self._registers[department].is_learning(_epoch_s(now))

    def find(self, department: str, asked: str) -> KnownDevice:
        """The device with this hardware address or address. Raises `Refused`."""
        found = self._registers[department].device(asked)
        if found is None:
            raise Refused(
                Code.BAD_REQUEST, f"host: no device of {department} is known by {asked}; device:list has those that are"
            )
        return found

    def label(self, department: str, mac: str, label: str) -> KnownDevice:
        """Gives a device the name that people have for it; empty: takes it back. Raises `Refused`."""
        register, former = self._registers[department], self.find(department, mac)
        found = register.label(former.mac, label)
        changes = register.changes()
        try:
            if changes is not None:
                self._store.save_devices({department: changes})
                self._store.sync()
        except Refused:
            register.label(former.mac, former.label)
            raise
        if changes is not None:
            register.mark_saved(changes)
        return found

    def name_of(self, departments: Sequence[str], asked: str) -> str:
        """How people know the device with this hardware address or address; empty: it has no name, or is not known."""
        found = self.known(departments, asked)
        return found.name if found else ""

    def known(self, departments: Sequence[str], asked: str) -> KnownDevice | None:
        """The device with this hardware address or address in one of these departments."""
        found = (self._registers[one].device(asked) for one in departments)
        return next((one for one in found if one is not None), None)

    def vendor(self, mac: str) -> str | None:
        """Who made the device, or what runs it; `None`: not known."""
        return virtual_kind(mac) or self._vendors.vendor(mac)

    def facts(self, department: str, device: KnownDevice, now: Moment) -> DeviceFacts:
        """The device as it is on the wire."""
        said = next((source for source in NameSource if source in device.names), None)
        return DeviceFacts(
            department_id=department,
            mac=device.mac,
            known_as=device.name or None,
            name_from="label" if device.label else said.value if said else None,
            vendor=self.vendor(device.mac),
            is_randomised=is_randomised(device.mac, self._vendors.vendor(device.mac)),
            addresses=[*device.current_addresses],
            first_seen=timestamp(at_epoch(device.first_s)),
            last_seen=timestamp(at_epoch(device.seen_s)),
            is_new=self._registers[department].is_new(device, _epoch_s(now)),
            called=device.names[said] if said and device.label else UNSET,
        )

    def _read_reverse(self, interface: str, packet: Packet, now: Moment) -> None:
        here = [one.id for one in self._departments.values() if one.interface == interface]
        for found in self._reverse.read(packet, now.monotonic_s):
            device = self.known(here, found.address)
            if device is not None:
                self.hear(interface, Clue(device.mac, name=found.name, source=NameSource.DNS), now)

    def _strangers(
        self, interface: str, sign: ServerSign, address: str, now: Moment
    ) -> Sequence[tuple[str, ServerSign]]:
        """By department at the interface, the server if it is a stranger there. `address`: which it gives somebody.

        At an interface that departments share, an address tells whose device was answered; a router answers all.
        """
        if sign.mac in self._own or not now.is_trusted:
            return ()
        here = [one for one in self._departments.values() if one.interface == interface]
        concerned = [one for one in here if len(here) == 1 or not address or holds(one.subnets, address)] or here
        return [
            (one.id, self._with_mac(one.id, sign))
            for one in concerned
            if self._servers.is_stranger(one.id, sign, is_learning=self.is_learning(one.id, now))
        ]

    def _with_mac(self, department: str, sign: ServerSign) -> ServerSign:
        """With the hardware address of the device that has the server's address, where no frame of it was seen."""
        device = None if sign.mac else self._registers[department].device(sign.address)
        return sign if device is None else sign._replace(mac=device.mac)

    def _learn_sightings(self, now: Moment) -> None:
        sightings = self._metering.devices.sightings
        if sightings is self._read:
            return
        self._read = sightings
        links = self._metering.links
        for name in {one.interface for one in self._departments.values()}:
            self._at_port[name] = frozenset(one.mac for one in sightings if one.interface == name)
            bridge = link.master if (link := links.get(name)) else None
            for one in sightings:
                if one.interface in {name, bridge}:
                    clue = Clue(one.mac, str(one.address) if one.address else "")
                    self._learn(name, clue, _epoch_s(now) - one.age_s, now)

    def _learn_heard(self, now: Moment) -> None:
        heard, self._heard = self._heard, {}
        for (interface, clue), since_s in heard.items():
            is_known = self._learn(interface, clue, _epoch_s(now), now)
            if not is_known and now.monotonic_s - since_s < PATIENCE_S:
                self._heard[interface, clue] = since_s

    def _learn(self, interface: str, clue: Clue, at_s: float, now: Moment) -> bool:
        """Whether the device is one of a department at the interface, or certainly of none."""
        if (clue.mac in self._own) is not (self._facing is Facing.SELF):
            return True
        link = self._metering.links.get(interface)
        if link is not None and link.master and clue.mac not in self._at_port.get(interface, ()):
            return False
        found = [one for one in self._departments.values() if one.interface == interface and self._has(one, clue)]
        for one in found:
            self._registers[one.id].meet(clue, at_s, _epoch_s(now))
        return bool(found)

    def _has(self, department: Department, clue: Clue) -> bool:
        if not department.shares_interface and self._facing is not Facing.MIRRORED:
            return True
        networks = networks_of(department, self._metering.links)
        is_known = self._registers[department.id].device(clue.mac) is not None
        return holds(networks, clue.address) if clue.address and not _is_link_local(clue.address) else is_known


def _is_link_local(address: str) -> bool:
    return address.startswith(("fe80:", "169.254."))


def _epoch_s(now: Moment) -> float:
    return now.wall.timestamp()


def _registers(departments: Mapping[str, Department], store: Store, learning_s: float) -> Mapping[str, DeviceRegister]:
    kept, began = store.devices(), store.learning()
    room = max(LEAST_OF_ONE, min(MOST_OF_ONE, MOST_TOGETHER // max(1, len(departments))))
    return {
        one: DeviceRegister(kept.get(one, ()), room=room, began_s=began.get(one), learning_s=learning_s)
        for one in departments
    }
