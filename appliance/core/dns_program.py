"""The program by which the kernel refuses look-ups of denied names: what it reads of a packet, and what it answers.

It stands at an interface where a department's packets come in (or a computer's own go out). Of a DNS query it takes the
name, and from the last label on, one label more each time, looks up whether that is denied: for all, or for the
department that the sender's address belongs to. Then the query itself becomes the answer, "there is no such name"
(NXDOMAIN), with the reason "blocked" (RFC 8914) for who understands it, and goes back where it came from. It carries no
SOA record, so that nobody keeps it (RFC 2308 section 5): what is allowed again is there at once.

Denied names are kept as numbers of 64 bits: FNV-1a over the name's bytes as they stand in a packet, in lower case, from
the last to the first, beginning with a secret that changes with each start, so that nobody finds two names alike.

What cannot be answered is dropped: a query over TCP, in fragments, or longer than 512 bytes. What is not read, and
passes: IPv6 extension headers, a name in several TCP segments, anything on another port, and what is encrypted.
"""

import sys
from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address
from struct import Struct

from appliance.core.block_rules import MOST_HITS, Hit
from appliance.core.ebpf import (
    END,
    Blocks,
    Helper,
    Instruction,
    MapKind,
    MapShape,
    Register,
    Size,
    add_atomically,
    call,
    compute,
    jump,
    jump_if,
    leave,
    load,
    map_named,
    network_order,
    number,
    store,
)
from appliance.core.meter import Network
from appliance.core.slots import ORIGIN_SHIFT

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = Register
WORD, HALF, BYTE, DOUBLE = Size.WORD, Size.HALF, Size.BYTE, Size.DOUBLE

FNV_PRIME = 0x100_0000_01B3  # of 64 bits (draft-eastlake-fnv)
MASK_64 = (1 << 64) - 1

# The maps: their names, keys and values.
DENIED = "denied"  # who is denied what -> until when, on the boot clock (0: for ever), and the mark of the block
SCOPES = "scopes"  # the longest prefix of an interface and a sender's address -> the department, as a number
ORIGINS = "origins"  # the origin of a block, as in its mark -> how many look-ups were refused
HITS = "hits"  # the mark of a block and a host -> how many
SCRATCH = "scratch"  # room for one packet's look-up
KEY, VALUE = Struct("=QII"), Struct("=QII")
SCOPE, INDEX_BITS = Struct("=II16s"), 32
HIT, COUNT, NUMBER = Struct("=I16s"), Struct("=Q"), Struct("=I")
FOREVER = 0
EVERYBODY = 0  # the department's number of what is denied to all
MAPPED = bytes(10) + b"\xff\xff"  # before an address of IPv4 (RFC 4291 section 2.5.5.2)

# linux/pkt_cls.h: TC_ACT_UNSPEC leaves the packet to whoever comes next; TC_ACT_SHOT drops it.
NEXT, SHOT = -1, 2
# struct __sk_buff
LENGTH, PROTOCOL, TAGGED, INTERFACE = 0, 16, 20, 40
INGRESS = 1  # BPF_F_INGRESS
PSEUDO, UNLESS_NONE = 0x10, 0x20  # BPF_F_PSEUDO_HDR, BPF_F_MARK_MANGLED_0

ETHERNET = 14
SIZES = {4: 20, 6: 40}  # of the headers, by IP version
TCP, UDP, DNS_PORT = 6, 17, 53
UDP_BYTES, TCP_BYTES, DNS_BYTES = 8, 20, 12
SHORTEST_QUERY = DNS_BYTES + 1 + 4  # the root's name, type and class
LONGEST_QUERY = 512  # what any server takes (RFC 1035 section 4.2.1); what is longer has padding or many options
LONGEST_NAME, MOST_LABELS, LONGEST_LABEL = 255, 127, 63  # RFC 1035 section 2.3.4
LAST = DNS_BYTES + LONGEST_NAME - 1  # where the last byte of the longest name stands
RESPONSE_OR_OPERATION, KEPT, REFUSAL = 0xF800, 0x0110, 0x8083  # of the flags: RD and CD are kept; QR, RA, NXDOMAIN
# An OPT record (RFC 6891) for 1,232 bytes, with the extended error (RFC 8914 section 4.16) 15: blocked.
OPTIONS = bytes.fromhex("00 0029 04d0 00000000 0006 000f 0002 000f")

