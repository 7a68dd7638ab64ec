"""The kernel's filter for captured frames: an eBPF program for a socket.

It passes what names a site or shows a connection; all other frames, nearly everything, never leave the kernel:

- ARP and neighbour discovery, which are rare: who claims which address, and who says that it is a router;
- DHCP and what devices announce by multicast DNS: which name a device gives itself, and who gives out addresses;
- DNS messages: UDP and TCP to or from port 53;
- TCP segments that begin or end a connection (SYN, FIN or RST);
- QUIC packets that begin one (Initial), of versions 1 and 2 and of Google's first, to any port;
- the begin of what a client says over TCP: until its hello is whole, where TLS begins, at most `MOST_BYTES`; else the
  first `PREFIX_BYTES`, in which TLS may still begin, but nothing of HTTP; and any segment that a hello begins with;
- of what the server says to that, what begins a record of a handshake, `MOST_ANSWERS` times;
- the headers of what may be a probe: a TCP segment without content of a connection that is not known, a fragment that
  ends within TCP's header, and of UDP the first datagram of each conversation, its first answer, and until then
  `MOST_UNANSWERED` more for each turn. All probes together are `MOST_PROBES` for each turn, of about a second.

It keeps the latest connections and conversations in two maps, which drop the least recently used when they are full.

It finds the transport wherever `core.traffic.packet` does: behind two VLAN tags in the frame, IPv4 options, eight IPv6
extension headers, and in the first of several fragments. One table of frames tests both. Where a VLAN's frames are
captured at their own subinterface, the trunk's filter drops them.

R6: the frame; R7: the transport's protocol; R8: the place in the frame that is read next.
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum

from appliance.core.kernel.bpf import packet
from appliance.core.kernel.bpf.dns_memory import FrameLayout
from appliance.core.kernel.bpf.dns_steps import invoke, look_up, on_stack, take
from appliance.core.kernel.bpf.ebpf import (
    Blocks,
    Helper,
    Instruction,
    MapKind,
    MapShape,
    Register,
    compute,
    jump,
    jump_if,
    leave,
    load,
    map_named,
    network_order,
    store,
)
from appliance.core.kernel.bpf.registers import BYTE, DOUBLE, HALF, R0, R1, R2, R3, R6, R7, R8, R9, R10, WORD
from appliance.core.traffic.flows.client_hello import BEGIN_BYTES, MOST_BYTES, PREFIX_BYTES

SHORT_BYTES = 1500  # of a frame; a DNS answer over UDP is at most 1,232 bytes (DNS flag day 2020) and its headers
LONG_BYTES = MOST_BYTES + SHORT_BYTES  # the kernel joins the segments of a hello into one frame (GRO)
MOST_ANSWERS = 16
PROBE_BYTES = 256  # the longest headers that are read: two tags, and eight extensions of IPv6
MOST_PROBES = (
    2000  # a fast scan sends a thousand packets a second; to read two thousand takes less than a tenth of a core
)
MOST_UNANSWERED = 100  # what sends more without an answer is a flood or a camera; both show by so many
TURN_BITS = 30  # of nanoseconds: 1.07 s

FLOWS, TALKS, BUDGET = "flows", "talks", "budget"
KEY_BYTES = 40  # addresses, ports, and the version of IP
VALUE_BYTES = 24
TALK_BYTES = 24
MAPS = {
    FLOWS: MapShape(MapKind.LATEST, KEY_BYTES, VALUE_BYTES, 16_384),  # 8,000 people open two a second; 2 MB
    TALKS: MapShape(MapKind.LATEST, KEY_BYTES, TALK_BYTES, 8192),  # of UDP, as many for a few minutes; 1 MB
    BUDGET: MapShape(MapKind.ARRAY, 4, 16, 1),
}
NAME = "appliance_tap"

VERSION_4, VERSION_6 = 4, 6
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
RECORD, ALERT, HELLO = 0x16, 0x15, 0x01
HTTP = "GPHODT"  # its methods begin so: GET, POST, HEAD, OPTIONS, DELETE, TRACE; what they ask for is nobody's business
GOOGLE = 0x5130  # "Q0"


class Cell(IntEnum):
    """Offsets from R10, the stack's end, with their size in bytes beside."""

    KEY = -40  # 40: from the sender's side
    BACK = -80  # 40: from the receiver's side
    HEAD = -120  # 40: the header that is read
    DATA = -136  # 16: the begin of the payload
    VALUE = -160  # 24: a new value of the map
    END = -168  # where the packet ends in the frame, without padding
    L3 = -176
    SEQUENCE = -184  # that of the segment, or of what follows a SYN
    NUMBER = -192  # of the only element of the budget


