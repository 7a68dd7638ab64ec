"""Servers that devices trust unseen: who gives out addresses by DHCP, and who advertises itself as a router of IPv6.

A department's own are those that the configuration names; where it names none of a kind, those that were heard while
the department's devices were learned. Any other is a stranger: a router that somebody brought along, or who wants to
read what others send. An address alone proves nothing, so that one is known by its hardware address, too.
"""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from appliance.core.traffic.devices.dhcp import DhcpMessage
from appliance.core.traffic.devices.neighbour_discovery import NeighbourNotice

MOST_KNOWN = 32  # of a department; beyond, somebody makes them up


class ServerKind(StrEnum):
    """What a server is trusted for."""

    DHCP = "dhcp"
    ROUTER = "router"


class ServerSign(NamedTuple):
    """A server shows itself, or a client says whose offer it takes: then `mac` is empty, as nobody saw the server.

    `client`: whom it answered, empty for everybody; `offers`: what.
    """

    kind: ServerKind
    address: str
    mac: str
    client: str = ""
    offers: str = ""

    @property
    def key(self) -> "ServerKey":
        """Who it is."""
        return ServerKey(self.kind, self.address, self.mac)


class ServerKey(NamedTuple):
    """A server by its address and hardware address."""

    kind: ServerKind
    address: str
    mac: str


def sign_of_offer(message: DhcpMessage, mac: str) -> ServerSign:
    """The sign that a DHCP server's message is."""
    return ServerSign(ServerKind.DHCP, message.server, mac, message.mac, message.given)


def sign_of_choice(message: DhcpMessage) -> ServerSign:
    """The sign that a client's request is, with which it takes an offer."""
    return ServerSign(ServerKind.DHCP, message.chosen, "", message.mac, message.given)


def sign_of_advertisement(notice: NeighbourNotice) -> ServerSign:
    """The sign that a router's advertisement is."""
    offers = [f"the prefix {one}" for one in notice.prefixes[:3]]
    offers += [f"itself as the way out for {notice.lifetime_s} s"] if notice.lifetime_s else []
    return ServerSign(ServerKind.ROUTER, notice.address, notice.mac, "", " and ".join(offers) or "nothing")


class KnownServers:
    """The servers of one department. `allowed`: by kind, the IP or MAC addresses that the configuration names."""

    def __init__(self, allowed: Mapping[ServerKind, Collection[str]], kept: Iterable[ServerKey] = ()) -> None:
        self._allowed = allowed
        self._known = set(kept)

    def is_stranger(self, sign: ServerSign) -> bool:
        """Whether it is none of the department's."""
        allowed = self._allowed.get(sign.kind, ())
        if allowed:
            is_by_address = sign.mac or not all(map(_is_hardware_address, allowed))
            return bool(is_by_address) and not {sign.address, sign.mac} & {*allowed}
        macs = {one.mac for one in self._known if (one.kind, one.address) == (sign.kind, sign.address)} - {""}
        is_known = any((one.kind, one.address) == (sign.kind, sign.address) for one in self._known)
        return not is_known or bool(sign.mac and macs and sign.mac not in macs)

    def learn(self, sign: ServerSign) -> bool:
        """Takes a server for one of the department's; whether that is news. Where the configuration names some, not."""
        if self._allowed.get(sign.kind) or sign.key in self._known or len(self._known) >= MOST_KNOWN:
            return False
        self._known.add(sign.key)
        return True


def _is_hardware_address(text: str) -> bool:
    return text.count(":") == 5 and len(text) == 17
