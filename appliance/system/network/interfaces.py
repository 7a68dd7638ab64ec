"""Reads the kernel's network interfaces by pyroute2 over rtnetlink: state, addresses and 64-bit counters.

A reading asks for the counters alone, and takes them out of the kernel's answer itself: two readings a second by
pyroute2 were a tenth of all that an idle service computes. Links and addresses take four times as long, during which
clients wait: they are read only after the kernel has sent notice of a change. It does so within a second of a lost
carrier (net/core/link_watch.c). For a link's negotiated speed, its driver may ask the adapter, by USB for milliseconds:
it is read only when a link is new or has come up, because it cannot change while the carrier stays.
"""

import errno
import os
import socket
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from struct import Struct
from typing import Any

from msgspec.structs import replace
from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.rtnl import RTM_GETSTATS, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR, RTMGRP_LINK

from appliance.core.kernel.netlink import (
    DONE,
    DUMP,
    ERROR,
    HEADER,
    INTERRUPTED,
    REQUEST,
    attributes,
    error_number,
    messages,
)
from appliance.core.machine import Counters, Link, Vlan
from appliance.system.network.link_speed import LinkSpeeds

IFF_UP = 0x1  # linux/if.h: administratively up
DUMP_ATTEMPTS = 5  # a list changes for milliseconds while interfaces come and go; then the last answer has to do
CARRIED_STATES = ("UP", "UNKNOWN")  # RFC 2863; drivers that do not report it (loopback, PPP) stay at UNKNOWN
VLAN = "vlan"  # net/8021q/vlan_netlink.c: its kind, whatever its name is

LARGEST_BYTES = 1 << 16  # of a notice; a longer one is cut, but its content is not read
# linux/if_link.h: struct if_stats_msg (family, padding, index, filter); IFLA_STATS_LINK_64 and its bit in the filter;
# the begin of struct rtnl_link_stats64 (packets, bytes, errors and drops, each received and sent).
STATISTICS, COUNTED, COUNTERS = Struct("=BxxxII"), 1, Struct("=8Q")

Address = IPv4Interface | IPv6Interface


class RtnetlinkInterfaces:
    """`ports.Interfaces` of the network namespace in which it was made."""

    def __init__(self, boot: str) -> None:
        """`boot`: the kernel's name of this boot, part of a link's identity."""
        self._boot = boot
        self._changes = _Changes()  # before the first look
        self._rtnetlink = IPRoute()
        self._counters = _CounterReader()
        self._link_speeds = LinkSpeeds()
        self._known: Mapping[int, Link] | None = None  # by index; their counters are of when they were looked at
        self._speeds: dict[tuple[str, bool], int | None] = {}  # by identity and whether it was up

    def links(self) -> Mapping[str, Link]:
        """Every interface that exists now, by name, with absolute counters."""
        counted = self._counters.read()
        # A change during this look leads to another look the next time.
        if self._changes.are_there() or self._known is None:
            self._known = self._look()
        known = ((counted.get(index), link) for index, link in self._known.items())
        return {link.name: replace(link, counters=counters) for counters, link in known if counters is not None}

    def close(self) -> None:
        self._changes.close()
        self._counters.close()
        self._rtnetlink.close()
        self._link_speeds.close()

    def _look(self) -> Mapping[int, Link]:
        addresses = _addresses_by_index(_whole_dump(self._rtnetlink.get_addr))
        answers = _whole_dump(self._rtnetlink.get_links)
        names = {answer["index"]: answer.get_attr("IFLA_IFNAME") for answer in answers}
        links = [_link(answer, self._boot, names, addresses.get(answer["index"], ())) for answer in answers]
        self._speeds = {key: self._speed_bps(key, link.name) for link in links for key in [(link.identity, link.up)]}
        return {link.index: replace(link, speed_bps=self._speeds[link.identity, link.up]) for link in links}

    def _speed_bps(self, key: tuple[str, bool], name: str) -> int | None:
        return self._speeds[key] if key in self._speeds else self._link_speeds.speed_bps(name)


