"""The program by which the kernel refuses look-ups of denied names: the parts that read, look up and count.

The kernel runs it at an interface where a department's packets come in (or a computer's own go out). It takes the name
of a DNS query and looks up whether the last label is denied, then the last two, and so on: to all, or to the department
of the sender's address. Then the query itself becomes the answer, "there is no such name" (NXDOMAIN), with the reason
"blocked" (RFC 8914), and goes back where it came from. The answer has no SOA record, so that no resolver keeps it (RFC
2308 section 5): a name that is allowed again works at once.

Over TCP the connection is reset. A denied query that cannot be answered is dropped: in fragments, longer than 512
bytes, behind IPv6 extension headers or further VLAN tags. What goes to port 53 and cannot be read to its question is
dropped too, and counted: a question in several fragments or TCP segments, with a pointer in its name, or with another
one beside it. Other ports and encrypted queries pass. `core.kernel.bpf` has a map of the blocks, registers and memory.
"""

from collections.abc import Iterator

from appliance.core.blocking.sets import ORIGIN_SHIFT
from appliance.core.kernel.bpf import dns_maps as maps
from appliance.core.kernel.bpf import packet
from appliance.core.kernel.bpf.dns_answer import ANSWER_BLOCKS, BACK_BLOCKS, send
from appliance.core.kernel.bpf.dns_headers import EXTENSIONS, FRAMES, NETWORKS, TRANSPORTS
from appliance.core.kernel.bpf.dns_memory import FrameLayout, Scratch, Stack, Way
from appliance.core.kernel.bpf.dns_reset import RESET_BLOCKS
from appliance.core.kernel.bpf.dns_steps import Stored, forgotten, invoke, leave_if_open, look_up, on_stack, sum_of
from appliance.core.kernel.bpf.ebpf import (
    Blocks,
    Helper,
    Instruction,
    add_atomically,
    call,
    compute,
    jump,
    jump_if,
    load,
    map_named,
    number,
    store,
)
from appliance.core.kernel.bpf.registers import BYTE, DOUBLE, HALF, R0, R1, R2, R4, R6, R7, R8, R9, R10, WORD

RESPONSE_OR_OPERATION = 0xF800  # of the flags
FORGOTTEN = (Stack.L4, Stack.DNS, Stack.MESSAGE, Stack.WAY, Stack.LEFT, Stack.FOLLOWING, Stack.END)


def _deny(otherwise: str) -> Iterator[Instruction]:
    """Go on to "denied" if `Stack.NAME_KEY` has a denial, of as much of the name, that has not expired."""
    yield from look_up(maps.DENIED, Stack.NAME_KEY)
    yield jump_if(R0, "==", 0, otherwise)
    yield load(WORD, R1, R7, Scratch.LABEL_COUNT)  # labels before these: with none, this is the name itself
    yield compute(R2, "=", 0)
    yield compute(R2, "-", R1)
    yield compute(R2, ">>", 63)  # 1: there are some, so the name is below
    yield load(WORD, R1, R0, 12)
    yield compute(R1, ">>", R2)  # bit 0 is `Scope.ITSELF`, bit 1 `Scope.BELOW`
    yield compute(R1, "&", 1)
    yield jump_if(R1, "==", 0, otherwise)
    yield load(DOUBLE, R1, R0, 0)
    yield jump_if(R1, "==", maps.FOREVER, "denied")
    yield load(DOUBLE, R2, R10, Stack.NOW)
    yield jump_if(R2, "<", R1, "denied")
    yield jump(otherwise)


