"""Reads one table of the kernel's packet filter by netlink.

libnftables reads the whole ruleset for each listing, that of other programs and all blocks included. Here the kernel is
asked for one kind of object at a time: 130 counters cost a millisecond, an element of a set some microseconds.

The messages are those of linux/netfilter/nf_tables.h: each an attribute tree in network byte order. The kernel marks a
dump as interrupted when the ruleset changed meanwhile; it is then asked for again.
"""

import errno
import os
import socket
from collections.abc import Iterable, Iterator
from fcntl import ioctl

from appliance.core.kernel import netlink
from appliance.core.kernel.netlink import attribute, attributes, members, message, messages, name_in, number, text

GET_TABLE, GET_CHAIN, GET_SET, GET_ELEMENTS, GET_GENERATION, GET_OBJECT = 1, 4, 10, 13, 16, 19  # NFT_MSG_GET*
GENERATION_ID = 1  # NFTA_GEN_ID
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
ELEMENTS, ELEMENT_KEY, ELEMENT_EXPRESSION, ELEMENT_EXPRESSIONS, KEY_VALUE, EXPRESSION_DATA = 3, 1, 7, 11, 1, 2
LARGEST_BYTES = 1 << 16  # of what one receive returns; the kernel fills at most 32 KiB
# Two milliseconds' reading. For each portion the kernel walks an interval set from its beginning again, so that half
# as much costs twice as much; of itself it fills NLMSG_GOODSIZE, which is half of this.
PORTION_BYTES = 1 << 14
MOST_ATTEMPTS = 10  # where the ruleset changes during all of them, the last answer has to do