# The scratch: the query, the answer, where the labels begin; and what the verifier shall know nothing of, because it
# would look at all that follows once for each value.
ANSWER, LABELS, NAME_END, LABEL_COUNT, FORGOTTEN = 512, 1024, 1280, 1284, 1288
SCRATCH_BYTES = 1296

MAPS = {
    DENIED: MapShape(MapKind.HASH, KEY.size, VALUE.size, 1024),  # a filter with more names has a larger one
    SCOPES: MapShape(MapKind.PREFIXES, SCOPE.size, NUMBER.size, 4096),  # networks of all departments
    ORIGINS: MapShape(MapKind.ARRAY, NUMBER.size, COUNT.size, 1 << 32 - ORIGIN_SHIFT),
    HITS: MapShape(MapKind.LATEST, HIT.size, COUNT.size, MOST_HITS),
    SCRATCH: MapShape(MapKind.ARRAY_OF_CORES, NUMBER.size, SCRATCH_BYTES, 1),
}

# The stack. What the kernel writes to or reads from has its size beside it.
NET = -40  # 40: the network's header
TRANSPORT = -64  # 20: the transport's header
HOST = -80  # 16: the sender's address, after what makes a key of it
HIT_KEY, SCOPE_KEY = HOST - 4, HOST - 8
MACS = -104  # 12
NAME_KEY = -120  # 16
ONE = -128
L4, DNS, MESSAGE, SILENT, DEPARTMENT, NOW, BOUND, STEP, MARK, ASKED, DIFFERENCE, ANSWERED = range(-136, -232, -8)


def digest(name: str, seed: int) -> int:
    """The number by which the kernel knows this name. `name`: as `core.targets.parse_target` writes it."""
    wire = b"".join(len(label).to_bytes(1, "big") + label for label in name.encode().split(b"."))
    found = seed
    for one in reversed(wire):
        found = (found ^ one) * FNV_PRIME & MASK_64
    return found


def hits_in(counted: Mapping[bytes, bytes]) -> Iterator[Hit]:
    """What `HITS` shows."""
    for key, value in counted.items():
        mark, packed = HIT.unpack(key)
        address = IPv6Address(packed)
        yield Hit(mark, str(address.ipv4_mapped or address), COUNT.unpack(value)[0])


def scope_key(interface: int, network: Network | None) -> bytes:
    """Who asks, as a key of `SCOPES`. `interface`: its index; `network`: `None`: every other address there."""
    if network is None:
        return SCOPE.pack(INDEX_BITS, interface, bytes(16))
    packed = network.network_address.packed
    mapped = packed if len(packed) == 16 else MAPPED + packed
    return SCOPE.pack(INDEX_BITS + 128 - network.max_prefixlen + network.prefixlen, interface, mapped)