class Kept(IntEnum):
    """Offsets in a value of the map. `LIMIT`: bytes that pass of what the client says from `BEGIN` on."""

    BEGIN = 0
    LIMIT = 4
    SERVER = 8  # the number of the server's first byte, if `ANSWERED` is 1
    ANSWERED = 12
    ANSWERS = 16  # counted


class Talk(IntEnum):
    """Offsets in a conversation over UDP; in the budget too. `COUNT`: of the unanswered in this turn."""

    TURN = 0
    COUNT = 8
    ANSWERED = 16


def program(left: Iterable[int] = ()) -> Blocks:
    """The program; `left`: tags whose frames are captured where their VLAN's frames arrive, and dropped here."""
    return {**_frames(sorted(left)), **NETWORKS, **EXTENSIONS, **DATAGRAMS, **SEGMENTS, **PROBES, **ENDS}


def _frames(left: Iterable[int]) -> Blocks:
    """Finds the network's header behind VLAN tags."""
    dropped = [jump_if(R1, "==", tag, "drop") for tag in left]
    ether_type = packet.ETHERNET - 2
    return {
        "frame": [
            compute(R6, "=", R1),
            load(WORD, R1, R6, FrameLayout.TAGGED),
            jump_if(R1, "==", 0, "inside"),
            load(WORD, R1, R6, FrameLayout.TAG),
            compute(R1, "&", packet.TAG_BITS),
            *dropped,
            jump("begin"),
        ],
        "inside": [  # of the frame is its outermost tag, where the kernel has not taken it off
            *take(ether_type, Cell.DATA, 4, "drop"),
            load(HALF, R1, R10, Cell.DATA),
            *(jump_if(R1, "==", packet.half(one), "named") for one in packet.VLAN_TYPES),
            jump("begin"),
        ],
        "named": [
            load(HALF, R1, R10, Cell.DATA + 2),
            network_order(R1),
            compute(R1, "&", packet.TAG_BITS),
            *dropped,
        ],
        "begin": [
            *(store(DOUBLE, R10, at, 0) for at in range(Cell.BACK, 0, 8)),
            compute(R8, "=", packet.ETHERNET),
        ],
        "network": [
            compute(R9, "=", R8),
            compute(R9, "-", 2),
            *take(R9, Cell.DATA, 2, "drop"),
            load(HALF, R1, R10, Cell.DATA),
            store(DOUBLE, R10, Cell.L3, R8),
            jump_if(R1, "==", packet.half(packet.IPV4), "ipv4"),
            jump_if(R1, "==", packet.half(packet.IPV6), "ipv6"),
            jump_if(R1, "==", packet.half(packet.ARP), "pass"),
            compute(R8, "+", packet.VLAN_BYTES),
            jump_if(R8, ">", packet.ETHERNET + packet.VLAN_BYTES * packet.MOST_INNER_TAGS, "drop"),
            *(jump_if(R1, "==", packet.half(one), "network") for one in packet.VLAN_TYPES),
            jump("drop"),
        ],
    }


def _ended(header_bytes: int, block: str) -> Iterator[Instruction]:
    """The packet's end goes to `Cell.END`. R1: its length as in the packet; 0: longer than can be said."""
    yield load(WORD, R2, R6, FrameLayout.LENGTH)
    yield store(DOUBLE, R10, Cell.END, R2)
    yield network_order(R1)
    yield jump_if(R1, "==", 0, block)
    yield compute(R1, "+", header_bytes)
    yield compute(R1, "+", R8)
    yield jump_if(R1, ">", R2, block)
    yield store(DOUBLE, R10, Cell.END, R1)


def _addresses(width: int, source: int, destination: int) -> Iterator[Instruction]:
    """Both keys' addresses, of which the header has so many words of 4 bytes."""
    for number in range(width):
        for at, to in ((source, 0), (destination, 16)):
            yield load(WORD, R1, R10, Cell.HEAD + at + 4 * number)
            yield store(WORD, R10, Cell.KEY + to + 4 * number, R1)
            yield store(WORD, R10, Cell.BACK + (16 - to) + 4 * number, R1)


