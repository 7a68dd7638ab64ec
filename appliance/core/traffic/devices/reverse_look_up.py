"""Reverse look-ups (RFC 1035 section 3.5): the names that the network's own name server has for addresses.

Nobody is asked: what counts is the answer to a question that a host has asked, from a name server at a private address.
One on the Internet does not know the department's devices, and would name them as anybody likes.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from appliance.core.traffic.devices.clue import name_in
from appliance.core.traffic.dns import PTR, look_ups_in
from appliance.core.traffic.packet import UDP, Packet
from appliance.core.traffic.questions import OpenQuestions

_ZONE = b"\x04arpa\x00"  # of all such names, as it is in each such message
_IPV4, _IPV6 = ".in-addr.arpa", ".ip6.arpa"
_NIBBLES = 32


class NamedAddress(NamedTuple):
    """An address, and the name that the network's name server has for it."""

    address: str
    name: str


class ReverseLookUps:
    """The questions that hosts have asked for names of addresses; `now_s` is monotonic."""

    def __init__(self) -> None:
        self._questions = OpenQuestions()

    def read(self, packet: Packet, now_s: float) -> Iterator[NamedAddress]:
        """The names in this packet, each answered as it was asked."""
        if packet.protocol != UDP or _ZONE not in packet.payload:  # who asks so over TCP is rare
            return
        for asked, message in look_ups_in(packet):
            if asked.kind != PTR:
                continue
            if not message.is_answer:
                self._questions.note(asked, now_s)
            elif self._questions.take(asked, now_s) and ip_address(asked.server).is_private:
                address, name = address_in(asked.name), name_in(message.pointer().encode())
                # A name that is made from the address says nothing more.
                if address and name and address.replace(".", "-") not in name:
                    yield NamedAddress(address, name)


def address_in(name: str) -> str:
    """The address whose name is asked for by this one; empty: it is none."""
    try:
        if name.endswith(_IPV4):
            return str(IPv4Address(".".join(reversed(name.removesuffix(_IPV4).split(".")))))
        nibbles = name.removesuffix(_IPV6).split(".")
        if name.endswith(_IPV6) and len(nibbles) == _NIBBLES and all(len(one) == 1 for one in nibbles):
            return str(IPv6Address(int("".join(reversed(nibbles)), 16)))
    except ValueError:
        pass
    return ""
