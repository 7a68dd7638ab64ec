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
# Numbers of attributes: NFTA_TABLE_*, NFTA_CHAIN_*, NFTA_SET_*, NFTA_OBJ_*, NFTA_COUNTER_*, NFTA_QUOTA_*
TABLE_HANDLE = 4
CHAIN_TABLE, CHAIN_NAME, CHAIN_USE = 1, 3, 6
SET_NAME = 2
OBJECT_NAME, OBJECT_KIND, OBJECT_DATA, OBJECT_HANDLE = 2, 3, 4, 6
COUNTER_BYTES, COUNTER_PACKETS = 1, 2
QUOTA_LIMIT, QUOTA_USED = 1, 4
# NFTA_SET_ELEM_LIST_ELEMENTS, NFTA_SET_ELEM_*, NFTA_DATA_VALUE, NFTA_EXPR_DATA
ELEMENTS, ELEMENT_KEY, ELEMENT_EXPRESSION, KEY_VALUE, EXPRESSION_DATA = 3, 1, 7, 1, 2
LARGEST_BYTES = 1 << 16  # of what one receive returns; the kernel fills at most 32 KiB
# Two milliseconds' reading. For each portion the kernel walks an interval set from its beginning again, so that half
# as much costs twice as much; of itself it fills NLMSG_GOODSIZE, which is half of this.
PORTION_BYTES = 1 << 14
MOST_ATTEMPTS = 10  # where the ruleset changes during all of them, the last answer has to do


class Nfnetlink:
    """Reads one table of the `netdev` family, in the network namespace in which it was made."""

    def __init__(self, table: str) -> None:
        self._socket, self._listing = (
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) for _ in range(2)
        )
        self._table = text(table)

    def close(self) -> None:
        """Close the sockets."""
        self._socket.close()
        self._listing.close()

    def has_interface(self, name: str) -> bool:
        """Whether an interface of this name exists."""
        try:
            ioctl(self._socket, GET_INDEX, INTERFACE_REQUEST.pack(name.encode(), 0))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            return False
        return True

    def table_handle(self) -> int | None:
        """The table's handle, unique since the boot; `None`: there is no table."""
        for answer in self._ask(GET_TABLE, attribute(1, self._table), flags=REQUEST):
            return number(attributes(answer), TABLE_HANDLE)
        return None

    def counters(self) -> dict[str, tuple[int, int, int]]:
        """By name, each counter's handle (unique within the table), bytes and packets."""
        return {name: (handle, *_counted(data)) for name, handle, data in self._objects(COUNTER)}

    def quotas(self) -> dict[str, tuple[int, int]]:
        """By name, the bytes that each quota has counted, at most its limit, and the limit."""
        return {name: _used_and_limit(data) for name, _, data in self._objects(QUOTA)}

    def objects(self) -> dict[str, str]:
        """By name, the kind of each object of the table: `counter`, `quota`, `limit`, `set`."""
        request = attribute(1, self._table)
        listed = (attributes(answer) for answer in self._ask(GET_OBJECT, request))
        objects = {name_in(found[OBJECT_NAME]): OBJECT_KINDS[number(found, OBJECT_KIND)] for found in listed}
        return objects | dict.fromkeys(self.sets(), "set")

    def sets(self) -> set[str]:
        """The names of the table's named sets."""
        listed = (attributes(answer) for answer in self._ask(GET_SET, attribute(1, self._table)))
        return {name for found in listed if not (name := name_in(found[SET_NAME])).startswith("__")}

    def chains(self) -> dict[str, int]:
        """By name, the use count of each chain of the table: its rules, and those that lead to it."""
        listed = (attributes(answer) for answer in self._ask(GET_CHAIN, attribute(1, self._table)))
        return {name_in(one[CHAIN_NAME]): number(one, CHAIN_USE) for one in listed if one[CHAIN_TABLE] == self._table}

    def element_counters(self, name: str) -> Iterator[tuple[bytes, int, int]]:
        """Each key of a set whose elements count, with its bytes and packets; nothing where there is no such set."""
        for key, data in self._elements(name):
            yield key, *_counted(data)

    def element_keys(self, name: str) -> set[bytes]:
        """The keys of a set whose elements have an expression."""
        return {key for key, _ in self._elements(name)}

    def element_quotas(self, name: str) -> dict[bytes, tuple[int, int]]:
        """By key of a set whose elements are quotas, the bytes counted, at most the limit, and the limit."""
        return {key: _used_and_limit(data) for key, data in self._elements(name)}

    def _elements(self, name: str) -> Iterator[tuple[bytes, dict[int, bytes]]]:
        """Each key of a set, with the attributes of its expression."""
        request = attribute(1, self._table) + attribute(2, text(name))
        for answer in self._ask(GET_ELEMENTS, request):
            for element in members(attributes(answer).get(ELEMENTS, b"")):
                found = attributes(element)
                if ELEMENT_EXPRESSION in found:  # else another program added it, and it counts nothing
                    data = attributes(found[ELEMENT_EXPRESSION])[EXPRESSION_DATA]
                    yield attributes(found[ELEMENT_KEY])[KEY_VALUE], attributes(data)

    def element_portions(self, name: str) -> Iterator[bytes]:
        """The bodies of messages with a set's elements, some hundreds each; nothing where there is no such set.

        To be read to the end before the next; other questions meanwhile do not disturb it.
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
            yield name_in(found[OBJECT_NAME]), number(found, OBJECT_HANDLE), attributes(found[OBJECT_DATA])

    def _ask(self, kind: int, request: bytes, flags: int = REQUEST | DUMP) -> list[bytes]:
        """The attributes of each message of the answer; empty where the object does not exist."""
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


def _counted(counter: dict[int, bytes]) -> tuple[int, int]:
    return number(counter, COUNTER_BYTES), number(counter, COUNTER_PACKETS)


def _used_and_limit(quota: dict[int, bytes]) -> tuple[int, int]:
    return number(quota, QUOTA_USED), number(quota, QUOTA_LIMIT)


def _raise_unless_absent(body: bytes) -> None:
    code = error_number(body)
    if code != errno.ENOENT:
        raise OSError(code, os.strerror(code))