NETWORKS: Blocks = {
    "ipv4": [
        *take(R8, Cell.HEAD, packet.NETWORK_BYTES[4], "drop"),
        load(HALF, R1, R10, Cell.HEAD + 6),
        compute(R1, "&", packet.half(0x1FFF)),
        jump_if(R1, "!=", 0, "drop"),  # a later fragment has no ports
        *_addresses(1, 12, 16),
        *(store(BYTE, R10, at + 36, VERSION_4) for at in (Cell.KEY, Cell.BACK)),
        load(HALF, R1, R10, Cell.HEAD + 2),
        *_ended(0, "measured4"),
    ],
    "measured4": [
        load(BYTE, R1, R10, Cell.HEAD),
        compute(R2, "=", R1),
        compute(R2, ">>", 4),
        jump_if(R2, "!=", VERSION_4, "drop"),
        compute(R1, "&", 0x0F),
        jump_if(R1, "<", 5, "drop"),
        compute(R1, "<<", 2),  # the header's length, in words of 4 bytes
        compute(R8, "+", R1),
        load(BYTE, R7, R10, Cell.HEAD + 9),
        jump("transport"),
    ],
    "ipv6": [
        *take(R8, Cell.HEAD, packet.NETWORK_BYTES[6], "drop"),
        load(BYTE, R1, R10, Cell.HEAD),
        compute(R1, ">>", 4),
        jump_if(R1, "!=", VERSION_6, "drop"),
        *_addresses(4, 8, 24),
        *(store(BYTE, R10, at + 36, VERSION_6) for at in (Cell.KEY, Cell.BACK)),
        load(HALF, R1, R10, Cell.HEAD + 4),
        *_ended(packet.NETWORK_BYTES[6], "measured6"),
    ],
    "measured6": [
        load(BYTE, R7, R10, Cell.HEAD + 6),
        compute(R8, "+", packet.NETWORK_BYTES[6]),
        compute(R9, "=", 0),
    ],
}


def _extension() -> Iterator[Instruction]:
    """The begin of an extension header goes to `Cell.DATA`; R2: its second byte, of most kinds the length."""
    yield from take(R8, Cell.DATA, 8, "drop")
    yield load(BYTE, R2, R10, Cell.DATA + 1)


def _forgotten() -> Iterator[Instruction]:
    """Make the verifier forget R8, of 16 bits: of two bytes that are stored one by one it does not know what they are.

    Else it follows the program once for each place to which the headers before may lead. Takes a cell not used yet.
    """
    yield store(BYTE, R10, Cell.NUMBER, R8)
    yield compute(R8, ">>", 8)
    yield store(BYTE, R10, Cell.NUMBER + 1, R8)
    yield load(HALF, R8, R10, Cell.NUMBER)


# Skips the extension headers of IPv6. R9: how many were skipped. No block asks twice for the kind of a header: the
# verifier would follow it once for each kind.
EXTENSIONS: Blocks = {
    "extension": [
        jump_if(R7, "==", packet.UDP, "transport"),
        jump_if(R7, "==", packet.TCP, "transport"),
        jump_if(R7, "==", packet.ICMPV6, "neighbour"),
        *(jump_if(R7, "==", one, "options") for one in packet.OPTIONS_LIKE),
        jump_if(R7, "==", packet.FRAGMENT, "fragment"),
        jump_if(R7, "==", packet.AUTHENTICATION, "authentication"),
        jump("drop"),
    ],
    "options": [*_extension(), compute(R2, "+", 1), compute(R2, "<<", 3), jump("skip")],
    "authentication": [  # RFC 4302 counts in 4 octets
        *_extension(),
        compute(R2, "+", 2),
        compute(R2, "<<", 2),
        jump("skip"),
    ],
    "fragment": [
        *_extension(),
        load(HALF, R1, R10, Cell.DATA + 2),
        compute(R1, "&", packet.half(0xFFF8)),
        jump_if(R1, "!=", 0, "drop"),  # a later fragment has no ports
        compute(R2, "=", 8),
    ],
    "skip": [
        compute(R9, "+", 1),
        jump_if(R9, ">", packet.MOST_EXTENSIONS, "drop"),
        load(BYTE, R7, R10, Cell.DATA),
        compute(R8, "+", R2),
        *_forgotten(),
        jump("extension"),
    ],
    "neighbour": [
        *take(R8, Cell.DATA, 1, "drop"),
        load(BYTE, R1, R10, Cell.DATA),
        *(jump_if(R1, "==", one, "pass") for one in packet.NEIGHBOUR_TYPES),
        jump("drop"),
    ],
}

