"""What the kernel's packet filter shows of one table, and the quotas of its sets' elements, by netlink alone.

libnftables reads the whole ruleset for each listing, other programs' and blocks too. Here the kernel is asked for one
thing at a time: 130 counters cost a millisecond, a set's element some microseconds. And elements with a quota each are
written here, because its releases before 1.1 have no words for what the kernel takes.

The messages are those of linux/netfilter/nf_tables.h: each an attribute tree in network byte order. A dump that the
ruleset changed under says so and is asked for again.
"""

import errno
import os
import socket
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from fcntl import ioctl
from select import select
from struct import Struct

from appliance.core.kernel.netlink import (
    ACK,
    CREATE,
    DONE,
    DUMP,
    ERROR,
    FAMILY,
    INTERRUPTED,
    NESTED,
    REQUEST,
    attribute,
    attributes,
    members,
    message,
    messages,
    name_in,
    number,
    text,
)

NETLINK_NETFILTER = 12  # linux/netlink.h
NFPROTO_NETDEV = 5  # linux/netfilter.h
SUBSYSTEM = 10 << 8  # linux/netfilter/nfnetlink.h: NFNL_SUBSYS_NFTABLES
GET_TABLE, GET_CHAIN, GET_RULE, GET_SET, GET_ELEMENTS, GET_OBJECT = 1, 4, 7, 10, 13, 19
NEW_ELEMENTS, DELETE_ELEMENTS = 12, 14
BATCH_BEGIN, BATCH_END, BATCH = 16, 17, 10  # linux/netfilter/nfnetlink.h: NFNL_MSG_BATCH_*, NFNL_SUBSYS_NFTABLES
OBJECT_KINDS = {1: "counter", 2: "quota", 4: "limit"}  # NFT_OBJECT_*
COUNTER, QUOTA = 1, 2
LAST, BEGIN = 1, 2  # sequence numbers: whose answers are waited for
OVER = 1  # NFT_QUOTA_F_INV: it holds for what is over it
MOST_ELEMENTS = 500  # of one transaction: 90 kB, below what a socket sends at once
LARGEST_BYTES = 1 << 16  # of what one receive returns; the kernel fills at most 32 KiB
# Two milliseconds' reading. For each portion the kernel walks an interval set from its beginning again, so that half
# as much costs twice as much; of itself it fills NLMSG_GOODSIZE, which is half of this.
PORTION_BYTES = 1 << 14
MOST_ATTEMPTS = 10  # a ruleset that changes under each of them is not worth waiting for

INTERFACE_REQUEST = Struct("=16s24x")  # linux/if.h: struct ifreq
GET_INDEX = 0x8933  # linux/sockios.h: SIOCGIFINDEX


class Nfnetlink:
    """Reads one table of the `netdev` family, in the network namespace in which it was made."""

    def __init__(self, table: str) -> None:
        self._socket, self._writing, self._listing = (
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) for _ in range(3)
        )
        self._table = text(table)

    def close(self) -> None:
        """Give the sockets back."""
        self._socket.close()
        self._writing.close()
        self._listing.close()

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

    def limit(self, name: str, wanted: Mapping[bytes, int], former: Mapping[str, Collection[bytes]]) -> str | None:
        """Give elements of a set new quotas of so many bytes, in one transaction for each 500.

        `former`: by set, those that are there and go with the same transaction, their own former selves among them.
        Returns `None`, or the kernel's reason where it refuses.
        """
        keys = list(wanted)
        for chunk in (keys[at : at + MOST_ELEMENTS] for at in range(0, len(keys), MOST_ELEMENTS)):
            gone = [(DELETE_ELEMENTS, own, _key(key)) for own, there in former.items() for key in chunk if key in there]
            new = [(NEW_ELEMENTS, name, _key(key) + _quota(wanted[key])) for key in chunk]
            refusal = self._commit([*gone, *new])
            if refusal is not None:
                return refusal
        return None

    def _elements(self, name: str) -> Iterator[tuple[bytes, dict[int, bytes]]]:
        """Of a set: each key, and what its expression shows."""
        request = attribute(1, self._table) + attribute(2, text(name))
        for answer in self._ask(GET_ELEMENTS, request):
            for element in members(attributes(answer).get(3, b"")):
                found = attributes(element)
                if 7 in found:  # else it is somebody else's, and counts nothing
                    yield attributes(found[1])[1], attributes(attributes(found[7])[2])

    def _commit(self, changes: Sequence[tuple[int, str, bytes]]) -> str | None:
        """One transaction; its last change is answered in any case, and whatever fails."""
        *others, last = [(SUBSYSTEM | kind, self._change(name, element)) for kind, name, element in changes]
        batch = [
            message(BATCH_BEGIN, REQUEST, 0, b"", resource=BATCH, sequence=BEGIN),
            *(message(kind, REQUEST | CREATE, NFPROTO_NETDEV, change) for kind, change in others),
            message(last[0], REQUEST | CREATE | ACK, NFPROTO_NETDEV, last[1], sequence=LAST),
            message(BATCH_END, REQUEST, 0, b"", resource=BATCH),
        ]
        while select([self._writing], [], [], 0)[0]:
            self._writing.recv(LARGEST_BYTES)  # what was still to come of a transaction that failed
        self._writing.send(b"".join(batch))
        return self._outcome()

    def _outcome(self) -> str | None:
        failed = 0
        while True:
            for _, _, sequence, body in messages(self._writing.recv(LARGEST_BYTES)):
                failed = failed or _error(body)
                if sequence in {BEGIN, LAST}:
                    return os.strerror(failed) if failed else None

    def _change(self, name: str, element: bytes) -> bytes:
        listed = attribute(3 | NESTED, attribute(1 | NESTED, element))
        return attribute(1, self._table) + attribute(2, text(name)) + listed

    def portions(self, name: str) -> Iterator[bytes]:
        """What shows a set's elements, each some hundreds, for `points`; nothing where it is not there.

        To be read to its end before the next; what else is asked meanwhile does not disturb it.
        """
        request = attribute(1, self._table) + attribute(2, text(name))
        self._listing.send(message(SUBSYSTEM | GET_ELEMENTS, REQUEST | DUMP, NFPROTO_NETDEV, request))
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
            self._socket.send(message(SUBSYSTEM | kind, flags, NFPROTO_NETDEV, request))
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


def _error(body: bytes) -> int:
    """The error number of an answer; 0: it is an acknowledgement."""
    return -int.from_bytes(body[:4], sys.byteorder, signed=True)


def _raise_unless_absent(body: bytes) -> None:
    code = _error(body)
    if code != errno.ENOENT:
        raise OSError(code, os.strerror(code))


def _key(key: bytes) -> bytes:
    return attribute(1 | NESTED, attribute(1, key))


def _quota(limit_bytes: int) -> bytes:
    quota = attribute(1, limit_bytes.to_bytes(8, "big")) + attribute(2, OVER.to_bytes(4, "big"))
    return attribute(7 | NESTED, attribute(1, text("quota")) + attribute(2 | NESTED, quota))
