"""The answering part of the DNS filter's program: turns the query into the answer, and sends it back."""

import sys

from appliance.core.kernel.bpf import packet
from appliance.core.kernel.bpf.dns_memory import FrameLayout, Scratch, Stack, Way
from appliance.core.kernel.bpf.dns_steps import Stored, Sum, arguments, invoke, put, replace_sum, sum_of, swapped, take
from appliance.core.kernel.bpf.ebpf import END, Blocks, Helper, compute, jump, jump_if, load, network_order, store
from appliance.core.kernel.bpf.registers import BYTE, DOUBLE, HALF, R0, R1, R2, R3, R4, R5, R6, R7, R9, R10, WORD
from appliance.core.kernel.marks import UNCOUNTED_MARK

INGRESS = 1  # BPF_F_INGRESS
PSEUDO, UNLESS_NONE = 0x10, 0x20  # BPF_F_PSEUDO_HDR, BPF_F_MARK_MANGLED_0
KEPT, REFUSAL = 0x0110, 0x8083  # of the flags: RD and CD are kept; QR, RA, NXDOMAIN
# An OPT record (RFC 6891) for 1,232 bytes, with the extended error (RFC 8914 section 4.16) 15: blocked;
# one byte more than fills words.
OPTIONS = bytes.fromhex("00 0029 04d0 00000000 0006 000f 0002 000f")

# Builds the answer in the scratch first, then in the packet.
ANSWER_BLOCKS: Blocks = {
    "answer": [
        *take(0, Stack.MACS, 12, "drop"),
        load(BYTE, R1, R10, Stack.MACS),
        jump_if(R1, "&", 1, "drop"),  # a group address, which no answer may come from
        load(DOUBLE, R1, R10, Stack.WAY),
        jump_if(R1, "==", Way.RESETTING, "reset"),
        jump_if(R1, "!=", Way.ANSWERING, "drop"),
        # The question: the name with its end, its type and its class.
        load(WORD, R4, R7, Scratch.NAME_END),
        jump_if(R4, ">", packet.LAST, "drop"),
        compute(R4, "+", 1 + 4),
        store(DOUBLE, R10, Stack.ASKED, R4),
        load(DOUBLE, R1, R10, Stack.MESSAGE),
        jump_if(R4, ">", R1, "drop"),
        *sum_of(R1, R7, R4),
        *(store(WORD, R1, Scratch.ANSWER + 4 * at, 0) for at in range(5)),
        *invoke(Helper.LOAD_BYTES, R6, Stored(Stack.DNS), Sum(R7, Scratch.ANSWER), R4),
        jump_if(R0, "!=", 0, "drop"),
        load(HALF, R1, R7, Scratch.ANSWER + 2),
        compute(R1, "&", packet.half(KEPT)),
        compute(R1, "|", packet.half(REFUSAL)),
        store(HALF, R7, Scratch.ANSWER + 2, R1),
        store(WORD, R7, Scratch.ANSWER + 6, 0),  # no answer, and no authority
        load(DOUBLE, R1, R10, Stack.ASKED),
        jump_if(R1, ">", packet.LAST + 5, "drop"),
        load(HALF, R2, R7, Scratch.ANSWER + 10),
        jump_if(R2, "==", 0, "sums"),
        store(HALF, R7, Scratch.ANSWER + 10, packet.half(1)),
        *sum_of(R2, R7, R1),
        store(BYTE, R2, Scratch.ANSWER, OPTIONS[0]),
        *(
            store(WORD, R2, Scratch.ANSWER + at, int.from_bytes(OPTIONS[at : at + 4], sys.byteorder))
            for at in range(1, len(OPTIONS), 4)
        ),
        compute(R1, "+", len(OPTIONS)),
    ],
    "sums": [
        store(DOUBLE, R10, Stack.ANSWERED, R1),
        load(DOUBLE, R2, R10, Stack.MESSAGE),
        jump_if(R2, ">", packet.LONGEST_QUERY, "drop"),
        compute(R2, "+", 3),
        compute(R2, "&", 0x3FC),  # in whole words
        *invoke(Helper.CHECKSUM_DIFFERENCE, R7, R2, 0, 0, 0),
        compute(R5, "=", R0),
        load(DOUBLE, R4, R10, Stack.ANSWERED),
        jump_if(R4, ">", packet.LAST + 5 + len(OPTIONS), "drop"),
        compute(R4, "+", 3),
        compute(R4, "&", 0x3FC),  # in whole words
        *sum_of(R3, R7, Scratch.ANSWER),
        *invoke(Helper.CHECKSUM_DIFFERENCE, 0, 0, R3, R4, R5),
        store(DOUBLE, R10, Stack.DIFFERENCE, R0),
        # From here on the packet is changed; if anything fails now, it is dropped.
        *arguments(R6, Stored(Stack.DNS), Stored(Stack.ANSWERED)),
        compute(R2, "+", R3),
        *invoke(Helper.CHANGE_TAIL, R1, R2, 0),
        jump_if(R0, "!=", 0, "drop"),
        load(DOUBLE, R9, R10, Stack.L4),
        *replace_sum(0, Stack.DIFFERENCE, UNLESS_NONE),
        load(HALF, R1, R10, Stack.TRANSPORT + 4),
        store(DOUBLE, R10, Stack.ASKED, R1),
        load(DOUBLE, R1, R10, Stack.ANSWERED),
        compute(R1, "+", packet.UDP_BYTES),
        store(DOUBLE, R10, Stack.SIZE, R1),
        network_order(R1),
        store(DOUBLE, R10, Stack.DIFFERENCE, R1),
        *replace_sum(Stack.ASKED, Stack.DIFFERENCE, UNLESS_NONE | 2),
        *replace_sum(Stack.ASKED, Stack.DIFFERENCE, UNLESS_NONE | PSEUDO | 2),
        *swapped(HALF, Stack.TRANSPORT, 4, R1, R2),
        load(DOUBLE, R1, R10, Stack.DIFFERENCE),
        store(HALF, R10, Stack.TRANSPORT + 4, R1),
        *put(R9, Stack.TRANSPORT, 6),
        *arguments(R6, Stored(Stack.DNS), Sum(R7, Scratch.ANSWER), Stored(Stack.ANSWERED)),
        jump_if(R4, "<", packet.SHORTEST_QUERY, "drop"),
        jump_if(R4, ">", packet.LAST + 5 + len(OPTIONS), "drop"),
        *invoke(Helper.STORE_BYTES, R1, R2, R3, R4, 0),
        jump("back"),
    ],
}

