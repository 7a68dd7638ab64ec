"""Finds the gateways and name servers of this computer in the files of the kernel and of the resolver.

`/proc/net/route` and `/proc/net/ipv6_route` show the routes, `resolv.conf` the servers, and that of systemd-resolved
those behind its own. Missing files and other lines are skipped.
"""

import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from appliance.core.blocking.protection import Protected, protected_host
from appliance.core.machine import NextHop

ROUTES_V4, ROUTES_V6 = Path("/proc/net/route"), Path("/proc/net/ipv6_route")
RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
GATEWAY = "it is the appliance's gateway"
NAME_SERVER = "it is a name server that the appliance asks"
MOST_LINES = 1000  # a router of the whole Internet has a million; its gateway to everywhere is among the first


class LinuxUpstream:
    """`ports.Surroundings` of the network namespace that the process is in."""

    def __init__(self, resolvers: Iterable[Path] = RESOLVERS) -> None:
        self._resolvers = tuple(resolvers)

    def essentials(self) -> Sequence[Protected]:
        """The gateways and name servers in use now."""
        return [
            *(protected_host(address, GATEWAY) for address in self.gateways()),
            *(protected_host(address, NAME_SERVER) for address in self._name_servers()),
        ]

    @staticmethod
    def next_hops() -> Sequence[NextHop]:
        """The next hops of all routes."""
        return list({*_next_hops_v4(), *_next_hops_v6()})

    def names(self) -> Sequence[str]:
        """The host name, alone, in each of the resolver's domains, and in that of multicast DNS."""
        name = socket.gethostname().lower()
        host = name.partition(".")[0]
        domains = [
            domain.lower().rstrip(".")
            for path in self._resolvers
            for fields in _lines(path)
            if fields and fields[0] in {"domain", "search"}
            for domain in fields[1:]
        ]
        return [name, *(f"{host}.{domain}" for domain in ("local", *domains) if domain)]

    @staticmethod
    def gateways() -> Iterator[IPv4Address | IPv6Address]:
        """The next hops of the default routes."""
        for fields in _lines(ROUTES_V4):
            # Interface, destination, gateway, in the machine's byte order.
            if len(fields) > 7 and fields[1] == "00000000" and fields[2] not in {"00000000", "Gateway"}:
                yield IPv4Address(int.from_bytes(bytes.fromhex(fields[2]), sys.byteorder))
        for fields in _lines(ROUTES_V6):
            # Destination and its length, source and its length, next hop.
            if len(fields) > 9 and fields[1] == "00" and int(fields[4], 16):
                yield IPv6Address(int(fields[4], 16))

    @staticmethod
    def uplinks() -> Iterator[str]:
        """The interfaces of the default routes; the kernel's own route to nowhere is on `lo`."""
        for fields in _lines(ROUTES_V4):
            if len(fields) > 7 and fields[1] == fields[7] == "00000000" and fields[0] != "lo":
                yield fields[0]
        for fields in _lines(ROUTES_V6):
            if len(fields) > 9 and fields[1] == "00" and not int(fields[0], 16) and fields[9] != "lo":
                yield fields[9]

    def _name_servers(self) -> Iterator[IPv4Address | IPv6Address]:
        for fields in (fields for path in self._resolvers for fields in _lines(path)):
            if len(fields) > 1 and fields[0] == "nameserver":
                try:
                    yield ip_address(fields[1].partition("%")[0])
                except ValueError:
                    continue


def _next_hops_v4() -> Iterator[NextHop]:
    for fields in _lines(ROUTES_V4):
        if len(fields) > 7 and fields[2] not in {"00000000", "Gateway"}:
            yield NextHop(fields[0], IPv4Address(int.from_bytes(bytes.fromhex(fields[2]), sys.byteorder)))


def _next_hops_v6() -> Iterator[NextHop]:
    for fields in _lines(ROUTES_V6):
        if len(fields) > 9 and int(fields[4], 16):
            yield NextHop(fields[9], IPv6Address(int(fields[4], 16)))


def _lines(path: Path) -> Iterator[list[str]]:
    try:
        with path.open(errors="replace") as file:
            for _, line in zip(range(MOST_LINES), file, strict=False):
                yield line.split()
    except OSError:
        return
