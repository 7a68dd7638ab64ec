"""The values that cross the ports, the same from the real machine and from the simulator.

Counters are absolute, as the kernel keeps them; `core.metering.usage` makes differences of them. Absence is a value: an
interface that is gone is missing from the mapping, a sensor that is not there reads `None`.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import NamedTuple

from msgspec import Struct

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Position(StrEnum):
    """The appliance's place in the network; only `MIRROR` cannot enforce anything."""

    BRIDGE = "bridge"
    GATEWAY = "gateway"
    MIRROR = "mirror"
    HOST = "host"


class Counters(Struct, frozen=True):
    """The traffic of an interface since the kernel made it: L2 bytes and packets, 64 bits wide.

    `errors`: packets that arrived damaged or could not be sent. `drops`: whole ones that were given up.
    """

    rx_bytes: int
    tx_bytes: int
    rx_packets: int = 0
    tx_packets: int = 0
    errors: int = 0
    drops: int = 0


class Vlan(NamedTuple):
    """The VLAN of a subinterface. `trunk`: the interface that carries its frames, with this tag."""

    trunk: str
    tag: int


class Link(Struct, frozen=True):
    """One network interface. `up`: administratively up and with a carrier. `speed_bps`: negotiated, or `None`.

    `boot`: identifies the run of the kernel that counted; with every boot counters start at zero. `vlan`: of a VLAN's
    subinterface. `kind`: the kernel's name of a virtual one (`bridge`, `vlan`), else empty.
    """

    name: str
    index: int
    mac: str
    boot: str
    up: bool
    counters: Counters
    speed_bps: int | None = None
    master: str | None = None
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()
    kind: str = ""
    vlan: Vlan | None = None

    @property
    def identity(self) -> str:
        """Differs from that of an interface of the same name that was made later, or before a reboot."""
        return f"{self.boot}/{self.index}/{self.mac}"


def ports_of(used: Iterable[str], links: Mapping[str, Link]) -> list[Link]:
    """The computer's own ports, and what is `used` beside them: for a VLAN its trunk, which has the cable."""
    trunks = {link.vlan.trunk if (link := links.get(name)) and link.vlan else name for name in used}
    hardware = (name for name, link in links.items() if not link.kind and link.mac.strip("0:"))  # not the loopback
    return [links[name] for name in sorted({*trunks, *hardware}) if name in links]


def vlan_of(interface: str, links: Mapping[str, Link]) -> Vlan | None:
    """The VLAN of an interface; the kernel says so, not its name. `None`: it has none, or does not exist."""
    link = links.get(interface)
    return link.vlan if link else None


def tags_on(trunk: str, vlans: Iterable[Vlan | None]) -> frozenset[int]:
    """The tags of those VLANs whose frames this interface carries too."""
    return frozenset(one.tag for one in vlans if one is not None and one.trunk == trunk)


class Sighting(Struct, frozen=True):
    """A device that the kernel knows on a link (neighbour table, bridge port), last confirmed `age_s` seconds ago."""

    interface: str
    mac: str
    age_s: float
    address: Address | None = None


class NextHop(NamedTuple):
    """The router that a route leads to, and the interface that it is at."""

    interface: str
    address: Address


class Connection(NamedTuple):
    """One tracked connection, by the addresses of its first packet. A tuple, because there are tens of thousands."""

    source: str
    destination: str


class MachineSigns(Struct, frozen=True, kw_only=True):
    """What the kernel says of the computer's own hardware and tables; `None`: it cannot be read here.

    `undervoltage`: the supply has dropped since the kernel last looked. `throttled`: the processor is held back.
    `card_used_percent`: of the life that the medium's maker gives it. `card_spare`: of its spare blocks, 1 enough, 2
    few, 3 hardly any. `card_written_bytes`: since boot. `state_is_read_only`: so is the file system of the state.
    `connections`: that the kernel tracks, of at most `most_connections`. `clock_is_kept`: by a time server.
    """

    undervoltage: bool | None = None
    throttled: bool | None = None
    card_used_percent: int | None = None
    card_spare: int | None = None
    card_bytes: int | None = None
    card_written_bytes: int | None = None
    state_is_read_only: bool | None = None
    connections: int | None = None
    most_connections: int | None = None
    clock_is_kept: bool | None = None


NO_SIGNS = MachineSigns()


class Vitals(Struct, frozen=True):
    """Load, temperature, memory and storage of the computer itself. `cpu_temperature_c`: `None`: no sensor."""

    cpu_percent: float
    cpu_temperature_c: float | None
    memory_used_bytes: int
    memory_total_bytes: int
    storage_used_bytes: int
    storage_total_bytes: int
    signs: MachineSigns = NO_SIGNS


class Frame(Struct, frozen=True):
    """A captured Ethernet frame, possibly cut at the capture's snap length."""

    interface: str
    data: bytes


class Press(StrEnum):
    """How the button was pressed."""

    SHORT = "short"
    HELD = "held"
    LONG = "long"  # held on after that: it asks for a reset, which a short one confirms


class Light(StrEnum):
    """The state of one LED."""

    OFF = "off"
    ON = "on"
    SLOW = "slow"  # one second on, one off
    FAST = "fast"  # five times a second
    FLASH = "one flash"  # each two seconds, as the following
    TWICE = "two flashes"
    THRICE = "three flashes"
    DIP = "goes out"  # for a moment each two seconds


class Lights(Struct, frozen=True):
    """The state of the three LEDs. `brightness`: of the activity LED while it is on, from 0 to 1."""

    status: Light
    alert: Light
    activity: Light
    brightness: float = 1.0


class Facing(StrEnum):
    """Which way the interface faces: that decides which direction is `up`."""

    DEPARTMENT = "department"  # the department is behind it: what comes in is up
    SELF = "self"  # the department is this computer: what goes out is up
    MIRRORED = "mirrored"  # both directions come in: the networks tell which is which


class Spot(NamedTuple):
    """One side of an interface. `interface`: its index; `is_outward`: where packets go out, else where they come in."""

    interface: int
    is_outward: bool
