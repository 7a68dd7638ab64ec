"""The kernel's filter for captured frames, in classic BPF, and its small assembler.

It passes DNS queries and answers (UDP or TCP to or from port 53), and TCP segments that begin or end a connection (SYN,
FIN or RST). All other frames, nearly everything, never leave the kernel. It reads IPv4 with options, up to four IPv6
extension headers, the first of several fragments, and one VLAN tag in the frame. Where a VLAN's frames are captured at
their own subinterface, the trunk's filter drops them.

A program is a table of named blocks, run from the first one on; a jump names its block. Jumps only go forward, so the
kernel knows that a filter ends. Mnemonics and codes: linux/filter.h, linux/bpf_common.h.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence

from appliance.core.kernel.bpf.packet import DNS_PORT, IPV4, IPV6, TCP, UDP

SNAP_BYTES = 1500  # a DNS answer over UDP is at most 1,232 bytes (DNS flag day 2020) and its headers

Instruction = tuple[str, int] | tuple[str, int, str] | tuple[str]

CODES = {
    "load_word": 0x20,  # A = the 32 bits at k
    "load_half": 0x28,  # A = the 16 bits at k
    "load_half_at_x": 0x48,  # A = the 16 bits at X + k
    "load_byte_at_x": 0x50,
    "load_x": 0x01,  # X = k
    "store": 0x02,  # M[k] = A
    "load_stored": 0x60,
    "and": 0x54,
    "shift_left": 0x64,
    "add": 0x04,
    "add_x": 0x0C,
    "x_to_a": 0x87,
    "a_to_x": 0x07,
    "goto": 0x05,
    "if_equal": 0x15,  # to the named block when A == k, else on
    "if_any": 0x45,  # to the named block when A & k, else on
    "return": 0x06,  # the frame passes with its first k bytes; 0: it does not pass
}

VLAN = 0x8100
TAG_BITS = 0xFFF  # of the 16 bits, the number of the VLAN
TAG = 0xFFFF_F000 + 44  # linux/filter.h: SKF_AD_OFF + SKF_AD_VLAN_TAG: the tag that the kernel took off
TAG_PRESENT = 0xFFFF_F000 + 48  # linux/filter.h: SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT: 1 where the kernel took the tag
LATER_FRAGMENT4, LATER_FRAGMENT6 = 0x1FFF, 0xFFF8  # an offset: such a fragment has no ports
MOST_EXTENSIONS = 4  # hop-by-hop and destination options, routing, fragment: packets with two are rare already
OPTIONS_LIKE = (0, 43, 60, 135, 139, 140)  # IANA, IPv6 extension header types: their length counts 8 bytes
FRAGMENT, AUTHENTICATION = 44, 51  # of 8 bytes; its length counts 4 bytes (RFC 4302)
BEGIN_OR_END = 0x01 | 0x02 | 0x04  # FIN, SYN, RST
PROTOCOL = 0  # the memory cell of the transport's protocol


def _extension(at: int) -> Iterator[tuple[str, Sequence[Instruction]]]:
    """The blocks that skip one extension header, if X is at one."""
    following: Sequence[Instruction] = [("load_byte_at_x", 0), ("store", PROTOCOL)]
    skipped: Sequence[Instruction] = [*following, ("load_byte_at_x", 1)]
    moved: Sequence[Instruction] = [("add_x",), ("a_to_x",), ("goto", 0, f"extension{at + 1}")]
    yield (
        f"extension{at}",
        [
            ("load_stored", PROTOCOL),
            *(("if_equal", one, f"options{at}") for one in OPTIONS_LIKE),
            ("if_equal", FRAGMENT, f"fragment{at}"),
            ("if_equal", AUTHENTICATION, f"authentication{at}"),
            ("goto", 0, "transport"),
        ],
    )
    yield f"options{at}", [*skipped, ("add", 1), ("shift_left", 3), *moved]
    yield f"authentication{at}", [*skipped, ("add", 2), ("shift_left", 2), *moved]
    yield (
        f"fragment{at}",
        [("load_half_at_x", 2), ("if_any", LATER_FRAGMENT6, "drop"), *following, ("x_to_a",), ("add", 8), *moved[1:]],
    )


# X is the begin of the network's header, then of the transport's.
PROGRAM: Mapping[str, Sequence[Instruction]] = {
    "frame": [("load_x", 14), ("load_half", 12), ("if_equal", VLAN, "tagged"), ("goto", 0, "network")],
    "tagged": [("load_x", 18), ("load_half", 16)],
    "network": [("if_equal", IPV4, "ipv4"), ("if_equal", IPV6, "ipv6"), ("return", 0)],
    "ipv4": [
        *(("load_half_at_x", 6), ("if_any", LATER_FRAGMENT4, "drop")),
        *(("load_byte_at_x", 9), ("store", PROTOCOL)),
        *(("load_byte_at_x", 0), ("and", 0x0F), ("shift_left", 2)),  # the header's length, in words of 4 bytes
        *(("add_x",), ("a_to_x",), ("goto", 0, "transport")),
    ],
    "ipv6": [("load_byte_at_x", 6), ("store", PROTOCOL), ("x_to_a",), ("add", 40), ("a_to_x",)],
    **{name: block for at in range(MOST_EXTENSIONS) for name, block in _extension(at)},
    f"extension{MOST_EXTENSIONS}": [],
    "transport": [("load_stored", PROTOCOL), ("if_equal", TCP, "tcp"), ("if_equal", UDP, "ports"), ("return", 0)],
    "tcp": [("load_byte_at_x", 13), ("if_any", BEGIN_OR_END, "pass")],
    "ports": [
        *(("load_half_at_x", 0), ("if_equal", DNS_PORT, "pass")),
        *(("load_half_at_x", 2), ("if_equal", DNS_PORT, "pass")),
    ],
    "drop": [("return", 0)],
    "pass": [("return", SNAP_BYTES)],
}


def leaving(tags: Iterable[int]) -> Mapping[str, Sequence[Instruction]]:
    """The program that drops frames with these tags, which are captured where their VLAN's frames arrive."""
    dropped: list[Instruction] = [("and", TAG_BITS), *(("if_equal", tag, "left") for tag in sorted(tags))]
    return {
        "tag": [("load_word", TAG_PRESENT), ("if_any", 1, "taken"), ("load_half", 12), ("if_equal", VLAN, "inside")],
        "plain": [("goto", 0, "frame")],
        "taken": [("load_word", TAG), *dropped, ("goto", 0, "frame")],
        "inside": [("load_half", 14), *dropped, ("goto", 0, "frame")],
        "left": [("return", 0)],  # near, because a conditional jump reaches no farther than 255 instructions
        **PROGRAM,
    }


def assemble(program: Mapping[str, Sequence[Instruction]] = PROGRAM) -> bytes:
    """The program as bytes, 8 for each instruction (`struct sock_filter`)."""
    begins = {}
    length = 0
    for name, block in program.items():
        begins[name] = length
        length += len(block)
    instructions = [instruction for block in program.values() for instruction in block]
    return b"".join(_encode(*one, at=at, begins=begins) for at, one in enumerate(instructions))


def _encode(mnemonic: str, k: int = 0, target: str | None = None, *, at: int, begins: Mapping[str, int]) -> bytes:
    skipped = begins[target] - at - 1 if target is not None else 0
    if mnemonic == "goto":  # its distance is in k, as an unconditional jump may be long
        return struct.pack("=HBBI", CODES[mnemonic], 0, 0, skipped)
    return struct.pack("=HBBI", CODES[mnemonic], skipped, 0, k)