def program(seed: int, *, is_own: bool) -> Blocks:
    """The program. `seed`: of the digests; `is_own`: the queries are this computer's own, and go out."""
    return {
        "frame": [
            compute(R6, "=", R1),
            load(WORD, R1, R6, TAGGED),
            jump_if(R1, "!=", 0, "next"),  # it belongs to a subinterface, which has a gate of its own
            store(DOUBLE, R10, SILENT, 0),
            load(WORD, R1, R6, PROTOCOL),
            jump_if(R1, "==", _network(0x0800), "ipv4"),
            jump_if(R1, "==", _network(0x86DD), "ipv6"),
        ],
        "next": leave(NEXT),
        "drop": leave(SHOT),
        "ipv4": [
            *_take(ETHERNET, NET, SIZES[4]),
            load(HALF, R1, R10, NET + 6),
            compute(R2, "=", R1),
            compute(R2, "&", _network(0x1FFF)),
            jump_if(R2, "!=", 0, "next"),  # a later fragment, without a name
            compute(R1, "&", _network(0x2000)),
            store(DOUBLE, R10, SILENT, R1),
            store(DOUBLE, R10, HOST, 0),
            store(WORD, R10, HOST + 8, int.from_bytes(MAPPED[8:], sys.byteorder)),
            load(WORD, R1, R10, NET + 12),
            store(WORD, R10, HOST + 12, R1),
            load(BYTE, R1, R10, NET),
            compute(R1, "&", 0x0F),
            compute(R1, "<<", 2),  # the header's length, in words of 4 bytes
            compute(R1, "+", ETHERNET),
            store(DOUBLE, R10, L4, R1),
            load(BYTE, R1, R10, NET + 9),
            jump("transport"),
        ],
        "ipv6": [
            *_take(ETHERNET, NET, SIZES[6]),
            load(DOUBLE, R1, R10, NET + 8),
            store(DOUBLE, R10, HOST, R1),
            load(DOUBLE, R1, R10, NET + 16),
            store(DOUBLE, R10, HOST + 8, R1),
            store(DOUBLE, R10, L4, ETHERNET + SIZES[6]),
            load(BYTE, R1, R10, NET + 6),
        ],
        "transport": [jump_if(R1, "==", UDP, "udp"), jump_if(R1, "!=", TCP, "next")],
        "tcp": [
            load(DOUBLE, R2, R10, L4),
            *_take(R2, TRANSPORT, TCP_BYTES),
            load(HALF, R1, R10, TRANSPORT + 2),
            jump_if(R1, "!=", _network(DNS_PORT), "next"),
            store(DOUBLE, R10, SILENT, 1),
            load(BYTE, R1, R10, TRANSPORT + 12),
            compute(R1, ">>", 4),
            compute(R1, "<<", 2),  # the header's length, in words of 4 bytes
            load(DOUBLE, R2, R10, L4),
            compute(R1, "+", R2),
            compute(R1, "+", 2),  # the message's length stands before it (RFC 1035 section 4.2.2)
            store(DOUBLE, R10, DNS, R1),
            load(WORD, R2, R6, LENGTH),
            jump_if(R2, "<=", R1, "next"),
            compute(R2, "-", R1),
            compute(R1, "=", R2),
            jump("message"),
        ],
        "udp": [
            load(DOUBLE, R2, R10, L4),
            *_take(R2, TRANSPORT, UDP_BYTES),
            load(HALF, R1, R10, TRANSPORT + 2),
            jump_if(R1, "!=", _network(DNS_PORT), "next"),
            load(DOUBLE, R1, R10, L4),
            compute(R1, "+", UDP_BYTES),
            store(DOUBLE, R10, DNS, R1),
            load(HALF, R1, R10, TRANSPORT + 4),
            network_order(R1),
            jump_if(R1, "<", UDP_BYTES, "next"),
            compute(R1, "-", UDP_BYTES),
        ],
        # R1: the message's length, or what of it is in the segment.
        "message": [
            jump_if(R1, "<", SHORTEST_QUERY, "next"),
            jump_if(R1, "<=", LONGEST_QUERY, "whole"),
            store(DOUBLE, R10, SILENT, 1),
            compute(R1, "=", LONGEST_QUERY),
        ],
        "whole": [
            store(DOUBLE, R10, MESSAGE, R1),
            store(WORD, R10, ONE, 0),
            map_named(R1, SCRATCH),
            compute(R2, "=", R10),
            compute(R2, "+", ONE),
            call(Helper.MAP_LOOKUP),
            jump_if(R0, "==", 0, "next"),
            compute(R7, "=", R0),
            *(step for one in (L4, DNS, MESSAGE, SILENT) for step in _forgotten(one)),
            load(DOUBLE, R4, R10, MESSAGE),
            jump_if(R4, "<", SHORTEST_QUERY, "next"),
            jump_if(R4, ">", LONGEST_QUERY, "next"),
            compute(R1, "=", R4),
            compute(R1, "-", 1),
            compute(R1, "&", LONGEST_QUERY - 4),
            compute(R1, "+", R7),
            store(WORD, R1, 0, 0),  # the sum is one of whole words
            compute(R1, "=", R6),
            load(DOUBLE, R2, R10, DNS),
            compute(R3, "=", R7),
            call(Helper.LOAD_BYTES),
            jump_if(R0, "!=", 0, "next"),
            load(HALF, R1, R7, 2),
            compute(R1, "&", _network(RESPONSE_OR_OPERATION)),
            jump_if(R1, "!=", 0, "next"),
            load(HALF, R1, R7, 4),
            jump_if(R1, "!=", _network(1), "next"),  # one question: no server answers two
            compute(R8, "=", DNS_BYTES),
            compute(R9, "=", 0),
        ],
        # R8: where the label begins; R9: how many were before it.
        "label": [
            jump_if(R8, ">", LAST, "next"),
            load(DOUBLE, R1, R10, MESSAGE),
            jump_if(R8, ">=", R1, "next"),
            compute(R2, "=", R7),
            compute(R2, "+", R8),
            load(BYTE, R1, R2, 0),
            jump_if(R1, "==", 0, "named"),
            jump_if(R1, ">", LONGEST_LABEL, "next"),  # a pointer, of which there is none in a query
            compute(R2, "=", R9),
            compute(R2, "<<", 1),
            compute(R2, "+", R7),
            store(HALF, R2, LABELS, R8),
            compute(R8, "+", R1),
            compute(R8, "+", 1),
            compute(R9, "+", 1),
            jump_if(R9, "<", MOST_LABELS, "label"),
            jump("next"),
        ],
        "named": [
            store(WORD, R7, NAME_END, R8),
            store(WORD, R7, LABEL_COUNT, R9),
            *_forgotten(MESSAGE),
            store(WORD, R10, SCOPE_KEY, INDEX_BITS + 128),
            load(WORD, R1, R6, INTERFACE),
            store(WORD, R10, SCOPE_KEY + 4, R1),
            store(DOUBLE, R10, DEPARTMENT, EVERYBODY),
            *_look_up(SCOPES, SCOPE_KEY),
            jump_if(R0, "==", 0, "asked"),
            load(WORD, R1, R0, 0),
            store(DOUBLE, R10, DEPARTMENT, R1),
        ],
        "asked": [
            *_forgotten(DEPARTMENT),
            call(Helper.BOOT_NANOSECONDS),
            store(DOUBLE, R10, NOW, R0),
            store(DOUBLE, R10, STEP, 0),
            load(WORD, R9, R7, NAME_END),
            number(R8, seed),
        ],
        # R8: the digest so far; R9: where its last byte stands.
        "bound": [
            load(WORD, R1, R7, LABEL_COUNT),
            jump_if(R1, "==", 0, "next"),
            compute(R1, "-", 1),
            jump_if(R1, ">=", MOST_LABELS, "next"),
            store(WORD, R7, LABEL_COUNT, R1),
            compute(R1, "<<", 1),
            compute(R1, "+", R7),
            load(HALF, R1, R1, LABELS),
            store(DOUBLE, R10, BOUND, R1),
        ],
        "byte": [
            load(DOUBLE, R1, R10, STEP),
            compute(R1, "+", 1),
            jump_if(R1, ">", LONGEST_NAME, "next"),
            store(DOUBLE, R10, STEP, R1),
            compute(R9, "-", 1),
            jump_if(R9, "<", DNS_BYTES, "next"),
            jump_if(R9, ">", LAST, "next"),
            compute(R2, "=", R7),
            compute(R2, "+", R9),
            load(BYTE, R1, R2, 0),
            compute(R2, "=", R1),
            compute(R2, "-", ord("A")),
            jump_if(R2, ">", ord("Z") - ord("A"), "lower"),  # a label's length is below "A" too
            compute(R1, "|", ord("a") - ord("A")),
        ],
        "lower": [
            compute(R8, "^", R1),
            number(R2, FNV_PRIME),
            compute(R8, "*", R2),
            load(DOUBLE, R1, R10, BOUND),
            jump_if(R9, "==", R1, "suffix"),  # not the other way round: the verifier goes on without jumping first
            jump("byte"),
        ],
        "suffix": [
            store(DOUBLE, R10, NAME_KEY, R8),
            store(DOUBLE, R10, NAME_KEY + 8, EVERYBODY),
            *_look_up(DENIED, NAME_KEY),
            jump_if(R0, "==", 0, "department"),
            load(DOUBLE, R1, R0, 0),
            jump_if(R1, "==", FOREVER, "denied"),
            load(DOUBLE, R2, R10, NOW),
            jump_if(R2, "<", R1, "denied"),
        ],
        "department": [
            load(DOUBLE, R1, R10, DEPARTMENT),
            jump_if(R1, "==", EVERYBODY, "bound"),
            store(WORD, R10, NAME_KEY + 8, R1),
            *_look_up(DENIED, NAME_KEY),
            jump_if(R0, "==", 0, "bound"),
            load(DOUBLE, R1, R0, 0),
            jump_if(R1, "==", FOREVER, "denied"),
            load(DOUBLE, R2, R10, NOW),
            jump_if(R2, ">=", R1, "bound"),
        ],
        "denied": [
            load(WORD, R1, R0, 8),
            store(DOUBLE, R10, MARK, R1),
            compute(R1, ">>", ORIGIN_SHIFT),
            store(WORD, R10, ONE, R1),
            *_look_up(ORIGINS, ONE),
            jump_if(R0, "==", 0, "hit"),
            compute(R1, "=", 1),
            add_atomically(R0, 0, R1),
        ],
        "hit": [
            load(DOUBLE, R1, R10, MARK),
            store(WORD, R10, HIT_KEY, R1),
            *_look_up(HITS, HIT_KEY),
            jump_if(R0, "==", 0, "first hit"),
            compute(R1, "=", 1),
            add_atomically(R0, 0, R1),
            jump("answer"),
        ],
        "first hit": [
            store(DOUBLE, R10, ONE, 1),
            map_named(R1, HITS),
            *_at(R2, HIT_KEY),
            *_at(R3, ONE),
            compute(R4, "=", 0),
            call(Helper.MAP_UPDATE),
        ],
        **_answer(is_own=is_own),
    }


