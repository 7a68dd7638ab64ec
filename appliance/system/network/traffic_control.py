"""Attaches programs to interfaces, inward and outward, by the kernel's traffic control (rtnetlink).

A program is a filter of a `clsact` queue and stays there, with its maps, after this process has ended. Filters of other
programs are left alone. linux/rtnetlink.h and linux/pkt_cls.h have the structures; `tc filter show` shows the filters.
"""

import errno
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from fcntl import ioctl
from struct import Struct

from appliance.core.kernel import netlink
from appliance.core.kernel.netlink import attribute, attributes, error_number, messages, name_in, text
from appliance.core.machine import Spot

NEW_QUEUE, DELETE_QUEUE, GET_QUEUE, NEW_FILTER, DELETE_FILTER, GET_FILTER = 36, 37, 38, 44, 45, 46  # RTM_*
TRAFFIC = Struct("=4xiIII")  # struct tcmsg: interface, handle, parent, priority and protocol
KIND, OPTIONS = 1, 2  # TCA_*
DESCRIPTOR, NAME, FLAGS, IDENTITY = 6, 7, 8, 11  # TCA_BPF_*
DECIDES = 1  # TCA_BPF_FLAG_ACT_DIRECT: what the program returns is what becomes of the packet
CLSACT_HANDLE, CLSACT_PARENT = 0xFFFF_0000, 0xFFFF_FFF1
PARENTS = {False: 0xFFFF_FFF2, True: 0xFFFF_FFF3}  # where packets come in, and where they go out: TC_H_MIN_*GRESS
EXCLUSIVE = 0x200  # NLM_F_EXCL
BOTH_WAYS = "clsact"
HANDLE = 1
# After the filters of others: `tc` begins at 49152 and goes down.
PRIORITY = 50_000
EVERY_PROTOCOL = socket.htons(0x0003)  # ETH_P_ALL
LARGEST_BYTES = 1 << 16


class TrafficControl:
    """The filters of the network namespace in which it was made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)

    def close(self) -> None:
        self._socket.close()

    def index(self, interface: str) -> int | None:
        """The index of the interface of this name; `None`: there is none."""
        try:
            answer = ioctl(self._socket, netlink.GET_INDEX, netlink.INTERFACE_REQUEST.pack(interface.encode(), 0))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            return None
        index: int = netlink.INTERFACE_REQUEST.unpack(answer)[1]
        return index

    def attached(self, name: str) -> Mapping[Spot, int]:
        """The spots with a program of this name, and the kernel's number of each program."""
        spots = [spot for index, kind in self._queues().items() for spot in _spots(index, kind)]
        return {spot: identity for spot in spots for found, identity in self._programs(spot) if found == name}

    def attach(self, spot: Spot, name: str, program: int) -> str | None:
        """Attach this program, in place of one of ours; returns the reason where the kernel refuses."""
        index, is_outward = spot
        queue = TRAFFIC.pack(index, CLSACT_HANDLE, CLSACT_PARENT, 0) + attribute(KIND, text(BOTH_WAYS))
        refusal = self._order(NEW_QUEUE, netlink.CREATE | EXCLUSIVE, queue)
        if refusal is not None and refusal != EXISTS:
            return refusal
        if is_outward and self._queues().get(index) != BOTH_WAYS:
            return "another program's queue there takes only what comes in"
        options = [
            attribute(DESCRIPTOR, program.to_bytes(4, sys.byteorder)),
            attribute(NAME, text(name)),
            attribute(FLAGS, DECIDES.to_bytes(4, sys.byteorder)),
        ]
        body = _filter(spot) + attribute(OPTIONS | netlink.NESTED, b"".join(options))
        return self._order(NEW_FILTER, netlink.CREATE, body)

    def detach(self, spot: Spot) -> None:
        """Detach our program, if it is there, and delete the queue if no other program uses it."""
        index, _ = spot
        self._order(DELETE_FILTER, 0, _filter(spot))
        kind = self._queues().get(index)
        if kind == BOTH_WAYS and not any(map(self._filters, _spots(index, kind))):
            self._order(DELETE_QUEUE, 0, TRAFFIC.pack(index, CLSACT_HANDLE, CLSACT_PARENT, 0))

    def _queues(self) -> dict[int, str]:
        """By interface, the kind of the queue that takes filters: `clsact`, or another program's `ingress`."""
        found = {}
        for body in self._dump(GET_QUEUE, TRAFFIC.pack(0, 0, 0, 0)):
            index, _, parent, _ = TRAFFIC.unpack_from(body)
            if parent == CLSACT_PARENT:
                found[index] = name_in(attributes(body[TRAFFIC.size :])[KIND])
        return found

    def _programs(self, spot: Spot) -> Iterator[tuple[str, int]]:
        for body in self._filters(spot):
            options = attributes(attributes(body[TRAFFIC.size :]).get(OPTIONS, b""))
            if NAME in options and IDENTITY in options:
                yield name_in(options[NAME]), int.from_bytes(options[IDENTITY], sys.byteorder)

    def _filters(self, spot: Spot) -> list[bytes]:
        return self._dump(GET_FILTER, TRAFFIC.pack(spot.interface, 0, PARENTS[spot.is_outward], 0))

    def _dump(self, kind: int, body: bytes) -> list[bytes]:
        """The kernel's objects of a kind; empty where the interface is gone."""
        self._send(kind, netlink.DUMP, body)
        found: list[bytes] = []
        while True:
            for answer, _, _, content in messages(self._socket.recv(LARGEST_BYTES)):
                if answer in {netlink.DONE, netlink.ERROR}:
                    return found
                found.append(content)

    def _order(self, kind: int, flags: int, body: bytes) -> str | None:
        """Request one change; returns the reason where the kernel refuses."""
        self._send(kind, netlink.ACK | flags, body)
        [(_, _, _, content)] = messages(self._socket.recv(LARGEST_BYTES))
        code = error_number(content)
        return os.strerror(code) if code else None

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        length = netlink.HEADER.size + len(body)
        self._socket.send(netlink.HEADER.pack(length, kind, netlink.REQUEST | flags, 0, 0) + body)


def _spots(index: int, kind: str) -> list[Spot]:
    return [Spot(index, is_outward) for is_outward in PARENTS if kind == BOTH_WAYS or not is_outward]


def _filter(spot: Spot) -> bytes:
    header = TRAFFIC.pack(spot.interface, HANDLE, PARENTS[spot.is_outward], PRIORITY << 16 | EVERY_PROTOCOL)
    return header + attribute(KIND, text("bpf"))


EXISTS = os.strerror(errno.EEXIST)
