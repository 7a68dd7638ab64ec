"""Reads one table of the kernel's packet filter by netlink.

libnftables reads the whole ruleset for each listing, that of other programs and all blocks included. Here the kernel is
asked for one kind of object at a time: 130 counters cost a millisecond, an element of a set some microseconds.

The messages are those of linux/netfilter/nf_tables.h: each an attribute tree in network byte order. The kernel marks a
dump as interrupted when the ruleset changed meanwhile; it is then asked for again.
"""

import errno
import os
import socket
from collections.abc import Iterator
from fcntl import ioctl

from appliance.core.kernel.netlink import (
    DONE,
    DUMP,
    ERROR,
    FAMILY,
    GET_INDEX,
    INTERFACE_REQUEST,
    INTERRUPTED,
    NETLINK_NETFILTER,
    NFPROTO_NETDEV,
    NFTABLES,
    REQUEST,
    attribute,
    attributes,
    error_number,
    members,
    message,
    messages,
    name_in,
    number,
    text,
)

GET_TABLE, GET_CHAIN, GET_SET, GET_ELEMENTS, GET_OBJECT = 1, 4, 10, 13, 19  # NFT_MSG_GET*
OBJECT_KINDS = {1: "counter", 2: "quota", 4: "limit"}  # NFT_OBJECT_*
COUNTER, QUOTA = 1, 2
LARGEST_BYTES = 1 << 16  # of what one receive returns; the kernel fills at most 32 KiB
# Two milliseconds' reading. For each portion the kernel walks an interval set from its beginning again, so that half
# as much costs twice as much; of itself it fills NLMSG_GOODSIZE, which is half of this.
PORTION_BYTES = 1 << 14
MOST_ATTEMPTS = 10  # a ruleset that changes under each of them is not worth waiting for


class Nfnetlink:
    """Reads one table of the `netdev` family, in the network namespace in which it was made."""

    def __init__(self, table: str) -> None:
        self._socket, self._listing = (
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) for _ in range(2)
        )
        self._table = text(table)

    def close(self) -> None:
        """Give the sockets back."""
        self._socket.close()
        self._listing.close()

    def has_interface(self, name: str) -> bool:
        """Whether there is an interface of this name."""
        try:
            ioctl(self._socket, GET_INDEX, INTERFACE_REQUEST.pack(name.encode(), 0))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            return False
        return True

    def table_handle(self) -> int | None:
        """The table's handle, which no other table since the boot has had; `None`: the table is not there."""
        for answer in self._ask(GET_TABLE, attribute(1, self._table), flags=REQUEST):
            return int.from_bytes(attributes(answer)[4], "big")
        return None

    def counters(self) -> dict[str, tuple[int, int, int]]:
        """By name, each counter's handle, which no other object of the table ever has, its bytes and its packets."""
        return {name: (handle, number(data, 1), number(data, 2)) for name, handle, data in self._objects(COUNTER)}

    def quotas(self) -> dict[str, tuple[int, int]]:
        """By name, the bytes that each quota has seen, which the kernel shows up to the limit only, and the limit."""
        return {name: (number(data, 4), number(data, 1)) for name, _, data in self._objects(QUOTA)}

    def objects(self) -> dict[str, str]:
        """By name, the kind of each object of the table: `counter`, `quota`, `limit`, `set`."""
        request = attribute(1, self._table)
        listed = (attributes(answer) for answer in self._ask(GET_OBJECT, request))
        objects = {name_in(found[2]): OBJECT_KINDS[number(found, 3)] for found in listed}
        return objects | dict.fromkeys(self.sets(), "set")

    def sets(self) -> set[str]:
        """The names of the table's sets that have one."""
        listed = (attributes(answer) for answer in self._ask(GET_SET, attribute(1, self._table)))
        return {name for found in listed if not (name := name_in(found[2])).startswith("__")}

    def chains(self) -> dict[str, int]:
        """By name, how many rules are in each chain of the table or lead to it."""
        listed = (attributes(answer) for answer in self._ask(GET_CHAIN, attribute(1, self._table)))
        return {name_in(found[3]): number(found, 6) for found in listed if found[1] == self._table}

    def counted(self, name: str) -> Iterator[tuple[bytes, int, int]]:
        """Of a set whose elements count: each key, its bytes and its packets; nothing where the set is not there."""
        for key, data in self._elements(name):
            yield key, number(data, 1), number(data, 2)

    def keys(self, name: str) -> set[bytes]:
        """Of a set whose elements hold something: their keys."""
        return {key for key, _ in self._elements(name)}

    def limited(self, name: str) -> dict[bytes, tuple[int, int]]:
        """Of a set whose elements hold quotas: by key, the bytes seen, shown up to the limit only, and the limit."""
        return {key: (number(data, 4), number(data, 1)) for key, data in self._elements(name)}

    def _elements(self, name: str) -> Iterator[tuple[bytes, dict[int, bytes]]]:
        """Of a set: each key, and what its expression shows."""
        request = attribute(1, self._table) + attribute(2, text(name))
        for answer in self._ask(GET_ELEMENTS, request):
            for element in members(attributes(answer).get(3, b"")):
                found = attributes(element)
                if 7 in found:  # else it is somebody else's, and counts nothing
                    yield attributes(found[1])[1], attributes(attributes(found[7])[2])

    def portions(self, name: str) -> Iterator[bytes]:
        """What shows a set's elements, each some hundreds, for `points`; nothing where it is not there.

        To be read to its end before the next; what else is asked meanwhile does not disturb it.
        """
        request = attribute(1, self._table) + attribute(2, text(name))
        self._listing.send(message(NFTABLES << 8 | GET_ELEMENTS, REQUEST | DUMP, NFPROTO_NETDEV, request))
        while True:
            for kind, _, _, body in messages(self._listing.recv(PORTION_BYTES)):
                if kind == DONE:
                    return
                if kind == ERROR:
                    _raise_unless_absent(body)
                    return
                yield body[FAMILY.size :]

    def _objects(self, kind: int) -> Iterator[tuple[str, int, dict[int, bytes]]]:
        request = attribute(1, self._table) + attribute(3, kind.to_bytes(4, "big"))
        for answer in self._ask(GET_OBJECT, request):
            found = attributes(answer)
            yield name_in(found[2]), int.from_bytes(found[6], "big"), attributes(found[4])

    def _ask(self, kind: int, request: bytes, flags: int = REQUEST | DUMP) -> list[bytes]:
        """The attributes of each message of the answer; empty where what was asked for is not there."""
        for _ in range(MOST_ATTEMPTS):
            self._socket.send(message(NFTABLES << 8 | kind, flags, NFPROTO_NETDEV, request))
            answer, interrupted = self._receive(to_the_end=bool(flags & DUMP))
            if not interrupted:
                break
        return answer

    def _receive(self, *, to_the_end: bool) -> tuple[list[bytes], bool]:
        answer: list[bytes] = []
        interrupted = False
        while True:
            for kind, flags, _, body in messages(self._socket.recv(LARGEST_BYTES)):
                interrupted |= bool(flags & INTERRUPTED)
                if kind == DONE:
                    return answer, interrupted
                if kind == ERROR:
                    _raise_unless_absent(body)
                    return [], False
                answer.append(body[FAMILY.size :])
            if not to_the_end:
                return answer, False


def _raise_unless_absent(body: bytes) -> None:
    code = error_number(body)
    if code != errno.ENOENT:
        raise OSError(code, os.strerror(code))