def _answer(*, is_own: bool) -> Blocks:
    """The query becomes its answer, in the scratch first, then in the packet."""
    return {
        "answer": [
            load(DOUBLE, R1, R10, SILENT),
            jump_if(R1, "!=", 0, "drop"),
            *_take(0, MACS, 12),
            load(BYTE, R1, R10, MACS),
            jump_if(R1, "&", 1, "drop"),  # sent to many, of whom none may be the sender of the answer
            # The question: the name with its end, its type and its class.
            load(WORD, R4, R7, NAME_END),
            jump_if(R4, ">", LAST, "drop"),
            compute(R4, "+", 1 + 4),
            store(DOUBLE, R10, ASKED, R4),
            load(DOUBLE, R1, R10, MESSAGE),
            jump_if(R4, ">", R1, "drop"),
            compute(R1, "=", R7),
            compute(R1, "+", R4),
            *(store(WORD, R1, ANSWER + 4 * at, 0) for at in range(5)),
            compute(R1, "=", R6),
            load(DOUBLE, R2, R10, DNS),
            compute(R3, "=", R7),
            compute(R3, "+", ANSWER),
            call(Helper.LOAD_BYTES),
            jump_if(R0, "!=", 0, "drop"),
            load(HALF, R1, R7, ANSWER + 2),
            compute(R1, "&", _network(KEPT)),
            compute(R1, "|", _network(REFUSAL)),
            store(HALF, R7, ANSWER + 2, R1),
            store(WORD, R7, ANSWER + 6, 0),  # no answer, and no authority
            load(DOUBLE, R1, R10, ASKED),
            jump_if(R1, ">", LAST + 5, "drop"),
            load(HALF, R2, R7, ANSWER + 10),
            jump_if(R2, "==", 0, "sums"),
            store(HALF, R7, ANSWER + 10, _network(1)),
            compute(R2, "=", R7),
            compute(R2, "+", R1),
            *_written(R2, ANSWER, OPTIONS),
            compute(R1, "+", len(OPTIONS)),
        ],
        "sums": [
            store(DOUBLE, R10, ANSWERED, R1),
            load(DOUBLE, R2, R10, MESSAGE),
            jump_if(R2, ">", LONGEST_QUERY, "drop"),
            *_whole_words(R2),
            compute(R1, "=", R7),
            *(compute(one, "=", 0) for one in (R3, R4, R5)),
            call(Helper.CHECKSUM_DIFFERENCE),
            compute(R5, "=", R0),
            load(DOUBLE, R4, R10, ANSWERED),
            jump_if(R4, ">", LAST + 5 + len(OPTIONS), "drop"),
            *_whole_words(R4),
            compute(R3, "=", R7),
            compute(R3, "+", ANSWER),
            *(compute(one, "=", 0) for one in (R1, R2)),
            call(Helper.CHECKSUM_DIFFERENCE),
            store(DOUBLE, R10, DIFFERENCE, R0),
            # From here on the packet is changed; whatever fails now, it goes nowhere.
            compute(R1, "=", R6),
            load(DOUBLE, R2, R10, DNS),
            load(DOUBLE, R3, R10, ANSWERED),
            compute(R2, "+", R3),
            compute(R3, "=", 0),
            call(Helper.CHANGE_TAIL),
            jump_if(R0, "!=", 0, "drop"),
            load(DOUBLE, R9, R10, L4),
            *_replace_sum(0, DIFFERENCE, UNLESS_NONE),
            load(HALF, R1, R10, TRANSPORT + 4),
            store(DOUBLE, R10, ASKED, R1),
            load(DOUBLE, R1, R10, ANSWERED),
            compute(R1, "+", UDP_BYTES),
            network_order(R1),
            store(DOUBLE, R10, DIFFERENCE, R1),
            *_replace_sum(ASKED, DIFFERENCE, UNLESS_NONE | 2),
            *_replace_sum(ASKED, DIFFERENCE, UNLESS_NONE | PSEUDO | 2),
            # Both ports and the length.
            load(HALF, R1, R10, TRANSPORT),
            load(HALF, R2, R10, TRANSPORT + 2),
            store(HALF, R10, TRANSPORT, R2),
            store(HALF, R10, TRANSPORT + 2, R1),
            load(DOUBLE, R1, R10, DIFFERENCE),
            store(HALF, R10, TRANSPORT + 4, R1),
            *_put(R9, TRANSPORT, 6),
            compute(R1, "=", R6),
            load(DOUBLE, R2, R10, DNS),
            compute(R3, "=", R7),
            compute(R3, "+", ANSWER),
            load(DOUBLE, R4, R10, ANSWERED),
            jump_if(R4, "<", SHORTEST_QUERY, "drop"),
            jump_if(R4, ">", LAST + 5 + len(OPTIONS), "drop"),
            compute(R5, "=", 0),
            call(Helper.STORE_BYTES),
            load(WORD, R1, R6, PROTOCOL),
            jump_if(R1, "==", _network(0x86DD), "back6"),
        ],
        "back4": [
            load(DOUBLE, R1, R10, ANSWERED),
            load(DOUBLE, R2, R10, L4),
            compute(R1, "+", R2),
            compute(R1, "+", UDP_BYTES - ETHERNET),
            network_order(R1),
            load(HALF, R3, R10, NET + 2),
            store(HALF, R10, NET + 2, R1),
            compute(R4, "=", R1),
            compute(R1, "=", R6),
            compute(R2, "=", ETHERNET + 10),
            compute(R5, "=", 2),
            call(Helper.L3_CHECKSUM_REPLACE),
            *_put(ETHERNET + 2, NET + 2, 2),
            load(WORD, R1, R10, NET + 12),
            load(WORD, R2, R10, NET + 16),
            store(WORD, R10, NET + 12, R2),
            store(WORD, R10, NET + 16, R1),
            *_put(ETHERNET + 12, NET + 12, 8),
            jump("back"),
        ],
        "back6": [
            load(DOUBLE, R1, R10, DIFFERENCE),
            store(HALF, R10, NET + 4, R1),
            *_put(ETHERNET + 4, NET + 4, 2),
            *(load(DOUBLE, register, R10, NET + 8 + 8 * at) for at, register in enumerate((R1, R2, R3, R4))),
            *(store(DOUBLE, R10, NET + 8 + 8 * at, register) for at, register in enumerate((R3, R4, R1, R2))),
            *_put(ETHERNET + 8, NET + 8, 32),
        ],
        "back": [
            *(load(HALF, register, R10, MACS + 2 * at) for at, register in enumerate((R0, R1, R2, R3, R4, R5))),
            *(store(HALF, R10, MACS + 2 * at, register) for at, register in enumerate((R3, R4, R5, R0, R1, R2))),
            *_put(0, MACS, 12),
            load(WORD, R1, R6, INTERFACE),
            compute(R2, "=", INGRESS if is_own else 0),
            call(Helper.REDIRECT),
            END,
        ],
    }


