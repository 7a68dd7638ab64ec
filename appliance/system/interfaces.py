"""The kernel's network interfaces, by pyroute2 over rtnetlink: state, addresses and 64-bit counters.

One dump of all links and one of all addresses make a reading, about 3 ms together, so it is consistent enough and cheap
enough for once a second. A link's negotiated speed takes another question for each interface (1 ms): it is asked only
when a link is new or has come up, because it cannot change without the carrier going away.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute
from pyroute2.ethtool import Ethtool
from pyroute2.ethtool.ioctl import EthtoolError
from pyroute2.netlink.exceptions import NetlinkError

from appliance.core.machine import Counters, Link

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

IFF_UP = 0x1  # linux/if.h: administratively up
NLM_F_DUMP_INTR = 0x10  # linux/netlink.h: the list changed while it was read, so an entry may be missing
DUMP_ATTEMPTS = 5  # a list changes for milliseconds while interfaces come and go; the last answer counts anyhow
CARRIED_STATES = ("UP", "UNKNOWN")  # RFC 2863; drivers that do not tell (loopback, PPP) stay at UNKNOWN
SPEED_UNKNOWN_MBIT = 0xFFFF_FFFF  # linux/ethtool.h: SPEED_UNKNOWN

Address = IPv4Interface | IPv6Interface


class RtnetlinkInterfaces:
    """`ports.Interfaces` of the network namespace in which it was made."""

    def __init__(self) -> None:
        self._boot = BOOT_ID.read_text().strip()
        self._rtnetlink = IPRoute()
        self._ethtool = Ethtool()
        self._speeds: dict[tuple[str, bool], int | None] = {}  # by identity and whether it was up

    def links(self) -> Mapping[str, Link]:
        """Every interface that exists now, by name, with absolute counters."""
        addresses = _addresses_by_index(_whole_dump(self._rtnetlink.get_addr))
        answers = _whole_dump(self._rtnetlink.get_links)
        names = {answer["index"]: answer.get_attr("IFLA_IFNAME") for answer in answers}
        links = {}
        speeds = {}
        for answer in answers:
            link = _link(answer, self._boot, names, addresses.get(answer["index"], ()))
            key = link.identity, link.up
            speeds[key] = self._speeds[key] if key in self._speeds else self._ask_speed_bps(link.name)
            links[link.name] = replace(link, speed_bps=speeds[key])
        self._speeds = speeds
        return links

    def close(self) -> None:
        """Give the sockets back."""
        self._rtnetlink.close()
        self._ethtool.close()

    def _ask_speed_bps(self, name: str) -> int | None:
        try:
            speed_mbit = self._ethtool.get_link_mode(name).speed
        except (EthtoolError, NetlinkError, OSError):  # it has no speed (loopback, WLAN), or has just vanished
            return None
        return None if speed_mbit in (None, 0, SPEED_UNKNOWN_MBIT) else speed_mbit * 1_000_000


def _whole_dump(ask: Any) -> list[Any]:
    # pyroute2 does not look at the flag; an interface that is missing by accident would be charged twice on return.
    for _ in range(DUMP_ATTEMPTS):
        answers = list(ask())
        if not any(answer["header"]["flags"] & NLM_F_DUMP_INTR for answer in answers):
            break
    return answers


def _addresses_by_index(answers: Iterable[Any]) -> dict[int, tuple[Address, ...]]:
    found: dict[int, tuple[Address, ...]] = {}
    for answer in answers:
        # On a point-to-point link IFA_ADDRESS is the peer; IPv6 sends no IFA_LOCAL elsewhere.
        own = answer.get_attr("IFA_LOCAL") or answer.get_attr("IFA_ADDRESS")
        address = ip_interface(f"{own}/{answer['prefixlen']}")
        found[answer["index"]] = (*found.get(answer["index"], ()), address)
    return found


def _link(answer: Any, boot: str, names: Mapping[int, str], addresses: tuple[Address, ...]) -> Link:
    counted = answer.get_attr("IFLA_STATS64")
    is_carried = bool(answer.get_attr("IFLA_CARRIER")) and answer.get_attr("IFLA_OPERSTATE") in CARRIED_STATES
    return Link(
        name=answer.get_attr("IFLA_IFNAME"),
        index=answer["index"],
        mac=answer.get_attr("IFLA_ADDRESS") or "",  # a tunnel has none
        boot=boot,
        up=bool(answer["flags"] & IFF_UP) and is_carried,
        counters=Counters(
            rx_bytes=counted["rx_bytes"],
            tx_bytes=counted["tx_bytes"],
            rx_packets=counted["rx_packets"],
            tx_packets=counted["tx_packets"],
        ),
        master=names.get(answer.get_attr("IFLA_MASTER")),
        addresses=addresses,
    )
