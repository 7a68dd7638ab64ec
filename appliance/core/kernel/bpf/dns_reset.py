"""The resetting part of the DNS filter's program: turns a query over packet.TCP into a reset, and sends it back.

The reset's sequence number is the one that the client acknowledged, so that the client takes it (RFC 9293 section
3.10.7.1). The checksum is computed from nothing, because the cut part of the segment may be longer than what can be
read. Where the kernel leaves the sum to the card or to nobody (CHECKSUM_PARTIAL), the field must have the sum of the
addresses alone. The program finds that out by a probe: then `L4_CHECKSUM_REPLACE` does not change the field.
"""

from collections.abc import Iterator

from appliance.core.kernel.bpf import packet
from appliance.core.kernel.bpf.dns_memory import FrameLayout, Stack
from appliance.core.kernel.bpf.dns_steps import Sum, invoke, on_stack, put, swapped
from appliance.core.kernel.bpf.ebpf import Blocks, Helper, Instruction, compute, jump, jump_if, load, store
from appliance.core.kernel.bpf.registers import BYTE, DOUBLE, HALF, R0, R1, R2, R5, R6, R9, R10, WORD

SEQUENCE, ACKNOWLEDGED, OFFSET, FLAGS, WINDOW, SUM, URGENT = 4, 8, 12, 13, 14, 16, 18
ACK = 0x10
RESET = 0x5004  # a header of five words, RST
RECOMPUTE = 1  # BPF_F_RECOMPUTE_CSUM: the kernel's own sum of the whole packet follows
PROBE = 0x0101  # any change; the same in both byte orders


def _probed(before: int, after: int) -> Iterator[Instruction]:
    """Correct the checksum as if two bytes of the segment changed."""
    return invoke(Helper.L4_CHECKSUM_REPLACE, R6, Sum(R9, SUM), before, after, 2)


def _folded() -> list[Instruction]:
    """Fold R0, a sum, into 16 bits."""
    return [compute(R1, "=", R0), compute(R1, ">>", 16), compute(R0, "&", 0xFFFF), compute(R0, "+", R1)] * 2


def _summed_addresses(start: int, size: int) -> Iterator[Instruction]:
    """R0 becomes the sum of the pseudo-header: the addresses, the protocol, the length."""
    others = packet.half(packet.TCP) + packet.half(packet.TCP_BYTES)
    return invoke(Helper.CHECKSUM_DIFFERENCE, 0, 0, on_stack(start), size, others)


RESET_BLOCKS: Blocks = {
    "reset": [
        load(BYTE, R1, R10, Stack.TRANSPORT + FLAGS),
        compute(R1, "&", ACK),
        jump_if(R1, "==", 0, "drop"),  # data with the first segment: nothing is acknowledged yet
        load(DOUBLE, R9, R10, Stack.L4),
        *_probed(0, PROBE),
        *invoke(Helper.LOAD_BYTES, R6, Sum(R9, SUM), on_stack(Stack.ONE), 2),
        jump_if(R0, "!=", 0, "drop"),
        load(HALF, R1, R10, Stack.ONE),
        load(HALF, R2, R10, Stack.TRANSPORT + SUM),
        compute(R1, "^", R2),
        store(DOUBLE, R10, Stack.DIFFERENCE, R1),  # 0: the sum is left to others
        *_probed(PROBE, 0),
        *invoke(Helper.CHANGE_TAIL, R6, Sum(R9, packet.TCP_BYTES), 0),
        jump_if(R0, "!=", 0, "drop"),
        *swapped(HALF, Stack.TRANSPORT, 4, R1, R2),
        load(WORD, R1, R10, Stack.TRANSPORT + ACKNOWLEDGED),
        store(WORD, R10, Stack.TRANSPORT + SEQUENCE, R1),
        store(WORD, R10, Stack.TRANSPORT + ACKNOWLEDGED, 0),
        store(HALF, R10, Stack.TRANSPORT + OFFSET, packet.half(RESET)),
        *(store(HALF, R10, Stack.TRANSPORT + place, 0) for place in (WINDOW, SUM, URGENT)),
        load(WORD, R1, R6, FrameLayout.PROTOCOL),
        jump_if(R1, "==", packet.half(packet.IPV6), "addresses6"),
        *_summed_addresses(Stack.NET + 12, 8),
        jump("summed"),
    ],
    "addresses6": [*_summed_addresses(Stack.NET + 8, 32)],
    "summed": [
        load(DOUBLE, R1, R10, Stack.DIFFERENCE),
        jump_if(R1, "==", 0, "left to others"),
        compute(R5, "=", R0),
        *invoke(Helper.CHECKSUM_DIFFERENCE, 0, 0, on_stack(Stack.TRANSPORT), packet.TCP_BYTES),
        *_folded(),
        compute(R0, "^", 0xFFFF),
        jump("put"),
    ],
    "left to others": _folded(),
    "put": [
        store(HALF, R10, Stack.TRANSPORT + SUM, R0),
        *put(R9, Stack.TRANSPORT, packet.TCP_BYTES, RECOMPUTE),
        store(DOUBLE, R10, Stack.SIZE, packet.TCP_BYTES),
        jump("back"),
    ],
}