def _take(start: int, to: int, size: int) -> Iterator[Instruction]:
    """Bytes of the packet to the stack; a packet that is shorter is no query. `start`: may be in R2."""
    yield compute(R1, "=", R6)
    if start is not R2:
        yield compute(R2, "=", start)
    yield from _at(R3, to)
    yield compute(R4, "=", size)
    yield call(Helper.LOAD_BYTES)
    yield jump_if(R0, "!=", 0, "next")


def _put(start: int, source: int, size: int) -> Iterator[Instruction]:
    """Bytes of the stack to the packet."""
    yield compute(R1, "=", R6)
    yield compute(R2, "=", start)
    yield from _at(R3, source)
    yield compute(R4, "=", size)
    yield compute(R5, "=", 0)
    yield call(Helper.STORE_BYTES)


def _replace_sum(before: int, after: int, flags: int) -> Iterator[Instruction]:
    """The transport's checksum follows what has changed. `before`, `after`: where on the stack; R9: the transport."""
    yield compute(R1, "=", R6)
    yield compute(R2, "=", R9)
    yield compute(R2, "+", 6)
    yield load(DOUBLE, R3, R10, before) if before else compute(R3, "=", 0)
    yield load(DOUBLE, R4, R10, after)
    yield compute(R5, "=", flags)
    yield call(Helper.L4_CHECKSUM_REPLACE)


