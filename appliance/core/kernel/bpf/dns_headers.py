"""The part of the DNS filter's program that finds the message: behind VLAN tags, IP and its extension headers.

A packet to port 53 that cannot be read to its question goes to `unread`, which counts and drops it. A packet whose port
cannot be found, because its IPv6 headers do not end or are in several fragments, goes there too: it may be a query, and
no other use is known (RFC 7112).
"""

import sys
from collections.abc import Iterator

from appliance.core.kernel.bpf import dns_maps as maps
from appliance.core.kernel.bpf import packet
from appliance.core.kernel.bpf.dns_memory import FrameLayout, Stack, Way
from appliance.core.kernel.bpf.dns_steps import Stored, invoke, leave_if_open, look_up, on_stack, take
from appliance.core.kernel.bpf.ebpf import (
    Blocks,
    Helper,
    Instruction,
    add_atomically,
    compute,
    jump,
    jump_if,
    leave,
    load,
    network_order,
    store,
)
from appliance.core.kernel.bpf.registers import BYTE, DOUBLE, HALF, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, WORD

# linux/pkt_cls.h: TC_ACT_UNSPEC leaves the packet to the next filter; TC_ACT_SHOT drops it.
NEXT, SHOT = -1, 2


def _reached(version: int) -> Iterator[Instruction]:
    """Go on where the port is in the linear part of the frame, from R2 to R3; else all is read by calls."""
    yield compute(R4, "=", R2)
    yield compute(R4, "+", packet.ETHERNET + packet.NETWORK_BYTES[version] + packet.PORTS_BYTES)
    yield jump_if(R4, ">", R3, "network")


# Finds the network's header, in the frame or in further VLAN tags, and has the ends of the program.
FRAMES: Blocks = {
    "frame": [
        compute(R6, "=", R1),
        load(WORD, R1, R6, FrameLayout.TAGGED),
        jump_if(R1, "==", 0, "untagged"),
        load(WORD, R1, R6, FrameLayout.INTERFACE),
        store(WORD, R10, Stack.ONE, R1),
        load(WORD, R1, R6, FrameLayout.TAG),
        compute(R1, "&", packet.TAG_BITS),
        store(WORD, R10, Stack.ONE + 4, R1),
        *look_up(maps.TRUNKS, Stack.ONE),
        jump_if(R0, "!=", 0, "next"),  # it belongs to a subinterface, which has its own filter
    ],
    "untagged": [
        store(DOUBLE, R10, Stack.WAY, Way.ANSWERING),
        store(DOUBLE, R10, Stack.L3, packet.ETHERNET),
        load(WORD, R1, R6, FrameLayout.PROTOCOL),
        load(WORD, R2, R6, FrameLayout.DATA),
        load(WORD, R3, R6, FrameLayout.DATA_END),
        jump_if(R1, "==", packet.half(packet.IPV6), "plain6"),
        jump_if(R1, "!=", packet.half(packet.IPV4), "network"),
        *_reached(4),
        load(BYTE, R4, R2, packet.ETHERNET),
        jump_if(R4, "!=", packet.PLAIN_IPV4, "network"),
        load(HALF, R4, R2, packet.ETHERNET + 6),
        jump_if(R4, "&", packet.half(0x3FFF), "network"),  # a fragment
        load(BYTE, R5, R2, packet.ETHERNET + 9),
        load(HALF, R4, R2, packet.ETHERNET + packet.NETWORK_BYTES[4] + 2),
        jump("plain port"),
    ],
    "plain6": [
        *_reached(6),
        load(BYTE, R5, R2, packet.ETHERNET + 6),
        load(HALF, R4, R2, packet.ETHERNET + packet.NETWORK_BYTES[6] + 2),
    ],
    # R4: its port, where R5 is the protocol of a transport with ports. Most packets pass here: this costs each of them
    # half of what the calls below would.
    "plain port": [
        jump_if(R4, "==", packet.half(packet.DNS_PORT), "network"),
        jump_if(R5, "==", packet.UDP, "next"),
        jump_if(R5, "==", packet.TCP, "next"),
    ],
    # R1: the type of what follows, as in the frame.
    "network": [
        jump_if(R1, "==", packet.half(packet.IPV4), "ipv4"),
        jump_if(R1, "==", packet.half(packet.IPV6), "ipv6"),
        *(jump_if(R1, "==", packet.half(one), "nested") for one in packet.VLAN_TYPES),
    ],
    "next": leave(NEXT),
    "unread": [*leave_if_open("closed")],
    "closed": [
        store(WORD, R10, Stack.ONE, maps.UNREADABLE),
        *look_up(maps.ORIGINS, Stack.ONE),
        jump_if(R0, "==", 0, "drop"),
        compute(R1, "=", 1),
        add_atomically(R0, 0, R1),
    ],
    "drop": leave(SHOT),
    "nested": [
        load(DOUBLE, R2, R10, Stack.L3),
        compute(R2, "+", packet.VLAN_BYTES),
        jump_if(R2, ">", packet.ETHERNET + packet.VLAN_BYTES * packet.MOST_INNER_TAGS, "next"),
        store(DOUBLE, R10, Stack.L3, R2),
        store(DOUBLE, R10, Stack.WAY, Way.DROPPING),
        compute(R2, "-", 2),
        *take(R2, Stack.ONE, 2, "next"),
        load(HALF, R1, R10, Stack.ONE),
        jump("network"),
    ],
}


