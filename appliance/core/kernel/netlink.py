"""Reads and builds netlink messages and their attribute trees (linux/netlink.h), without a socket.

Numbers are in network byte order where the packet filter wants it.
"""

import sys
from collections.abc import Iterator
from struct import Struct

NETLINK_NETFILTER = 12  # linux/netlink.h
NFPROTO_NETDEV = 5  # linux/netfilter.h
NFTABLES = 10  # linux/netfilter/nfnetlink.h: NFNL_SUBSYS_NFTABLES, the upper byte of its messages' types

HEADER = Struct("=IHHII")  # length, type, flags, sequence, port
FAMILY = Struct("!BBH")  # linux/netfilter/nfnetlink.h: struct nfgenmsg
ATTRIBUTE = Struct("=HH")
NESTED = 0x8000
TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
ERROR, DONE = 2, 3  # NLMSG_*
REQUEST, ACK, DUMP, CREATE, INTERRUPTED = 0x1, 0x4, 0x300, 0x400, 0x10  # NLM_F_*

GET_INDEX = 0x8933  # linux/sockios.h: SIOCGIFINDEX, an ioctl of any socket
INTERFACE_REQUEST = Struct("=16si20x")  # linux/if.h: struct ifreq: name, index


def attributes(tree: bytes) -> dict[int, bytes]:
    """The attributes of one level of a tree, by type."""
    # One plain loop, as a second's reading has thousands of attributes: a generator takes twice as long.
    found: dict[int, bytes] = {}
    at, end, unpack = 0, len(tree), ATTRIBUTE.unpack_from
    while at < end:
        length, kind = unpack(tree, at)
        found[kind & TYPE_MASK] = tree[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def members(tree: bytes) -> Iterator[bytes]:
    """The members of an attribute that is a list."""
    at = 0
    while at < len(tree):
        length, _ = ATTRIBUTE.unpack_from(tree, at)
        yield tree[at + 4 : at + length]
        at += (length + 3) & ~3


def attribute(kind: int, payload: bytes) -> bytes:
    """Build one attribute, padded."""
    length = ATTRIBUTE.size + len(payload)
    return ATTRIBUTE.pack(length, kind) + payload + bytes(-length % 4)


def number(found: dict[int, bytes], kind: int) -> int:
    """The number in an attribute of this type."""
    return int.from_bytes(found[kind], "big")


def text(name: str) -> bytes:
    """Encode a name."""
    return name.encode() + b"\0"


def name_in(value: bytes) -> str:
    """Decode a name."""
    return value.rstrip(b"\0").decode()


def error_number(body: bytes) -> int:
    """The errno of an `ERROR` message, from what follows its header; 0: it is an acknowledgement."""
    return -int.from_bytes(body[:4], sys.byteorder, signed=True)


def message(kind: int, flags: int, family: int, payload: bytes, *, resource: int = 0) -> bytes:
    """Build one message to the packet filter."""
    length = HEADER.size + FAMILY.size + len(payload)
    return HEADER.pack(length, kind, flags, 0, 0) + FAMILY.pack(family, 0, resource) + payload


def messages(received: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Split received bytes into messages: type, flags, sequence number, and the bytes behind the header."""
    at = 0
    while at < len(received):
        length, kind, flags, sequence, _ = HEADER.unpack_from(received, at)
        yield kind, flags, sequence, received[at + HEADER.size : at + length]
        at += (length + 3) & ~3