def _look_up(name: str, key: int) -> Iterator[Instruction]:
    yield map_named(R1, name)
    yield from _at(R2, key)
    yield call(Helper.MAP_LOOKUP)


def _at(to: Register, place: int) -> Iterator[Instruction]:
    """`to` becomes this place of the stack."""
    yield compute(to, "=", R10)
    yield compute(to, "+", place)


def _forgotten(place: int) -> Iterator[Instruction]:
    """The verifier knows no more what stands at this place of the stack."""
    yield load(DOUBLE, R1, R10, place)
    yield store(DOUBLE, R7, FORGOTTEN, R1)
    yield load(DOUBLE, R1, R7, FORGOTTEN)
    yield store(DOUBLE, R10, place, R1)


def _whole_words(register: Register) -> Iterator[Instruction]:
    yield compute(register, "+", 3)
    yield compute(register, "&", 0x3FC)


def _written(base: Register, offset: int, content: bytes) -> Iterator[Instruction]:
    """These bytes, of which there is one more than fills words."""
    yield store(BYTE, base, offset, content[0])
    for at in range(1, len(content), 4):
        yield store(WORD, base, offset + at, int.from_bytes(content[at : at + 4], sys.byteorder))


def _network(value: int) -> int:
    """16 bits as a load of them from a packet shows them."""
    return int.from_bytes(value.to_bytes(2, "big"), sys.byteorder)