# Swaps the addresses, and sets the length in the network's header.
BACK_BLOCKS: Blocks = {
    "back": [load(WORD, R1, R6, FrameLayout.PROTOCOL), jump_if(R1, "==", packet.half(packet.IPV6), "back6")],
    "back4": [
        load(DOUBLE, R1, R10, Stack.SIZE),
        load(DOUBLE, R2, R10, Stack.L4),
        compute(R1, "+", R2),
        compute(R1, "-", packet.ETHERNET),
        network_order(R1),
        load(HALF, R3, R10, Stack.NET + 2),
        store(HALF, R10, Stack.NET + 2, R1),
        compute(R4, "=", R1),
        *invoke(Helper.L3_CHECKSUM_REPLACE, R6, packet.ETHERNET + 10, R3, R4, 2),
        *put(packet.ETHERNET + 2, Stack.NET + 2, 2),
        *swapped(WORD, Stack.NET + 12, 8, R1, R2),
        *put(packet.ETHERNET + 12, Stack.NET + 12, 8),
        jump("hardware"),
    ],
    "back6": [
        load(DOUBLE, R1, R10, Stack.SIZE),
        network_order(R1),
        store(HALF, R10, Stack.NET + 4, R1),
        *put(packet.ETHERNET + 4, Stack.NET + 4, 2),
        *swapped(DOUBLE, Stack.NET + 8, 32, R1, R2, R3, R4),
        *put(packet.ETHERNET + 8, Stack.NET + 8, 32),
    ],
    "hardware": [
        *swapped(HALF, Stack.MACS, 12, R0, R1, R2, R3, R4, R5),
        *put(0, Stack.MACS, 12),
    ],
}


def send(*, is_own: bool) -> Blocks:
    """Send the answer where the query came from: out of the interface, or, where this computer asked, into it.

    Its mark lets it pass the meters uncounted: it is this computer's refusal, and no traffic of the department.
    """
    return {
        "send": [
            compute(R1, "=", UNCOUNTED_MARK),
            store(WORD, R6, FrameLayout.MARK, R1),
            load(WORD, R1, R6, FrameLayout.INTERFACE),
            *invoke(Helper.REDIRECT, R1, INGRESS if is_own else 0),
            END,
        ]
    }
