"""Memory layout and common steps of the DNS filter's program: the frame, the stack and the scratch map."""

import sys
from collections.abc import Iterator
from enum import IntEnum

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

# linux/pkt_cls.h: TC_ACT_UNSPEC leaves the packet to the next filter; TC_ACT_SHOT drops it.
NEXT, SHOT = -1, 2
INGRESS = 1  # BPF_F_INGRESS
PSEUDO, UNLESS_NONE = 0x10, 0x20  # BPF_F_PSEUDO_HDR, BPF_F_MARK_MANGLED_0

ETHERNET = 14
SIZES = {4: 20, 6: 40}  # of the headers, by IP version
TCP, UDP, DNS_PORT = 6, 17, 53
UDP_BYTES, TCP_BYTES, DNS_BYTES = 8, 20, 12
SHORTEST_QUERY = DNS_BYTES + 1 + 4  # the root's name, type and class
LONGEST_QUERY = 512  # what any server takes (RFC 1035 section 4.2.1); what is longer has padding or many options
LONGEST_NAME, MOST_LABELS, LONGEST_LABEL = 255, 127, 63  # RFC 1035 section 2.3.4
LAST = DNS_BYTES + LONGEST_NAME - 1  # the last byte of the longest name
RESPONSE_OR_OPERATION, KEPT, REFUSAL = 0xF800, 0x0110, 0x8083  # of the flags: RD and CD are kept; QR, RA, NXDOMAIN
# An OPT record (RFC 6891) for 1,232 bytes, with the extended error (RFC 8914 section 4.16) 15: blocked.
OPTIONS = bytes.fromhex("00 0029 04d0 00000000 0006 000f 0002 000f")


class FrameField(IntEnum):
    """Fields of R6, the kernel's view of the frame (linux/bpf.h: struct __sk_buff)."""

    LENGTH, PROTOCOL, TAGGED, INTERFACE = 0, 16, 20, 40


class Scratch(IntEnum):
    """Offsets from R7, the scratch map, which has the query itself at 0."""

    ANSWER = 512
    LABELS = 1024  # where each label begins, 2 bytes each
    NAME_END = 1280
    LABEL_COUNT = 1284
    FORGOTTEN = 1288  # values pass through here so that the verifier forgets them (`forgotten`)


class Stack(IntEnum):
    """Offsets from R10, the stack's end. Places that the kernel reads or writes have their size in bytes beside."""

    NET = -40  # 40: the network's header
    TRANSPORT = -64  # 20: the transport's header
    HOST = -80  # 16: the sender's address; in front of it goes what makes a key of it
    HIT_KEY = HOST - 4
    SCOPE_KEY = HOST - 8
    MACS = -104  # 12
    NAME_KEY = -120  # 16
    ONE = -128  # 8: a key or value for a call
    L4 = -136  # where the transport's header begins in the packet
    DNS = -144  # where the message begins in the packet
    MESSAGE = -152  # its length
    WAY = -160  # a `Way`
    DEPARTMENT = -168
    NOW = -176
    BOUND = -184  # where the label begins that is being hashed
    STEP = -192  # bytes hashed so far, which bounds the loop
    MARK = -200  # the mark of the block
    ASKED = -208  # length of the question, later of the query
    DIFFERENCE = -216  # between checksums; later a length
    ANSWERED = -224  # length of the answer
    SIZE = -232  # of the answer with its transport's header


class Way(IntEnum):
    """How a denied query is refused."""

    ANSWERING, DROPPING, RESETTING = 0, 1, 2


BACK = "back"  # where an answer goes on that has its transport's header


def take(start: int, to: int, size: int) -> Iterator[Instruction]:
    """Copy bytes of the packet to the stack; a shorter packet is no query. `start`: an offset, or R2."""
    yield compute(R1, "=", R6)
    if start is not R2:
        yield compute(R2, "=", start)
    yield from at(R3, to)
    yield compute(R4, "=", size)
    yield call(Helper.LOAD_BYTES)
    yield jump_if(R0, "!=", 0, "next")


def put(start: int, source: int, size: int, flags: int = 0) -> Iterator[Instruction]:
    """Copy bytes of the stack to the packet."""
    yield compute(R1, "=", R6)
    yield compute(R2, "=", start)
    yield from at(R3, source)
    yield compute(R4, "=", size)
    yield compute(R5, "=", flags)
    yield call(Helper.STORE_BYTES)


def ports_swapped() -> Iterator[Instruction]:
    """Swap both ports of the transport's header on the stack."""
    yield load(HALF, R1, R10, Stack.TRANSPORT)
    yield load(HALF, R2, R10, Stack.TRANSPORT + 2)
    yield store(HALF, R10, Stack.TRANSPORT, R2)
    yield store(HALF, R10, Stack.TRANSPORT + 2, R1)


def replace_sum(before: int, after: int, flags: int) -> Iterator[Instruction]:
    """Correct the transport's checksum. `before`, `after`: places on the stack (0: nothing); R9: where it begins."""
    yield compute(R1, "=", R6)
    yield compute(R2, "=", R9)
    yield compute(R2, "+", 6)
    yield load(DOUBLE, R3, R10, before) if before else compute(R3, "=", 0)
    yield load(DOUBLE, R4, R10, after)
    yield compute(R5, "=", flags)
    yield call(Helper.L4_CHECKSUM_REPLACE)


def look_up(name: str, key: int) -> Iterator[Instruction]:
    """R0 becomes the address of a map's value, or 0. `key`: its place on the stack."""
    yield map_named(R1, name)
    yield from at(R2, key)
    yield call(Helper.MAP_LOOKUP)


def at(to: Register, place: int) -> Iterator[Instruction]:
    """`to` becomes the address of this place on the stack."""
    yield compute(to, "=", R10)
    yield compute(to, "+", place)


def forgotten(place: int) -> Iterator[Instruction]:
    """Make the verifier forget the value at this place on the stack, which else it would follow once for each value."""
    yield load(DOUBLE, R1, R10, place)
    yield store(DOUBLE, R7, Scratch.FORGOTTEN, R1)
    yield load(DOUBLE, R1, R7, Scratch.FORGOTTEN)
    yield store(DOUBLE, R10, place, R1)


def whole_words(register: Register) -> Iterator[Instruction]:
    """Round a number of bytes up to whole words."""
    yield compute(register, "+", 3)
    yield compute(register, "&", 0x3FC)


def written(base: Register, offset: int, content: bytes) -> Iterator[Instruction]:
    """Write these bytes, of which there is one more than fills words."""
    yield store(BYTE, base, offset, content[0])
    for start in range(1, len(content), 4):
        yield store(WORD, base, offset + start, int.from_bytes(content[start : start + 4], sys.byteorder))


def in_packet(value: int) -> int:
    """A 16-bit number of the packet as a load shows it, in the machine's byte order."""
    return int.from_bytes(value.to_bytes(2, "big"), sys.byteorder)


IPV4, IPV6 = (
    in_packet(0x0800),
    in_packet(0x86DD),
)  # linux/if_ether.h: ETH_P_IP, ETH_P_IPV6, as in `FrameField.PROTOCOL`
