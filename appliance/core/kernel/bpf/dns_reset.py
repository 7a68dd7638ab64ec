"""The resetting part of the DNS filter's program: turns a query over TCP into a reset, and sends it back.

The reset's sequence number is the one that the client acknowledged, so that the client takes it (RFC 9293 section
3.10.7.1). The checksum is computed from nothing, because the cut part of the segment may be longer than what can be
read. Where the kernel leaves the sum to the card or to nobody (CHECKSUM_PARTIAL), the field must have the sum of the
addresses alone. The program finds that out by a probe: then `L4_CHECKSUM_REPLACE` does not change the field.
"""

from appliance.core.kernel.bpf.dns_frame import (
    BACK,
    BYTE,
    DOUBLE,
    HALF,
    IPV6,
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R9,
    R10,
    TCP,
    TCP_BYTES,
    WORD,
    FrameField,
    Stack,
    at,
    in_packet,
    ports_swapped,
    put,
)
from appliance.core.kernel.bpf.ebpf import Blocks, Helper, Instruction, call, compute, jump, jump_if, load, store

SEQUENCE, ACKNOWLEDGED, OFFSET, FLAGS, WINDOW, SUM, URGENT = 4, 8, 12, 13, 14, 16, 18
ACK = 0x10
RESET = 0x5004  # a header of five words, RST
RECOMPUTE = 1  # BPF_F_RECOMPUTE_CSUM: the kernel's own sum of the whole packet follows
PROBE = 0x0101  # any change; the same in both byte orders


def _probed(before: int, after: int) -> list[Instruction]:
    """Correct the checksum as if two bytes of the segment changed."""
    return [
        compute(R1, "=", R6),
        compute(R2, "=", R9),
        compute(R2, "+", SUM),
        compute(R3, "=", before),
        compute(R4, "=", after),
        compute(R5, "=", 2),
        call(Helper.L4_CHECKSUM_REPLACE),
    ]


def _folded() -> list[Instruction]:
    """Fold R0, a sum, into 16 bits."""
    once = [
        compute(R1, "=", R0),
        compute(R1, ">>", 16),
        compute(R0, "&", 0xFFFF),
        compute(R0, "+", R1),
    ]
    return once * 2


def _summed_addresses(start: int, size: int) -> list[Instruction]:
    """R0 becomes the sum of the pseudo-header: the addresses, the protocol, the length."""
    return [
        compute(R1, "=", 0),
        compute(R2, "=", 0),
        *at(R3, start),
        compute(R4, "=", size),
        compute(R5, "=", in_packet(TCP) + in_packet(TCP_BYTES)),
        call(Helper.CHECKSUM_DIFFERENCE),
    ]


RESET_BLOCKS: Blocks = {
    "reset": [
        load(BYTE, R1, R10, Stack.TRANSPORT + FLAGS),
        compute(R1, "&", ACK),
        jump_if(R1, "==", 0, "drop"),  # data with the first segment: nothing is acknowledged yet
        load(DOUBLE, R9, R10, Stack.L4),
        *_probed(0, PROBE),
        compute(R1, "=", R6),
        compute(R2, "=", R9),
        compute(R2, "+", SUM),
        *at(R3, Stack.ONE),
        compute(R4, "=", 2),
        call(Helper.LOAD_BYTES),
        jump_if(R0, "!=", 0, "drop"),
        load(HALF, R1, R10, Stack.ONE),
        load(HALF, R2, R10, Stack.TRANSPORT + SUM),
        compute(R1, "^", R2),
        store(DOUBLE, R10, Stack.DIFFERENCE, R1),  # 0: the sum is left to others
        *_probed(PROBE, 0),
        compute(R1, "=", R6),
        compute(R2, "=", R9),
        compute(R2, "+", TCP_BYTES),
        compute(R3, "=", 0),
        call(Helper.CHANGE_TAIL),
        jump_if(R0, "!=", 0, "drop"),
        *ports_swapped(),
        load(WORD, R1, R10, Stack.TRANSPORT + ACKNOWLEDGED),
        store(WORD, R10, Stack.TRANSPORT + SEQUENCE, R1),
        store(WORD, R10, Stack.TRANSPORT + ACKNOWLEDGED, 0),
        store(HALF, R10, Stack.TRANSPORT + OFFSET, in_packet(RESET)),
        *(store(HALF, R10, Stack.TRANSPORT + place, 0) for place in (WINDOW, SUM, URGENT)),
        load(WORD, R1, R6, FrameField.PROTOCOL),
        jump_if(R1, "==", IPV6, "addresses6"),
        *_summed_addresses(Stack.NET + 12, 8),
        jump("summed"),
    ],
    "addresses6": _summed_addresses(Stack.NET + 8, 32),
    "summed": [
        load(DOUBLE, R1, R10, Stack.DIFFERENCE),
        jump_if(R1, "==", 0, "left to others"),
        compute(R5, "=", R0),
        compute(R1, "=", 0),
        compute(R2, "=", 0),
        *at(R3, Stack.TRANSPORT),
        compute(R4, "=", TCP_BYTES),
        call(Helper.CHECKSUM_DIFFERENCE),
        *_folded(),
        compute(R0, "^", 0xFFFF),
        jump("put"),
    ],
    "left to others": _folded(),
    "put": [
        store(HALF, R10, Stack.TRANSPORT + SUM, R0),
        *put(R9, Stack.TRANSPORT, TCP_BYTES, RECOMPUTE),
        store(DOUBLE, R10, Stack.SIZE, TCP_BYTES),
        jump(BACK),
    ],
}
