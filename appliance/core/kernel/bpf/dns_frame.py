"""Steps of the DNS filter's program, and where it keeps what: of the packet, on the stack, and in the scratch map."""

import sys
from collections.abc import Iterator

from appliance.core.kernel.bpf.ebpf import (
    Helper,
    Instruction,
    Register,
    Size,
    call,
    compute,
    jump_if,
    load,
    map_named,
    store,
)

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = Register
WORD, HALF, BYTE, DOUBLE = Size.WORD, Size.HALF, Size.BYTE, Size.DOUBLE

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

# The stack. What the kernel writes to or reads from has its size beside it.
NET = -40  # 40: the network's header
TRANSPORT = -64  # 20: the transport's header
HOST = -80  # 16: the sender's address, after what makes a key of it
HIT_KEY, SCOPE_KEY = HOST - 4, HOST - 8
MACS = -104  # 12
NAME_KEY = -120  # 16
ONE = -128
L4, DNS, MESSAGE, WAY, DEPARTMENT, NOW, BOUND, STEP, MARK, ASKED, DIFFERENCE, ANSWERED, SIZE = range(-136, -240, -8)
# `WAY`: how a denied query is refused. `SIZE`: of the transport's packet that answers it.
ANSWERING, DROPPING, RESETTING = 0, 1, 2
BACK = "back"  # where an answer goes on that has its transport's header


def take(start: int, to: int, size: int) -> Iterator[Instruction]:
    """Bytes of the packet to the stack; a packet that is shorter is no query. `start`: may be in R2."""
    yield compute(R1, "=", R6)
    if start is not R2:
        yield compute(R2, "=", start)
    yield from at(R3, to)
    yield compute(R4, "=", size)
    yield call(Helper.LOAD_BYTES)
    yield jump_if(R0, "!=", 0, "next")


def put(start: int, source: int, size: int, flags: int = 0) -> Iterator[Instruction]:
    """Bytes of the stack to the packet."""
    yield compute(R1, "=", R6)
    yield compute(R2, "=", start)
    yield from at(R3, source)
    yield compute(R4, "=", size)
    yield compute(R5, "=", flags)
    yield call(Helper.STORE_BYTES)


def ports_swapped() -> Iterator[Instruction]:
    """Both ports of the transport's header on the stack."""
    yield load(HALF, R1, R10, TRANSPORT)
    yield load(HALF, R2, R10, TRANSPORT + 2)
    yield store(HALF, R10, TRANSPORT, R2)
    yield store(HALF, R10, TRANSPORT + 2, R1)


def replace_sum(before: int, after: int, flags: int) -> Iterator[Instruction]:
    """The transport's checksum follows what has changed. `before`, `after`: where on the stack; R9: the transport."""
    yield compute(R1, "=", R6)
    yield compute(R2, "=", R9)
    yield compute(R2, "+", 6)
    yield load(DOUBLE, R3, R10, before) if before else compute(R3, "=", 0)
    yield load(DOUBLE, R4, R10, after)
    yield compute(R5, "=", flags)
    yield call(Helper.L4_CHECKSUM_REPLACE)


def look_up(name: str, key: int) -> Iterator[Instruction]:
    """R0 becomes the place of a map's value, or 0. `key`: where on the stack."""
    yield map_named(R1, name)
    yield from at(R2, key)
    yield call(Helper.MAP_LOOKUP)


def at(to: Register, place: int) -> Iterator[Instruction]:
    """`to` becomes this place of the stack."""
    yield compute(to, "=", R10)
    yield compute(to, "+", place)


def forgotten(place: int) -> Iterator[Instruction]:
    """The verifier knows no more what stands at this place of the stack."""
    yield load(DOUBLE, R1, R10, place)
    yield store(DOUBLE, R7, FORGOTTEN, R1)
    yield load(DOUBLE, R1, R7, FORGOTTEN)
    yield store(DOUBLE, R10, place, R1)


def whole_words(register: Register) -> Iterator[Instruction]:
    """A number of bytes becomes that of the words which hold them."""
    yield compute(register, "+", 3)
    yield compute(register, "&", 0x3FC)


def written(base: Register, offset: int, content: bytes) -> Iterator[Instruction]:
    """These bytes, of which there is one more than fills words."""
    yield store(BYTE, base, offset, content[0])
    for start in range(1, len(content), 4):
        yield store(WORD, base, offset + start, int.from_bytes(content[start : start + 4], sys.byteorder))


def in_packet(value: int) -> int:
    """16 bits as a load of them from a packet shows them."""
    return int.from_bytes(value.to_bytes(2, "big"), sys.byteorder)


IPV4, IPV6 = in_packet(0x0800), in_packet(0x86DD)  # linux/if_ether.h: ETH_P_IP, ETH_P_IPV6, as `PROTOCOL` shows them
