"""The program by which the kernel refuses look-ups of denied names: what it reads of a packet.

It stands at an interface where a department's packets come in (or a computer's own go out). Of a DNS query it takes the
name, and from the last label on, one label more each time, looks up whether that is denied: for all, or for the
department that the sender's address belongs to. Then the query itself becomes the answer, "there is no such name"
(NXDOMAIN), with the reason "blocked" (RFC 8914) for who understands it, and goes back where it came from. It carries no
SOA record, so that nobody keeps it (RFC 2308 section 5): what is allowed again is there at once.

Over TCP the connection is reset. What cannot be answered is dropped: a query in fragments, or longer than 512 bytes.
What is not read, and passes: IPv6 extension headers, a name in several TCP segments, anything on another port, and what
is encrypted.
"""

import sys
from collections.abc import Iterator

from appliance.core.blocking.sets import ORIGIN_SHIFT
from appliance.core.kernel.bpf.dns_answer import ANSWER_BLOCKS, BACK_BLOCKS, send
from appliance.core.kernel.bpf.dns_frame import (
    ANSWERING,
    BOUND,
    BYTE,
    DEPARTMENT,
    DNS,
    DNS_BYTES,
    DNS_PORT,
    DOUBLE,
    DROPPING,
    ETHERNET,
    HALF,
    HIT_KEY,
    HOST,
    INTERFACE,
    IPV4,
    IPV6,
    L4,
    LABEL_COUNT,
    LABELS,
    LAST,
    LENGTH,
    LONGEST_LABEL,
    LONGEST_NAME,
    LONGEST_QUERY,
    MARK,
    MESSAGE,
    MOST_LABELS,
    NAME_END,
    NAME_KEY,
    NET,
    NEXT,
    NOW,
    ONE,
    PROTOCOL,
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R7,
    R8,
    R9,
    R10,
    RESETTING,
    RESPONSE_OR_OPERATION,
    SCOPE_KEY,
    SHORTEST_QUERY,
    SHOT,
    SIZES,
    STEP,
    TAGGED,
    TCP,
    TCP_BYTES,
    TRANSPORT,
    UDP,
    UDP_BYTES,
    WAY,
    WORD,
    at,
    forgotten,
    in_packet,
    look_up,
    take,
)
from appliance.core.kernel.bpf.dns_maps import (
    DENIED,
    EVERYBODY,
    FNV_PRIME,
    FOREVER,
    HITS,
    INDEX_BITS,
    MAPPED,
    ORIGINS,
    SCOPES,
    SCRATCH,
)
from appliance.core.kernel.bpf.dns_reset import RESET_BLOCKS
from appliance.core.kernel.bpf.ebpf import (
    Blocks,
    Helper,
    Instruction,
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


def _deny(otherwise: str) -> Iterator[Instruction]:
    """On to "denied" if what `NAME_KEY` names is, and still is."""
    yield from look_up(DENIED, NAME_KEY)
    yield jump_if(R0, "==", 0, otherwise)
    yield load(DOUBLE, R1, R0, 0)
    yield jump_if(R1, "==", FOREVER, "denied")
    yield load(DOUBLE, R2, R10, NOW)
    yield jump_if(R2, "<", R1, "denied")
    yield jump(otherwise)


# To the transport's header; R1: the protocol.
HEADERS: Blocks = {
    "frame": [
        compute(R6, "=", R1),
        load(WORD, R1, R6, TAGGED),
        jump_if(R1, "!=", 0, "next"),  # it belongs to a subinterface, which has a gate of its own
        store(DOUBLE, R10, WAY, ANSWERING),
        load(WORD, R1, R6, PROTOCOL),
        jump_if(R1, "==", IPV4, "ipv4"),
        jump_if(R1, "==", IPV6, "ipv6"),
    ],
    "next": leave(NEXT),
    "drop": leave(SHOT),
    "ipv4": [
        *take(ETHERNET, NET, SIZES[4]),
        load(HALF, R1, R10, NET + 6),
        compute(R2, "=", R1),
        compute(R2, "&", in_packet(0x1FFF)),
        jump_if(R2, "!=", 0, "next"),  # a later fragment, without a name
        compute(R1, "&", in_packet(0x2000)),
        jump_if(R1, "==", 0, "whole4"),
        store(DOUBLE, R10, WAY, DROPPING),
    ],
    "whole4": [
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
        *take(ETHERNET, NET, SIZES[6]),
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
        *take(R2, TRANSPORT, TCP_BYTES),
        load(HALF, R1, R10, TRANSPORT + 2),
        jump_if(R1, "!=", in_packet(DNS_PORT), "next"),
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
        load(DOUBLE, R2, R10, WAY),
        jump_if(R2, "!=", ANSWERING, "message"),
        store(DOUBLE, R10, WAY, RESETTING),
        jump("message"),
    ],
    "udp": [
        load(DOUBLE, R2, R10, L4),
        *take(R2, TRANSPORT, UDP_BYTES),
        load(HALF, R1, R10, TRANSPORT + 2),
        jump_if(R1, "!=", in_packet(DNS_PORT), "next"),
        load(DOUBLE, R1, R10, L4),
        compute(R1, "+", UDP_BYTES),
        store(DOUBLE, R10, DNS, R1),
        load(HALF, R1, R10, TRANSPORT + 4),
        network_order(R1),
        jump_if(R1, "<", UDP_BYTES, "next"),
        compute(R1, "-", UDP_BYTES),
    ],
}

# To the query in the scratch, if it is one.
QUERY: Blocks = {
    # R1: the message's length, or what of it is in the segment.
    "message": [
        jump_if(R1, "<", SHORTEST_QUERY, "next"),
        jump_if(R1, "<=", LONGEST_QUERY, "whole"),
        compute(R1, "=", LONGEST_QUERY),
        load(DOUBLE, R2, R10, WAY),
        jump_if(R2, "!=", ANSWERING, "whole"),
        store(DOUBLE, R10, WAY, DROPPING),
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
        *(step for one in (L4, DNS, MESSAGE, WAY) for step in forgotten(one)),
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
        compute(R1, "&", in_packet(RESPONSE_OR_OPERATION)),
        jump_if(R1, "!=", 0, "next"),
        load(HALF, R1, R7, 4),
        jump_if(R1, "!=", in_packet(1), "next"),  # one question: no server answers two
        compute(R8, "=", DNS_BYTES),
        compute(R9, "=", 0),
    ],
}

# To where the name's labels begin, and who asks.
NAME: Blocks = {
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
        *forgotten(MESSAGE),
        store(WORD, R10, SCOPE_KEY, INDEX_BITS + 128),
        load(WORD, R1, R6, INTERFACE),
        store(WORD, R10, SCOPE_KEY + 4, R1),
        store(DOUBLE, R10, DEPARTMENT, EVERYBODY),
        *look_up(SCOPES, SCOPE_KEY),
        jump_if(R0, "==", 0, "asked"),
        load(WORD, R1, R0, 0),
        store(DOUBLE, R10, DEPARTMENT, R1),
    ],
    "asked": [
        *forgotten(DEPARTMENT),
        call(Helper.BOOT_NANOSECONDS),
        store(DOUBLE, R10, NOW, R0),
        store(DOUBLE, R10, STEP, 0),
        load(WORD, R9, R7, NAME_END),
    ],
}