class Nfnetlink:
    """Reads one table of the `netdev` family, in the network namespace in which it was made."""

    def __init__(self, table: str) -> None:
        self._socket, self._listing = (
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink.NETLINK_NETFILTER) for _ in range(2)
        )
        self._table = text(table)
        self._decoded: dict[int, dict[bytes, tuple[str, int, dict[int, bytes]]]] = {}  # by kind of object and answer

    def close(self) -> None:
        self._socket.close()
        self._listing.close()

    def interface_index(self, name: str) -> int | None:
        """The index of the interface of this name; `None`: there is none. One that was made again has another."""
        request = netlink.INTERFACE_REQUEST.pack(name.encode(), 0)
        try:
            answer: bytes = ioctl(self._socket, netlink.GET_INDEX, request)
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            return None
        index: int = netlink.INTERFACE_REQUEST.unpack(answer)[1]
        return index

    def table_handle(self) -> int | None:
        """The table's handle, unique since the boot; `None`: there is no table."""
        for _, answer in self._answers(self._socket, LARGEST_BYTES, GET_TABLE, flags=0):
            return number(attributes(answer), TABLE_HANDLE)
        return None

    def generation(self) -> int:
        """The number of the ruleset's latest change, by any program; packets that fill sets change nothing in it."""
        for _, answer in self._answers(self._socket, LARGEST_BYTES, GET_GENERATION, flags=0):
            return number(attributes(answer), GENERATION_ID)
        raise OSError("the kernel does not number its rulesets")

    def counters(self) -> dict[str, tuple[int, int, int]]:
        """By name, each counter's handle (unique within the table), bytes and packets."""
        return {name: (handle, *_counted(data)) for name, handle, data in self._objects(COUNTER)}

    def quotas(self) -> dict[str, tuple[int, int]]:
        """By name, the bytes that each quota has counted, at most its limit, and the limit."""
        return {name: _used_and_limit(data) for name, _, data in self._objects(QUOTA)}

    def objects(self) -> dict[str, str]:
        """By name, the kind of each object of the table: `counter`, `quota`, `limit`, `set`."""
        listed = self._ask(GET_OBJECT)
        objects = {name_in(found[OBJECT_NAME]): OBJECT_KINDS[number(found, OBJECT_KIND)] for found in listed}
        sets = (name_in(found[SET_NAME]) for found in self._ask(GET_SET))
        return objects | {name: "set" for name in sets if not name.startswith("__")}

    def chains(self) -> dict[str, int]:
        """By name, the use count of each chain of the table: its rules, and those that lead to it."""
        listed = self._ask(GET_CHAIN)
        return {name_in(one[CHAIN_NAME]): number(one, CHAIN_USE) for one in listed if one[CHAIN_TABLE] == self._table}

    def element_counters(self, name: str) -> Iterator[tuple[bytes, int, int]]:
        """Each key of a set whose elements count, with its bytes and packets; nothing where there is no such set."""
        return ((key, *_counted(data)) for key, data in self._elements(name))

    def element_keys(self, name: str) -> set[bytes]:
        """The keys of a set whose elements have an expression."""
        return {key for key, _ in self._elements(name)}

    def element_quotas(self, name: str) -> dict[bytes, tuple[int, int]]:
        """By key of a set whose elements are quotas, the bytes counted, at most the limit, and the limit."""
        return {key: _used_and_limit(data) for key, data in self._elements(name)}

    def numbers(self, name: str) -> list[int]:
        """The keys of a set as numbers; none where there is no such set."""
        answers = self._ask(GET_ELEMENTS, attribute(2, text(name)))
        elements = (attributes(element) for answer in answers for element in members(answer.get(ELEMENTS, b"")))
        return [int.from_bytes(attributes(one[ELEMENT_KEY])[KEY_VALUE], "big") for one in elements]

    def has_elements(self, name: str) -> bool:
        """Whether a set has an element."""
        answers = self._ask(GET_ELEMENTS, attribute(2, text(name)))
        return any(answer.get(ELEMENTS) for answer in answers)

    def element_portions(self, name: str) -> Iterator[bytes]:
        """The bodies of messages with a set's elements, some hundreds each; nothing where there is no such set.

        To be read to the end before the next; other questions meanwhile do not disturb it.
        """
        answers = self._answers(self._listing, PORTION_BYTES, GET_ELEMENTS, attribute(2, text(name)))
        return (portion for _, portion in answers if portion)

    def _elements(self, name: str) -> Iterator[tuple[bytes, dict[int, bytes]]]:
        """Each key of a set, with the attributes of its expression, the first of several."""
        for answer in self._ask(GET_ELEMENTS, attribute(2, text(name))):
            for element in map(attributes, members(answer.get(ELEMENTS, b""))):
                found = element.get(ELEMENT_EXPRESSION) or next(members(element.get(ELEMENT_EXPRESSIONS, b"")), None)
                if found is not None:  # else another program added it, and it counts nothing
                    data = attributes(found)[EXPRESSION_DATA]
                    yield attributes(element[ELEMENT_KEY])[KEY_VALUE], attributes(data)

    def _objects(self, kind: int) -> Iterable[tuple[str, int, dict[int, bytes]]]:
        """Name, handle and data of each object of a kind.

        What has not counted since the previous listing has the same answer, and is not decoded again.
        """
        former = self._decoded.get(kind, {})
        answers = self._ask_raw(GET_OBJECT, attribute(3, kind.to_bytes(4, "big")))
        latest = self._decoded[kind] = {answer: former.get(answer) or _object(answer) for answer in answers}
        return latest.values()

    def _ask(self, kind: int, details: bytes = b"") -> list[dict[int, bytes]]:
        """The attributes of each object that the kernel lists; empty where the table or set does not exist."""
        return [attributes(answer) for answer in self._ask_raw(kind, details)]

    def _ask_raw(self, kind: int, details: bytes = b"") -> list[bytes]:
        for _ in range(MOST_ATTEMPTS):
            answers = [*self._answers(self._socket, LARGEST_BYTES, kind, details)]
            if not any(flags & netlink.INTERRUPTED for flags, _ in answers):
                break
        return [answer for _, answer in answers if answer]

    def _answers(
        self, asked: socket.socket, most_bytes: int, kind: int, details: bytes = b"", flags: int = netlink.DUMP
    ) -> Iterator[tuple[int, bytes]]:
        """Flags and attributes of each message of the answer. The end of a dump has flags only."""
        request = attribute(1, self._table) + details
        asked.send(message(netlink.NFTABLES << 8 | kind, netlink.REQUEST | flags, netlink.NFPROTO_NETDEV, request))
        while True:
            for answered, marks, _, body in messages(asked.recv(most_bytes)):
                if answered == netlink.ERROR:
                    code = netlink.error_number(body)
                    if code != errno.ENOENT:
                        raise OSError(code, os.strerror(code))
                    return
                yield marks, body[netlink.FAMILY.size :]
                if answered == netlink.DONE:
                    return


def _object(answer: bytes) -> tuple[str, int, dict[int, bytes]]:
    found = attributes(answer)
    return name_in(found[OBJECT_NAME]), number(found, OBJECT_HANDLE), attributes(found[OBJECT_DATA])


def _counted(counter: dict[int, bytes]) -> tuple[int, int]:
    return number(counter, COUNTER_BYTES), number(counter, COUNTER_PACKETS)


def _used_and_limit(quota: dict[int, bytes]) -> tuple[int, int]:
    return number(quota, QUOTA_USED), number(quota, QUOTA_LIMIT)