# Copies the message to the scratch, and checks that it is a query.
QUERY: Blocks = {
    # R1: the message's length, or that of its part in the segment.
    "message": [
        jump_if(R1, "<", packet.SHORTEST_QUERY, "short"),
        jump_if(R1, "<=", packet.LONGEST_QUERY, "whole"),
        compute(R1, "=", packet.LONGEST_QUERY),
        load(DOUBLE, R2, R10, Stack.WAY),
        jump_if(R2, "!=", Way.ANSWERING, "whole"),
        store(DOUBLE, R10, Stack.WAY, Way.DROPPING),
    ],
    "whole": [
        store(DOUBLE, R10, Stack.MESSAGE, R1),
        store(WORD, R10, Stack.ONE, 0),
        *look_up(maps.SCRATCH, Stack.ONE),
        jump_if(R0, "==", 0, "drop"),
        compute(R7, "=", R0),
        *(step for one in FORGOTTEN for step in forgotten(one)),
        load(DOUBLE, R4, R10, Stack.MESSAGE),
        jump_if(R4, "<", packet.SHORTEST_QUERY, "drop"),
        jump_if(R4, ">", packet.LONGEST_QUERY, "drop"),
        compute(R1, "=", R4),
        compute(R1, "-", 1),
        compute(R1, "&", packet.LONGEST_QUERY - 4),
        compute(R1, "+", R7),
        store(WORD, R1, 0, 0),  # the sum is one of whole words
        *invoke(Helper.LOAD_BYTES, R6, Stored(Stack.DNS), R7, R4),
        jump_if(R0, "!=", 0, "unread"),
        load(HALF, R1, R7, 2),
        compute(R1, "&", packet.half(RESPONSE_OR_OPERATION)),
        jump_if(R1, "!=", 0, "passed"),
        load(HALF, R1, R7, 4),
        jump_if(R1, "==", 0, "passed"),
        jump_if(R1, "!=", packet.half(1), "unread"),  # no client asks two, and a server may answer either
        compute(R8, "=", packet.DNS_BYTES),
        compute(R9, "=", 0),
        jump("label"),
    ],
    "short": [
        load(DOUBLE, R1, R10, Stack.WAY),
        jump_if(R1, "!=", Way.FRAGMENT, "passed"),  # there is no room for a question
        jump("unread"),
    ],
}

# Notes where the name's labels begin, and finds the sender's department.
NAME: Blocks = {
    # R8: where the label begins; R9: its number, from 0.
    "label": [
        jump_if(R8, ">", packet.LAST, "unread"),
        load(DOUBLE, R1, R10, Stack.MESSAGE),
        jump_if(R8, ">=", R1, "unread"),
        *sum_of(R2, R7, R8),
        load(BYTE, R1, R2, 0),
        jump_if(R1, "==", 0, "named"),
        jump_if(R1, ">", packet.LONGEST_LABEL, "unread"),  # a pointer, which some servers follow even here
        compute(R2, "=", R9),
        compute(R2, "<<", 1),
        compute(R2, "+", R7),
        store(HALF, R2, Scratch.LABELS, R8),
        compute(R8, "+", R1),
        compute(R8, "+", 1),
        compute(R9, "+", 1),
        jump_if(R9, "<", packet.MOST_LABELS, "label"),
        jump("unread"),
    ],
    "named": [
        compute(R2, "=", R8),
        compute(R2, "+", 1 + 4),
        load(DOUBLE, R1, R10, Stack.MESSAGE),
        jump_if(R2, ">", R1, "unread"),  # its type and class are missing
        store(WORD, R7, Scratch.NAME_END, R8),
        store(WORD, R7, Scratch.LABEL_COUNT, R9),
        *forgotten(Stack.MESSAGE),
        store(WORD, R10, Stack.SCOPE_KEY, maps.INDEX_BITS + 128),
        load(WORD, R1, R6, FrameLayout.INTERFACE),
        store(WORD, R10, Stack.SCOPE_KEY + 4, R1),
        store(DOUBLE, R10, Stack.DEPARTMENT, maps.EVERYBODY),
        *look_up(maps.SCOPES, Stack.SCOPE_KEY),
        jump_if(R0, "==", 0, "asked"),
        load(WORD, R1, R0, 0),
        store(DOUBLE, R10, Stack.DEPARTMENT, R1),
    ],
    "asked": [
        *forgotten(Stack.DEPARTMENT),
        call(Helper.BOOT_NANOSECONDS),
        store(DOUBLE, R10, Stack.NOW, R0),
        store(DOUBLE, R10, Stack.STEP, 0),
        load(WORD, R9, R7, Scratch.NAME_END),
    ],
}