def _measured(block: str) -> Iterator[Instruction]:
    """R2 becomes the packet's end in the frame. R8: where that part begins whose length R1 has, as in the packet."""
    yield load(WORD, R2, R6, FrameLayout.LENGTH)
    yield network_order(R1)
    yield jump_if(R1, "==", 0, block)  # longer than can be said
    yield compute(R1, "+", R8)
    yield jump_if(R1, ">", R2, block)
    yield compute(R2, "=", R1)


NETWORKS: Blocks = {
    "ipv4": [
        *take(Stored(Stack.L3), Stack.NET, packet.NETWORK_BYTES[4], "next"),
        load(HALF, R1, R10, Stack.NET + 6),
        compute(R2, "=", R1),
        compute(R2, "&", packet.half(0x1FFF)),
        jump_if(R2, "!=", 0, "next"),  # a later fragment, without a name
        compute(R1, "&", packet.half(0x2000)),
        jump_if(R1, "==", 0, "whole4"),
        store(DOUBLE, R10, Stack.WAY, Way.FRAGMENT),
    ],
    "whole4": [
        store(DOUBLE, R10, Stack.HOST, 0),
        store(WORD, R10, Stack.HOST + 8, int.from_bytes(maps.MAPPED[8:], sys.byteorder)),
        load(WORD, R1, R10, Stack.NET + 12),
        store(WORD, R10, Stack.HOST + 12, R1),
        load(DOUBLE, R8, R10, Stack.L3),
        load(HALF, R1, R10, Stack.NET + 2),
        *_measured("measured4"),
    ],
    "measured4": [
        store(DOUBLE, R10, Stack.END, R2),
        load(BYTE, R1, R10, Stack.NET),
        compute(R1, "&", 0x0F),
        compute(R1, "<<", 2),  # the header's length, in words of 4 bytes
        compute(R8, "+", R1),
        load(BYTE, R7, R10, Stack.NET + 9),
        jump("transport"),
    ],
    "ipv6": [
        *take(Stored(Stack.L3), Stack.NET, packet.NETWORK_BYTES[6], "next"),
        load(DOUBLE, R1, R10, Stack.NET + 8),
        store(DOUBLE, R10, Stack.HOST, R1),
        load(DOUBLE, R1, R10, Stack.NET + 16),
        store(DOUBLE, R10, Stack.HOST + 8, R1),
        load(DOUBLE, R8, R10, Stack.L3),
        compute(R8, "+", packet.NETWORK_BYTES[6]),
        load(HALF, R1, R10, Stack.NET + 4),
        *_measured("measured6"),
    ],
    "measured6": [
        store(DOUBLE, R10, Stack.END, R2),
        load(BYTE, R7, R10, Stack.NET + 6),
        compute(R9, "=", 0),
    ],
}

# Skips the extension headers of IPv6. A query behind one is not answered, but dropped: the answer would need others.
# R7: the type of the header; R8: where it begins; R9: how many were skipped.
EXTENSIONS: Blocks = {
    "extension": [
        jump_if(R7, "==", packet.UDP, "transport"),
        jump_if(R7, "==", packet.TCP, "transport"),
        *(jump_if(R7, "==", one, "skippable") for one in packet.OPTIONS_LIKE),
        jump_if(R7, "==", packet.FRAGMENT, "skippable"),
        jump_if(R7, "!=", packet.AUTHENTICATION, "next"),
    ],
    "skippable": [
        compute(R9, "+", 1),
        jump_if(R9, ">", packet.MOST_EXTENSIONS, "unread"),
        *invoke(Helper.LOAD_BYTES, R6, R8, on_stack(Stack.ONE), 8),
        jump_if(R0, "!=", 0, "unread"),
        load(DOUBLE, R1, R10, Stack.WAY),
        jump_if(R1, "!=", Way.ANSWERING, "not answered"),
        store(DOUBLE, R10, Stack.WAY, Way.DROPPING),
    ],
    "not answered": [
        load(BYTE, R2, R10, Stack.ONE + 1),
        jump_if(R7, "==", packet.FRAGMENT, "fragment"),
        jump_if(R7, "==", packet.AUTHENTICATION, "authentication"),
        compute(R2, "+", 1),
        compute(R2, "<<", 3),
        jump("skip"),
    ],
    "authentication": [compute(R2, "+", 2), compute(R2, "<<", 2), jump("skip")],  # RFC 4302 counts in 4 octets
    "fragment": [
        load(HALF, R1, R10, Stack.ONE + 2),
        compute(R2, "=", R1),
        compute(R2, "&", packet.half(0xFFF8)),
        jump_if(R2, "!=", 0, "next"),  # a later fragment, without a name
        compute(R2, "=", 8),
        compute(R1, "&", packet.half(1)),
        jump_if(R1, "==", 0, "skip"),  # the only one
        store(DOUBLE, R10, Stack.WAY, Way.FRAGMENT),
    ],
    "skip": [load(BYTE, R7, R10, Stack.ONE), compute(R8, "+", R2), jump("extension")],
}