DATAGRAMS: Blocks = {
    "transport": [
        *take(R8, Cell.HEAD, packet.UDP_BYTES, "drop"),
        *(
            step
            for at in (Cell.HEAD, Cell.HEAD + 2)
            for step in (load(HALF, R1, R10, at), jump_if(R1, "==", packet.half(packet.DNS_PORT), "pass"))
        ),
        jump_if(R7, "==", packet.TCP, "segment"),
        jump_if(R7, "!=", packet.UDP, "drop"),
        load(HALF, R1, R10, Cell.HEAD),
        *(jump_if(R1, "==", packet.half(port), "pass") for port in packet.FROM_PORTS),
        load(HALF, R1, R10, Cell.HEAD + 2),
        jump_if(R1, "==", packet.half(packet.DHCP_PORT), "pass"),
        compute(R8, "+", packet.UDP_BYTES),
        *take(R8, Cell.DATA, 12, "talk"),
        load(BYTE, R1, R10, Cell.DATA),
        load(BYTE, R2, R10, Cell.DATA + 9),
        load(BYTE, R3, R10, Cell.DATA + 10),
        compute(R2, "<<", 8),
        compute(R2, "|", R3),
        jump_if(R2, "==", GOOGLE, "google"),
    ],
    "initial": [
        load(BYTE, R2, R10, Cell.DATA + 1),
        *(
            step
            for at in (2, 3, 4)
            for step in (compute(R2, "<<", 8), load(BYTE, R3, R10, Cell.DATA + at), compute(R2, "|", R3))
        ),
        compute(R1, "&", 0xF0),  # a long header, and its type
        jump_if(R2, "==", 1, "first"),
        jump_if(R2, "!=", 0x6B33_43CF, "talk"),
        jump_if(R1, "==", 0xC0 | packet.QUIC_VERSIONS[0x6B33_43CF], "pass"),
        jump("talk"),
    ],
    "first": [jump_if(R1, "==", 0xC0 | packet.QUIC_VERSIONS[1], "pass"), jump("talk")],
    "google": [
        compute(R2, "=", R1),
        compute(R2, "&", 0x09),  # flags: the version is there, and an id of 8 bytes
        jump_if(R2, "==", 0x09, "pass"),
        jump("initial"),
    ],
}


def _insert(limit: int | Register) -> Iterator[Instruction]:
    """Keep the sender's connection, from `Cell.SEQUENCE` on."""
    yield store(DOUBLE, R10, Cell.VALUE + 8, 0)
    yield store(DOUBLE, R10, Cell.VALUE + 16, 0)
    yield load(DOUBLE, R1, R10, Cell.SEQUENCE)
    yield store(WORD, R10, Cell.VALUE + Kept.BEGIN, R1)
    yield store(WORD, R10, Cell.VALUE + Kept.LIMIT, limit)
    yield map_named(R1, FLOWS)
    yield from invoke(Helper.MAP_UPDATE, R1, on_stack(Cell.KEY), on_stack(Cell.VALUE), 0)


def _distance(begin: int) -> Iterator[Instruction]:
    """R2 becomes the distance of the segment from this number in the value at R0."""
    yield load(WORD, R1, R0, begin)
    yield load(DOUBLE, R2, R10, Cell.SEQUENCE)
    yield compute(R2, "-", R1)
    yield compute(R2, "<<", 32)
    yield compute(R2, ">>", 32)


def _ports() -> Iterator[Instruction]:
    """Both keys' ports, from the header."""
    yield load(WORD, R1, R10, Cell.HEAD)
    yield store(WORD, R10, Cell.KEY + 32, R1)
    yield load(HALF, R1, R10, Cell.HEAD)
    yield load(HALF, R2, R10, Cell.HEAD + 2)
    yield store(HALF, R10, Cell.BACK + 32, R2)
    yield store(HALF, R10, Cell.BACK + 34, R1)