# Looks up each suffix of the name.
SUFFIXES: Blocks = {
    # R8: the digest so far; R9: the place of its last byte.
    "bound": [
        load(WORD, R1, R7, Scratch.LABEL_COUNT),
        jump_if(R1, "==", 0, "passed"),
        compute(R1, "-", 1),
        jump_if(R1, ">=", packet.MOST_LABELS, "unread"),
        store(WORD, R7, Scratch.LABEL_COUNT, R1),
        compute(R1, "<<", 1),
        compute(R1, "+", R7),
        load(HALF, R1, R1, Scratch.LABELS),
        store(DOUBLE, R10, Stack.BOUND, R1),
    ],
    "byte": [
        load(DOUBLE, R1, R10, Stack.STEP),
        compute(R1, "+", 1),
        jump_if(R1, ">", packet.LONGEST_NAME, "unread"),
        store(DOUBLE, R10, Stack.STEP, R1),
        compute(R9, "-", 1),
        jump_if(R9, "<", packet.DNS_BYTES, "unread"),
        jump_if(R9, ">", packet.LAST, "unread"),
        *sum_of(R2, R7, R9),
        load(BYTE, R1, R2, 0),
        compute(R2, "=", R1),
        compute(R2, "-", ord("A")),
        jump_if(R2, ">", ord("Z") - ord("A"), "lower"),  # a label's length is below "A" too
        compute(R1, "|", ord("a") - ord("A")),
    ],
    "lower": [
        compute(R8, "^", R1),
        number(R2, maps.FNV_PRIME),
        compute(R8, "*", R2),
        load(DOUBLE, R1, R10, Stack.BOUND),
        jump_if(R9, "==", R1, "suffix"),  # not the other way round: the verifier goes on without jumping first
        jump("byte"),
    ],
    "suffix": [
        store(DOUBLE, R10, Stack.NAME_KEY, R8),
        store(DOUBLE, R10, Stack.NAME_KEY + 8, maps.EVERYBODY),
        *_deny("department"),
    ],
    "department": [
        load(DOUBLE, R1, R10, Stack.DEPARTMENT),
        jump_if(R1, "==", maps.EVERYBODY, "bound"),
        store(WORD, R10, Stack.NAME_KEY + 8, R1),
        *_deny("bound"),
    ],
}

# Counts the denied query, unless the filter is open.
COUNTING: Blocks = {
    "denied": [
        load(WORD, R1, R0, 8),
        store(DOUBLE, R10, Stack.MARK, R1),
        *leave_if_open("held"),
    ],
    "held": [
        load(DOUBLE, R1, R10, Stack.MARK),
        compute(R1, ">>", ORIGIN_SHIFT),
        store(WORD, R10, Stack.ONE, R1),
        *look_up(maps.ORIGINS, Stack.ONE),
        jump_if(R0, "==", 0, "hit"),
        compute(R1, "=", 1),
        add_atomically(R0, 0, R1),
    ],
    "hit": [
        load(DOUBLE, R1, R10, Stack.MARK),
        store(WORD, R10, Stack.HIT_KEY, R1),
        *look_up(maps.HITS, Stack.HIT_KEY),
        jump_if(R0, "==", 0, "first hit"),
        compute(R1, "=", 1),
        add_atomically(R0, 0, R1),
        jump("answer"),
    ],
    "first hit": [
        store(DOUBLE, R10, Stack.ONE, 1),
        map_named(R1, maps.HITS),
        *invoke(Helper.MAP_UPDATE, R1, on_stack(Stack.HIT_KEY), on_stack(Stack.ONE), 0),
    ],
}


def program(seed: int, *, is_own: bool) -> Blocks:
    """The whole program. `seed`: of the digests; `is_own`: the queries are this computer's own, and go out."""
    begin: Blocks = {"seed": [number(R8, seed)]}
    refusing = {**ANSWER_BLOCKS, **RESET_BLOCKS, **BACK_BLOCKS, **send(is_own=is_own)}
    reading = {**FRAMES, **NETWORKS, **EXTENSIONS, **TRANSPORTS}
    return {**reading, **QUERY, **NAME, **begin, **SUFFIXES, **COUNTING, **refusing}
