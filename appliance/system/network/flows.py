"""Counts the connections between each two addresses, by the kernel's connection tracking.

This file parses the netlink dump itself: a parser of whole messages takes 100 us for a connection, and the text in
/proc, which not every kernel has, 3 us. Of each message it reads only the addresses of the first packet, at their fixed
offset (linux/netfilter/nfnetlink_conntrack.h): under 1 us, and each pair of addresses is converted once.

The kernel tracks connections only where a rule of the packet filter uses `ct` (the firewall's table has one), on a
bridge only with `br_netfilter` loaded and `net.bridge.bridge-nf-call-iptables` and `-ip6tables` at 1, and on a mirror
port never, because nothing is forwarded. Counters are not reset: other programs may read them.
"""

import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from struct import Struct

from appliance.core.kernel.netlink import DONE, DUMP, ERROR, HEADER, NETLINK_NETFILTER, REQUEST, message
from appliance.core.machine import Connection
from appliance.core.pause import Pause, no_pause

GET_CONNECTIONS = 1 << 8 | 1  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET
LARGEST_BYTES = 1 << 18  # of what one receive returns; the kernel fills at most 32 KiB
ASK = message(GET_CONNECTIONS, REQUEST | DUMP, socket.AF_UNSPEC, b"")  # of both IP versions
LENGTH_AND_TYPE = Struct("=IH")
READ_AT_ONCE = 500  # connections: two milliseconds, of which the kernel takes one
CONVERTED_AT_ONCE = 1000  # pairs of addresses: likewise

# Offset of the first address, and by family the bytes before it (CTA_TUPLE_IP, nested, and the header of
# CTA_IP_V4_SRC or CTA_IP_V6_SRC) and an address's length.
ADDRESSES_AT = 32
PLACES: Mapping[int, tuple[bytes, int]] = {
    socket.AF_INET: (Struct("=HHHH").pack(4 + 2 * 8, 0x8001, 8, 1), 4),
    socket.AF_INET6: (Struct("=HHHH").pack(4 + 2 * 20, 0x8001, 20, 3), 16),
}

MOST_CONNECTIONS = 262_144  # the largest table that Linux makes by itself (nf_conntrack_max); it bounds a reading


class ConntrackFlows:
    """`ports.Flows` of the network namespace in which it is asked."""

    def connections(self, pause: Pause = no_pause) -> Mapping[Connection, int]:
        """Number of tracked connections between each two addresses; empty where the kernel tracks none.

        Between two pauses the kernel goes on from where it was; one that begins or ends meanwhile may be missed.
        """
        found: Counter[tuple[int, bytes]] = Counter()
        read = paused = 0
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as asking:
            asking.send(ASK)
            for pairs in _dumped(asking):
                found.update(pairs)
                read += len(pairs)
                if read > MOST_CONNECTIONS:
                    break
                if read - paused >= READ_AT_ONCE:
                    paused = read
                    pause()
        converted: dict[Connection, int] = {}
        for (family, pair), number in found.items():
            converted[_connection(family, pair)] = number
            if len(converted) % CONVERTED_AT_ONCE == 0:
                pause()
        return converted


def _dumped(asking: socket.socket) -> Iterator[list[tuple[int, bytes]]]:
    """For each receive, each message's IP version and its bytes from the first address to the end of the second."""
    while True:
        received = asking.recv(LARGEST_BYTES)
        pairs: list[tuple[int, bytes]] = []
        at = 0
        while at < len(received):
            length, kind = LENGTH_AND_TYPE.unpack_from(received, at)
            if kind in {ERROR, DONE}:  # an error: this kernel does not track connections
                yield pairs
                return
            family = received[at + HEADER.size]
            before, address_bytes = PLACES.get(family, (b"", 0))
            first = at + ADDRESSES_AT
            if received[first - len(before) : first] == before:
                pairs.append((family, received[first : first + 2 * address_bytes + 4]))
            at += (length + 3) & ~3
        yield pairs


def _connection(family: int, pair: bytes) -> Connection:
    _, address_bytes = PLACES[family]
    return Connection(socket.inet_ntop(family, pair[:address_bytes]), socket.inet_ntop(family, pair[-address_bytes:]))
