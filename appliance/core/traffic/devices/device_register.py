"""The register of a department's devices: by hardware address, with the addresses and names of each.

A device stays in it while it sleeps, so that it is new only once. While the register is learned for the first time
nothing is new; after that, a device is told of a few seconds after it came, when it has said its name. The register is
bounded: what has a label of people's stays, what was there for an hour stays before what was not, and of the others
the one that was not seen for longest goes. Times are seconds since 1970.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from appliance.core.traffic.devices.clue import Clue, NameSource

LEARNING_S = 86_400.0  # who works somewhere comes within a day
INTRODUCTION_S = 5.0  # a device asks for an address with its name, and then looks for the router
ESTABLISHED_S = 3600.0  # what was there for so long is no passer-by and no made-up address
NEW_S = 86_400.0  # for which a device is shown as new
MOST_TOLD, TOLD_WITHIN_S = 20, 3600.0  # a person reads no more; a flood of made-up addresses must not hide incidents
MOST_TAKEN, TAKEN_WITHIN_S = 120, 60.0  # new devices a minute: a class comes in; a flood fills no register at once
MOST_ADDRESSES = 16  # of a device: IPv4, link-local, and a week of daily privacy addresses in two networks (RFC 8981)
ADDRESS_KEPT_S = 86_400.0  # after which an address may well be another device's; that of a day's DHCP lease
KEPT_S = 90 * 86_400.0  # since it was seen last; who comes once a season is new again. A label keeps it
SAVED_S = 3600.0  # when a device was seen last is saved so often; 2,000 devices write 10 MB a day to the SD card


class KnownDevice(Struct, frozen=True):
    """A device. `addresses`: each with when it was seen last. `label`: what people call it; empty: nothing.

    `names`: what it calls itself, by where that was said.
    """

    mac: str
    first_s: float
    seen_s: float
    addresses: Mapping[str, float] = field(default_factory=dict)
    names: Mapping[NameSource, str] = field(default_factory=dict)
    label: str = ""

    @property
    def name(self) -> str:
        """The label, else what it calls itself; empty: neither is known."""
        return self.label or next((self.names[one] for one in NameSource if one in self.names), "")

    @property
    def current_addresses(self) -> Sequence[str]:
        """Its addresses: IPv4 first, link-local ones last, of each kind the newest first."""
        newest = sorted(self.addresses, key=lambda one: -self.addresses[one])
        return sorted(newest, key=lambda one: (ip_address(one).is_link_local, ip_address(one).version))

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """The least goes first where there is no room."""
        return bool(self.label), self.seen_s - self.first_s >= ESTABLISHED_S, self.seen_s


class RegisterChanges(NamedTuple):
    """What the disk lacks of a register. `began_s`: when it began to learn; `deleted`: hardware addresses."""

    began_s: float | None
    saved: Sequence[KnownDevice] = ()
    deleted: Sequence[str] = ()


class DeviceRegister:
    """The devices of one department."""

    def __init__(
        self,
        kept: Iterable[KnownDevice] = (),
        *,
        room: int,
        began_s: float | None = None,
        learning_s: float = LEARNING_S,
    ) -> None:
        """`began_s`: when it began to learn, `None`: it does with the first device. `learning_s`: how long it does."""
        self.began_s = began_s
        self._room, self._learning_s = room, learning_s
        self._devices = {one.mac: one for one in kept}
        self._owners = {address: one.mac for one in self._devices.values() for address in one.addresses}
        self._saved_s = {one.mac: one.seen_s for one in self._devices.values()}
        self._untold: dict[str, float] = {}
        self._unsaved: set[str] = set()
        self._gone: set[str] = set()
        self._taken_s: deque[float] = deque()
        self._told_s: deque[float] = deque()

    def devices(self) -> Sequence[KnownDevice]:
        """All of them, the one seen last first."""
        return sorted(self._devices.values(), key=lambda one: (-one.seen_s, one.mac))

    def device(self, asked: str) -> KnownDevice | None:
        """The device with this hardware address, or with this address; `None`: none is known."""
        return self._devices.get(self._owners.get(asked, asked))

    def is_learning(self, at_s: float) -> bool:
        """Whether it is being learned for the first time."""
        return self.began_s is None or at_s - self.began_s < self._learning_s

    def is_new(self, device: KnownDevice, at_s: float) -> bool:
        """Whether the device came after the register was learned, and lately."""
        return at_s - device.first_s < NEW_S and not self.is_learning(device.first_s)

    def meet(self, clue: Clue, at_s: float, now_s: float) -> None:
        """Takes what a frame or the kernel tells. `at_s`: when that was."""
        if self.began_s is None:
            self.began_s = now_s
        known = self._devices.get(clue.mac)
        if known is None:
            if not self._may_take(now_s):
                return
            known = KnownDevice(clue.mac, at_s, at_s)
            self._unsaved.add(clue.mac)
            self._gone.discard(clue.mac)
            if not self.is_learning(now_s):
                self._untold[clue.mac] = now_s
        found = replace(known, seen_s=max(known.seen_s, at_s))
        if clue.address:
            found = self._with_address(found, clue.address, at_s)
        if clue.name and found.names.get(clue.source) != clue.name:
            found = replace(found, names={**found.names, clue.source: clue.name})
            self._unsaved.add(clue.mac)
        self._devices[clue.mac] = found
        if len(self._devices) > self._room:
            self._forget(min(self._devices.values(), key=lambda one: one.rank).mac)

    def label(self, mac: str, label: str) -> KnownDevice:
        """Gives a device the name that people have for it; empty: takes it back. Raises `KeyError`."""
        self._devices[mac] = replace(self._devices[mac], label=label)
        self._unsaved.add(mac)
        return self._devices[mac]

    def newcomers(self, now_s: float) -> Sequence[KnownDevice]:
        """The new devices to tell of, each once, after it has had time to say its name."""
        due = [mac for mac, since_s in self._untold.items() if now_s - since_s >= INTRODUCTION_S]
        for mac in due:
            del self._untold[mac]
        while self._told_s and now_s - self._told_s[0] >= TOLD_WITHIN_S:
            self._told_s.popleft()
        told = due[: MOST_TOLD - len(self._told_s)]
        self._told_s.extend(now_s for _ in told)
        return [self._devices[mac] for mac in told]

    def changes(self, *, everything: bool = False) -> RegisterChanges | None:
        """What the disk lacks, but for devices that are yet to be told of; `None`: nothing.

        `everything`: also when a device was seen last, however lately that was saved.
        """
        least_s = 1.0 if everything else SAVED_S
        stale = {mac for mac, one in self._devices.items() if one.seen_s - self._saved_s.get(mac, 0.0) >= least_s}
        wanted = (self._unsaved | stale) - self._untold.keys()
        found = RegisterChanges(self.began_s, [self._devices[mac] for mac in sorted(wanted)], sorted(self._gone))
        return found if found.saved or found.deleted else None

    def mark_saved(self, changes: RegisterChanges) -> None:
        """Notes that this is on the disk now."""
        for one in changes.saved:
            self._unsaved.discard(one.mac)
            self._saved_s[one.mac] = one.seen_s
        for mac in changes.deleted:
            self._gone.discard(mac)

    def age(self, now_s: float) -> None:
        """Forgets what was not seen for long."""
        for mac in [one.mac for one in self._devices.values() if not one.label and now_s - one.seen_s >= KEPT_S]:
            self._forget(mac)

    def _may_take(self, now_s: float) -> bool:
        while self._taken_s and now_s - self._taken_s[0] >= TAKEN_WITHIN_S:
            self._taken_s.popleft()
        if len(self._taken_s) >= MOST_TAKEN and len(self._devices) >= self._room // 2:
            return False
        self._taken_s.append(now_s)
        return True

    def _with_address(self, device: KnownDevice, address: str, at_s: float) -> KnownDevice:
        """The device with this address, which is no other's any more unless that was seen with it later."""
        former = self._devices.get(self._owners.get(address, ""))
        if former is not None and former.mac != device.mac:
            if former.addresses[address] > at_s:
                return device
            self._devices[former.mac] = _without(former, [address])
            self._unsaved.add(former.mac)
        if address not in device.addresses:
            self._unsaved.add(device.mac)
        self._owners[address] = device.mac
        seen_s = {**device.addresses, address: max(at_s, device.addresses.get(address, at_s))}
        old = [one for one, last_s in seen_s.items() if last_s < at_s - ADDRESS_KEPT_S]
        if len(seen_s) - len(old) > MOST_ADDRESSES:
            old.append(min(seen_s, key=seen_s.__getitem__))
        for one in old:
            self._owners.pop(one, None)
        return _without(replace(device, addresses=seen_s), old)

    def _forget(self, mac: str) -> None:
        for address in self._devices.pop(mac).addresses:
            self._owners.pop(address, None)
        self._untold.pop(mac, None)
        self._unsaved.discard(mac)
        if self._saved_s.pop(mac, None) is not None:
            self._gone.add(mac)


def _without(device: KnownDevice, addresses: Sequence[str]) -> KnownDevice:
    kept = {one: seen_s for one, seen_s in device.addresses.items() if one not in addresses}
    return replace(device, addresses=kept)