# R8: where the segment begins, then its payload. R9: bytes of the payload.
SEGMENTS: Blocks = {
    "segment": [
        *_ports(),
        *take(R8, Cell.HEAD, packet.TCP_BYTES, "probe"),  # a fragment without flags
        load(WORD, R1, R10, Cell.HEAD + 4),
        network_order(R1, 32),
        store(DOUBLE, R10, Cell.SEQUENCE, R1),
        load(BYTE, R1, R10, Cell.HEAD + 13),
        compute(R2, "=", R1),
        compute(R2, "&", SYN | RST | ACK),
        jump_if(R2, "==", SYN, "opens"),
        jump_if(R2, "==", SYN | ACK, "accepts"),
        jump_if(R1, "&", FIN | SYN | RST, "pass"),
        load(BYTE, R1, R10, Cell.HEAD + 12),
        compute(R1, ">>", 4),
        compute(R1, "<<", 2),  # the header's length, in words of 4 bytes
        jump_if(R1, "<", packet.TCP_BYTES, "probe"),  # the same, filled up to the least length of a frame
        compute(R8, "+", R1),
        load(DOUBLE, R9, R10, Cell.END),
        jump_if(R9, "<=", R8, "bare"),  # without content
        compute(R9, "-", R8),
        store(DOUBLE, R10, Cell.DATA, 0),
        store(DOUBLE, R10, Cell.DATA + 8, 0),
        jump_if(R9, "<", BEGIN_BYTES, "few"),
        *take(R8, Cell.DATA, BEGIN_BYTES, "drop"),
        jump("data"),
    ],
    "few": [
        *take(R8, Cell.DATA, 1, "drop"),
        jump_if(R9, "<", 2, "data"),
        *take(R8, Cell.DATA, 2, "drop"),
        jump("data"),
    ],
    "opens": [
        load(DOUBLE, R1, R10, Cell.SEQUENCE),
        compute(R1, "+", 1),
        store(DOUBLE, R10, Cell.SEQUENCE, R1),
        compute(R9, "=", MOST_BYTES),
        *_insert(R9),
        jump("pass"),
    ],
    "accepts": [
        *look_up(FLOWS, Cell.BACK),
        jump_if(R0, "==", 0, "pass"),
        load(DOUBLE, R1, R10, Cell.SEQUENCE),
        compute(R1, "+", 1),
        store(WORD, R0, Kept.SERVER, R1),
        store(WORD, R0, Kept.ANSWERED, 1),
        jump("pass"),
    ],
    "data": [
        *look_up(FLOWS, Cell.KEY),
        jump_if(R0, "==", 0, "unknown"),
        *_distance(Kept.BEGIN),
        load(WORD, R1, R0, Kept.LIMIT),
        jump_if(R2, ">=", R1, "record"),
        jump_if(R2, "!=", 0, "long"),
        compute(R7, "=", R0),
        load(BYTE, R1, R10, Cell.DATA),
        jump_if(R1, "==", RECORD, "measure"),
        compute(R2, "=", 0),
        *(jump_if(R1, "==", ord(one), "limited") for one in HTTP),
        compute(R2, "=", PREFIX_BYTES),
    ],
    "limited": [
        store(WORD, R7, Kept.LIMIT, R2),
        jump_if(R2, "==", 0, "drop"),
        jump("long"),
    ],
    # The begin of a record: of how many bytes is the hello, where that is known? R7: the value in the map.
    "measure": [
        jump_if(R9, "<", BEGIN_BYTES, "long"),
        load(BYTE, R1, R10, Cell.DATA + 3),
        compute(R1, "<<", 8),
        load(BYTE, R2, R10, Cell.DATA + 4),
        compute(R1, "|", R2),
        load(BYTE, R2, R10, Cell.DATA + 6),
        *(
            step
            for at in (7, 8)
            for step in (compute(R2, "<<", 8), load(BYTE, R3, R10, Cell.DATA + at), compute(R2, "|", R3))
        ),
        compute(R2, "+", 4),
        jump_if(R2, ">", R1, "long"),  # in several records
        compute(R2, "+", 5),
        jump_if(R2, ">", MOST_BYTES, "long"),
        store(WORD, R7, Kept.LIMIT, R2),
        jump("long"),
    ],
    "unknown": [
        *look_up(FLOWS, Cell.BACK),
        jump_if(R0, "==", 0, "record"),
        load(WORD, R1, R0, Kept.ANSWERS),
        jump_if(R1, ">=", MOST_ANSWERS, "drop"),
        load(BYTE, R1, R10, Cell.DATA),
        jump_if(R1, "==", RECORD, "begun"),
        jump_if(R1, "!=", ALERT, "drop"),
    ],
    "begun": [
        load(BYTE, R1, R10, Cell.DATA + 1),
        jump_if(R1, "==", 3, "answer"),
        load(WORD, R1, R0, Kept.ANSWERED),
        jump_if(R1, "==", 0, "drop"),
        *_distance(Kept.SERVER),
        jump_if(R2, "!=", 0, "drop"),
    ],
    "answer": [
        load(WORD, R1, R0, Kept.ANSWERS),
        compute(R1, "+", 1),
        store(WORD, R0, Kept.ANSWERS, R1),
        jump("pass"),
    ],
    # Does a hello begin here, at whatever place of the connection?
    "record": [
        jump_if(R9, "<", BEGIN_BYTES, "drop"),
        load(BYTE, R1, R10, Cell.DATA),
        jump_if(R1, "!=", RECORD, "drop"),
        load(BYTE, R1, R10, Cell.DATA + 1),
        jump_if(R1, "!=", 3, "drop"),
        load(BYTE, R1, R10, Cell.DATA + 5),
        jump_if(R1, "!=", HELLO, "drop"),
        load(BYTE, R1, R10, Cell.DATA + 6),
        jump_if(R1, "!=", 0, "drop"),
        load(BYTE, R1, R10, Cell.DATA + 9),
        jump_if(R1, "!=", 3, "drop"),
        compute(R7, "=", MOST_BYTES),
        *_insert(R7),
        *look_up(FLOWS, Cell.KEY),
        jump_if(R0, "==", 0, "long"),
        compute(R7, "=", R0),
        jump("measure"),
    ],
}