class _CounterReader:
    """Reads the counters of all interfaces, by their index."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        asked = STATISTICS.pack(0, 0, COUNTED)
        self._question = HEADER.pack(HEADER.size + len(asked), RTM_GETSTATS, REQUEST | DUMP, 0, 0) + asked

    def read(self) -> Mapping[int, Counters]:
        """The counters as they are now. Raises `OSError`."""
        for _ in range(DUMP_ATTEMPTS):
            found, is_whole = self._dump()
            if is_whole:
                break
        return found

    def close(self) -> None:
        self._socket.close()

    def _dump(self) -> tuple[dict[int, Counters], bool]:
        """One listing, and whether nothing changed while it was made."""
        self._socket.send(self._question)
        found: dict[int, Counters] = {}
        is_whole = True
        while True:
            for kind, flags, _, body in messages(self._socket.recv(LARGEST_BYTES)):
                is_whole = is_whole and not flags & INTERRUPTED
                if kind == DONE:
                    return found, is_whole
                if kind == ERROR:
                    code = error_number(body)
                    raise OSError(code, os.strerror(code))
                _, index, _ = STATISTICS.unpack_from(body)
                received, sent, *rest = COUNTERS.unpack_from(attributes(body[STATISTICS.size :])[COUNTED])
                rx_bytes, tx_bytes, rx_errors, tx_errors, rx_drops, tx_drops = rest
                sums = {"errors": rx_errors + tx_errors, "drops": rx_drops + tx_drops}
                found[index] = Counters(rx_bytes, tx_bytes, received, sent, **sums)


class _Changes:
    """Receives the kernel's notices of changed links and addresses; their content is not read."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.bind((0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))

    def are_there(self) -> bool:
        """Whether a notice has come since the previous call."""
        found = False
        while True:
            try:
                self._socket.recv(LARGEST_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # there were more than the socket holds
                    raise
            found = True

    def close(self) -> None:
        self._socket.close()


def _whole_dump(ask: Any) -> list[Any]:
    # pyroute2 does not look at the flag, by which an entry may be missing; an interface that is missing by accident
    # would be charged twice on return.
    for _ in range(DUMP_ATTEMPTS):
        answers = list(ask())
        if not any(answer["header"]["flags"] & INTERRUPTED for answer in answers):
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


def _as_counters(shown: Mapping[str, int]) -> Counters:
    return Counters(
        shown["rx_bytes"],
        shown["tx_bytes"],
        shown["rx_packets"],
        shown["tx_packets"],
        errors=shown["rx_errors"] + shown["tx_errors"],
        drops=shown["rx_dropped"] + shown["tx_dropped"],
    )


def _kind(answer: Any) -> str:
    described = answer.get_attr("IFLA_LINKINFO")
    return (described.get_attr("IFLA_INFO_KIND") or "") if described else ""


def _link(answer: Any, boot: str, names: Mapping[int, str], addresses: tuple[Address, ...]) -> Link:
    is_carried = bool(answer.get_attr("IFLA_CARRIER")) and answer.get_attr("IFLA_OPERSTATE") in CARRIED_STATES
    kind = _kind(answer)
    return Link(
        name=answer.get_attr("IFLA_IFNAME"),
        index=answer["index"],
        mac=answer.get_attr("IFLA_ADDRESS") or "",  # a tunnel has none
        boot=boot,
        up=bool(answer["flags"] & IFF_UP) and is_carried,
        counters=_as_counters(answer.get_attr("IFLA_STATS64")),
        master=names.get(answer.get_attr("IFLA_MASTER")),
        addresses=addresses,
        kind=kind,
        vlan=_vlan(answer, names) if kind == VLAN else None,
    )


def _vlan(answer: Any, names: Mapping[int, str]) -> Vlan | None:
    data, trunk = answer.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA"), names.get(answer.get_attr("IFLA_LINK"))
    tag = data.get_attr("IFLA_VLAN_ID") if data else None
    # A trunk in another network namespace has no name here, and no department either.
    return Vlan(trunk, tag) if trunk is not None and tag is not None else None
