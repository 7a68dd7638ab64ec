"""What the kernel's packet filter shows of one table, read by netlink and nothing else.

libnftables reads the whole ruleset for each listing, other programs' and blocks too. Here the kernel is asked for one
thing at a time: 130 counters cost a millisecond, a set's element some microseconds.

The messages are those of linux/netfilter/nf_tables.h: each an attribute tree in network byte order. A dump that the
ruleset changed under says so and is asked for again.
"""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from fcntl import ioctl
from struct import Struct

NETLINK_NETFILTER = 12  # linux/netlink.h
NFPROTO_NETDEV = 5  # linux/netfilter.h
SUBSYSTEM = 10 << 8  # linux/netfilter/nfnetlink.h: NFNL_SUBSYS_NFTABLES
GET_TABLE, GET_CHAIN, GET_RULE, GET_SET, GET_ELEMENTS, GET_OBJECT = 1, 4, 7, 10, 13, 19
OBJECT_KINDS = {1: "counter", 2: "quota", 4: "limit"}  # NFT_OBJECT_*
COUNTER, QUOTA = 1, 2
ERROR, DONE = 2, 3  # NLMSG_*
REQUEST, DUMP, INTERRUPTED = 0x1, 0x300, 0x10  # NLM_F_*
LARGEST_BYTES = 1 << 16  # of what one receive returns; the kernel fills at most 32 KiB
MOST_ATTEMPTS = 10  # a ruleset that changes under each of them is not worth waiting for

HEADER = Struct("=IHHII")  # length, type, flags, sequence, port
FAMILY = Struct("=BBH")
ATTRIBUTE = Struct("=HH")
INTERFACE_REQUEST = Struct("=16s24x")  # linux/if.h: struct ifreq
GET_INDEX = 0x8933  # linux/sockios.h: SIOCGIFINDEX
TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER


class Nfnetlink:
    """Reads one table of the `netdev` family, in the network namespace in which it was made."""

    def __init__(self, table: str) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._table = _text(table)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def has_interface(self, name: str) -> bool:
        """Whether there is an interface of this name."""
        try:
            ioctl(self._socket, GET_INDEX, INTERFACE_REQUEST.pack(name.encode()))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            return False
        return True

    def table_handle(self) -> int | None:
        """The table's handle, which no other table since the boot has had; `None`: the table is not there."""
        for message in self._ask(GET_TABLE, _attribute(1, self._table), flags=REQUEST):
            return int.from_bytes(_attributes(message)[4], "big")
        return None

    def counters(self) -> dict[str, tuple[int, int, int]]:
        """By name, each counter's handle, which no other object of the table ever has, its bytes and its packets."""
        return {name: (handle, _number(data, 1), _number(data, 2)) for name, handle, data in self._objects(COUNTER)}

    def quotas(self) -> dict[str, tuple[int, int]]:
        """By name, the bytes that each quota has seen, which the kernel shows up to the limit only, and the limit."""
        return {name: (_number(data, 4), _number(data, 1)) for name, _, data in self._objects(QUOTA)}

    def objects(self) -> dict[str, str]:
        """By name, the kind of each object of the table: `counter`, `quota`, `limit`, `set`."""
        request = _attribute(1, self._table)
        listed = (_attributes(message) for message in self._ask(GET_OBJECT, request))
        objects = {_name(found[2]): OBJECT_KINDS[_number(found, 3)] for found in listed}
        return objects | dict.fromkeys(self.sets(), "set")

    def sets(self) -> set[str]:
        """The names of the table's sets that have one."""
        listed = (_attributes(message) for message in self._ask(GET_SET, _attribute(1, self._table)))
        return {name for found in listed if not (name := _name(found[2])).startswith("__")}

    def chains(self) -> dict[str, int]:
        """By name, how many rules are in each chain of the table or lead to it."""
        listed = (_attributes(message) for message in self._ask(GET_CHAIN, _attribute(1, self._table)))
        return {_name(found[3]): _number(found, 6) for found in listed if found[1] == self._table}

    def counted(self, name: str) -> Iterator[tuple[bytes, int, int]]:
        """Of a set whose elements count: each key, its bytes and its packets; nothing where the set is not there."""
        request = _attribute(1, self._table) + _attribute(2, _text(name))
        for message in self._ask(GET_ELEMENTS, request):
            for element in _list(_attributes(message).get(3, b"")):
                found = _attributes(element)
                if 7 not in found:
                    continue  # somebody else's: it counts nothing
                data = _attributes(_attributes(found[7])[2])
                yield _attributes(found[1])[1], _number(data, 1), _number(data, 2)

    def _objects(self, kind: int) -> Iterator[tuple[str, int, dict[int, bytes]]]:
        request = _attribute(1, self._table) + _attribute(3, kind.to_bytes(4, "big"))
        for message in self._ask(GET_OBJECT, request):
            found = _attributes(message)
            yield _name(found[2]), int.from_bytes(found[6], "big"), _attributes(found[4])

    def _ask(self, kind: int, request: bytes, flags: int = REQUEST | DUMP) -> list[bytes]:
        """The attributes of each message of the answer; empty where what was asked for is not there."""
        length = HEADER.size + FAMILY.size + len(request)
        header = HEADER.pack(length, SUBSYSTEM | kind, flags, 0, 0)
        for _ in range(MOST_ATTEMPTS):
            self._socket.send(header + FAMILY.pack(NFPROTO_NETDEV, 0, 0) + request)
            answer, interrupted = self._receive(to_the_end=bool(flags & DUMP))
            if not interrupted:
                break
        return answer

    def _receive(self, *, to_the_end: bool) -> tuple[list[bytes], bool]:
        answer: list[bytes] = []
        interrupted = False
        while True:
            received = self._socket.recv(LARGEST_BYTES)
            at = 0
            while at < len(received):
                length, kind, flags, _, _ = HEADER.unpack_from(received, at)
                interrupted |= bool(flags & INTERRUPTED)
                if kind == DONE:
                    return answer, interrupted
                if kind == ERROR:
                    _raise_unless_absent(received, at + HEADER.size)
                    return [], False
                answer.append(received[at + HEADER.size + FAMILY.size : at + length])
                at += (length + 3) & ~3
            if not to_the_end:
                return answer, False


def _raise_unless_absent(received: bytes, at: int) -> None:
    number = -int.from_bytes(received[at : at + 4], sys.byteorder, signed=True)
    if number != errno.ENOENT:
        raise OSError(number, os.strerror(number))


def _attributes(tree: bytes) -> dict[int, bytes]:
    """One level of an attribute tree, by type."""
    found = {}
    at, end = 0, len(tree)
    while at < end:
        length, kind = ATTRIBUTE.unpack_from(tree, at)
        found[kind & TYPE_MASK] = tree[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def _list(tree: bytes) -> Iterator[bytes]:
    """The members of an attribute that holds many of one type."""
    at, end = 0, len(tree)
    while at < end:
        length, _ = ATTRIBUTE.unpack_from(tree, at)
        yield tree[at + 4 : at + length]
        at += (length + 3) & ~3


def _attribute(kind: int, payload: bytes) -> bytes:
    length = ATTRIBUTE.size + len(payload)
    return ATTRIBUTE.pack(length, kind) + payload + bytes(-length % 4)


def _number(found: dict[int, bytes], kind: int) -> int:
    return int.from_bytes(found[kind], "big")


def _text(name: str) -> bytes:
    return name.encode() + b"\0"


def _name(value: bytes) -> str:
    return value.rstrip(b"\0").decode()