# Finds the message. R7: the transport's protocol; R8: where it begins.
TRANSPORTS: Blocks = {
    "transport": [
        store(DOUBLE, R10, Stack.L4, R8),
        store(DOUBLE, R10, Stack.LEFT, 0),
        store(DOUBLE, R10, Stack.FOLLOWING, 0),
        store(DOUBLE, R10, Stack.COUNT, packet.MOST_MESSAGES),
        jump_if(R7, "==", packet.UDP, "ports"),
        jump_if(R7, "!=", packet.TCP, "next"),
    ],
    "ports": [
        *invoke(Helper.LOAD_BYTES, R6, R8, on_stack(Stack.TRANSPORT), packet.UDP_BYTES),
        jump_if(R0, "==", 0, "port"),
        load(DOUBLE, R1, R10, Stack.WAY),
        jump_if(R1, "==", Way.ANSWERING, "next"),  # it is cut, which no host takes
        jump("unread"),  # its ports are in a later fragment
    ],
    "port": [
        load(HALF, R1, R10, Stack.TRANSPORT + 2),
        jump_if(R1, "!=", packet.half(packet.DNS_PORT), "next"),
        jump_if(R7, "==", packet.UDP, "udp"),
        *invoke(Helper.LOAD_BYTES, R6, R8, on_stack(Stack.TRANSPORT), packet.TCP_BYTES),
        jump_if(R0, "!=", 0, "unread"),
        load(DOUBLE, R1, R10, Stack.WAY),
        jump_if(R1, "==", Way.FRAGMENT, "unread"),
        load(BYTE, R1, R10, Stack.TRANSPORT + 12),
        compute(R1, ">>", 4),
        compute(R1, "<<", 2),  # the header's length, in words of 4 bytes
        compute(R1, "+", R8),
        load(DOUBLE, R2, R10, Stack.END),
        jump_if(R2, "<=", R1, "next"),  # without content
        store(DOUBLE, R10, Stack.FOLLOWING, R1),
        compute(R2, "-", R1),
        store(DOUBLE, R10, Stack.LEFT, R2),
        store(DOUBLE, R10, Stack.COUNT, 0),
        load(DOUBLE, R1, R10, Stack.WAY),
        jump_if(R1, "!=", Way.ANSWERING, "following"),
        store(DOUBLE, R10, Stack.WAY, Way.RESETTING),
    ],
    # The next message of the segment. All of them must be whole in it, because what follows in another segment cannot
    # be told from the begin of a message there.
    "following": [
        load(DOUBLE, R1, R10, Stack.COUNT),
        compute(R1, "+", 1),
        jump_if(R1, ">", packet.MOST_MESSAGES, "unread"),
        store(DOUBLE, R10, Stack.COUNT, R1),
        *take(Stored(Stack.FOLLOWING), Stack.ONE, 2, "unread"),
        load(HALF, R1, R10, Stack.ONE),
        network_order(R1),  # its length comes before it (RFC 1035 section 4.2.2)
        load(DOUBLE, R2, R10, Stack.FOLLOWING),
        compute(R2, "+", 2),
        store(DOUBLE, R10, Stack.DNS, R2),
        compute(R2, "+", R1),
        store(DOUBLE, R10, Stack.FOLLOWING, R2),
        load(DOUBLE, R2, R10, Stack.LEFT),
        jump_if(R2, "<", 2, "unread"),
        compute(R2, "-", 2),
        jump_if(R1, ">", R2, "unread"),
        compute(R2, "-", R1),
        store(DOUBLE, R10, Stack.LEFT, R2),
        jump("message"),
    ],
    "passed": [load(DOUBLE, R1, R10, Stack.LEFT), jump_if(R1, "==", 0, "next"), jump("following")],
    "udp": [
        compute(R8, "+", packet.UDP_BYTES),
        store(DOUBLE, R10, Stack.DNS, R8),
        load(HALF, R1, R10, Stack.TRANSPORT + 4),
        network_order(R1),
        jump_if(R1, "<", packet.UDP_BYTES, "unread"),
        compute(R1, "-", packet.UDP_BYTES),
        load(DOUBLE, R2, R10, Stack.END),
        jump_if(R2, "<", R8, "unread"),
        compute(R2, "-", R8),
        jump_if(R1, "<=", R2, "message"),
        load(DOUBLE, R1, R10, Stack.WAY),
        jump_if(R1, "!=", Way.FRAGMENT, "unread"),
        compute(R1, "=", R2),
    ],
}