def _begun(block: str) -> Iterator[Instruction]:
    """Begin a turn in the value at R0, which R7 becomes. `block`: where to go on if it has begun."""
    yield compute(R7, "=", R0)
    yield from invoke(Helper.NANOSECONDS)
    yield compute(R0, ">>", TURN_BITS)
    yield load(DOUBLE, R1, R7, Talk.TURN)
    yield jump_if(R1, "==", R0, block)
    yield store(DOUBLE, R7, Talk.TURN, R0)


def _counted(most: int) -> Iterator[Instruction]:
    """Count one more in the value at R7, and drop what is too many."""
    yield load(DOUBLE, R1, R7, Talk.COUNT)
    yield jump_if(R1, ">=", most, "drop")
    yield compute(R1, "+", 1)
    yield store(DOUBLE, R7, Talk.COUNT, R1)


PROBES: Blocks = {
    # A segment without content: is its connection known? If not, it is from now on, so that each tells itself once.
    "bare": [
        *look_up(FLOWS, Cell.KEY),
        jump_if(R0, "!=", 0, "drop"),
        *look_up(FLOWS, Cell.BACK),
        jump_if(R0, "!=", 0, "drop"),
        *_insert(0),
        jump("probe"),
    ],
    "talk": [
        *_ports(),
        *look_up(TALKS, Cell.KEY),
        jump_if(R0, "!=", 0, "again"),
        *look_up(TALKS, Cell.BACK),
        jump_if(R0, "!=", 0, "reply"),
        store(DOUBLE, R10, Cell.VALUE, 0),
        store(DOUBLE, R10, Cell.VALUE + 8, 0),
        store(DOUBLE, R10, Cell.VALUE + 16, 0),
        map_named(R1, TALKS),
        *invoke(Helper.MAP_UPDATE, R1, on_stack(Cell.KEY), on_stack(Cell.VALUE), 0),
        jump("probe"),
    ],
    "reply": [
        load(DOUBLE, R1, R0, Talk.ANSWERED),
        jump_if(R1, "!=", 0, "drop"),
        store(DOUBLE, R0, Talk.ANSWERED, 1),
        jump("head"),
    ],
    "again": [
        load(DOUBLE, R1, R0, Talk.ANSWERED),
        jump_if(R1, "!=", 0, "drop"),
        *_begun("again counted"),
        store(DOUBLE, R7, Talk.COUNT, 0),
    ],
    "again counted": [*_counted(MOST_UNANSWERED)],
    "probe": [
        store(DOUBLE, R10, Cell.NUMBER, 0),
        *look_up(BUDGET, Cell.NUMBER),
        jump_if(R0, "==", 0, "drop"),
        *_begun("counted"),
        store(DOUBLE, R7, Talk.COUNT, 0),
    ],
    "counted": [*_counted(MOST_PROBES)],
    "head": leave(PROBE_BYTES),
}

ENDS: Blocks = {
    "pass": leave(SHORT_BYTES),
    "long": leave(LONG_BYTES),
    "drop": leave(0),
}