# To whether the name is denied, or one that it is below.
SUFFIXES: Blocks = {
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
        *_deny("department"),
    ],
    "department": [
        load(DOUBLE, R1, R10, DEPARTMENT),
        jump_if(R1, "==", EVERYBODY, "bound"),
        store(WORD, R10, NAME_KEY + 8, R1),
        *_deny("bound"),
    ],
}

# To how often that has been.
COUNTING: Blocks = {
    "denied": [
        load(WORD, R1, R0, 8),
        store(DOUBLE, R10, MARK, R1),
        compute(R1, ">>", ORIGIN_SHIFT),
        store(WORD, R10, ONE, R1),
        *look_up(ORIGINS, ONE),
        jump_if(R0, "==", 0, "hit"),
        compute(R1, "=", 1),
        add_atomically(R0, 0, R1),
    ],
    "hit": [
        load(DOUBLE, R1, R10, MARK),
        store(WORD, R10, HIT_KEY, R1),
        *look_up(HITS, HIT_KEY),
        jump_if(R0, "==", 0, "first hit"),
        compute(R1, "=", 1),
        add_atomically(R0, 0, R1),
        jump("answer"),
    ],
    "first hit": [
        store(DOUBLE, R10, ONE, 1),
        map_named(R1, HITS),
        *at(R2, HIT_KEY),
        *at(R3, ONE),
        compute(R4, "=", 0),
        call(Helper.MAP_UPDATE),
    ],
}


def program(seed: int, *, is_own: bool) -> Blocks:
    """The program. `seed`: of the digests; `is_own`: the queries are this computer's own, and go out."""
    begin: Blocks = {"seed": [number(R8, seed)]}
    refusing = {**ANSWER_BLOCKS, **RESET_BLOCKS, **BACK_BLOCKS, **send(is_own=is_own)}
    return {**HEADERS, **QUERY, **NAME, **begin, **SUFFIXES, **COUNTING, **refusing}
