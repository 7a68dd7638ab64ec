"""eBPF: instructions by name, and a small assembler.

A program is a table of named blocks, run from the first one on; a jump names its block. As an operand, a number is
itself and a register is its content. Codes: linux/bpf.h, Documentation/bpf/standardization/instruction-set.rst.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

INSTRUCTION = Struct("<BBhi")  # code, registers, offset, number
WIDE = 0x18  # a number of 64 bits, in two places
MAP = 1  # BPF_PSEUDO_MAP_FD: the number is a map's descriptor


class Register(IntEnum):
    """R0: the result of a call; R1 to R5: its arguments, lost after it; R6 to R9: kept; R10: the stack's end."""

    R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = range(11)


class Size(IntEnum):
    """The width of a load or store: 4, 2, 1, 8 bytes."""

    WORD, HALF, BYTE, DOUBLE = 0x00, 0x08, 0x10, 0x18


class Helper(IntEnum):
    """The kernel's functions that a program may call (linux/bpf.h: `___BPF_FUNC_MAPPER`)."""

    MAP_LOOKUP = 1
    MAP_UPDATE = 2
    NANOSECONDS = 5  # since the start, while the computer was awake
    STORE_BYTES = 9
    L3_CHECKSUM_REPLACE = 10
    L4_CHECKSUM_REPLACE = 11
    REDIRECT = 23
    LOAD_BYTES = 26
    CHECKSUM_DIFFERENCE = 28
    CHANGE_TAIL = 38
    BOOT_NANOSECONDS = 125


ARITHMETIC = {"+": 0x07, "-": 0x17, "*": 0x27, "|": 0x47, "&": 0x57, "<<": 0x67, ">>": 0x77, "^": 0xA7, "=": 0xB7}
COMPARISON = {"==": 0x15, ">": 0x25, ">=": 0x35, "&": 0x45, "!=": 0x55, "<": 0xA5, "<=": 0xB5}  # all unsigned
BY_REGISTER = 0x08
SWAPPED = 0xDC  # BPF_ALU | BPF_END | BPF_TO_BE


class MapKind(IntEnum):
    """The kinds of maps (linux/bpf.h: `enum bpf_map_type`)."""

    HASH = 1
    ARRAY = 2  # by number
    ARRAY_OF_CORES = 6  # one array for each processor core
    LATEST = 9  # a hash that drops the least recently used element when it is full
    PREFIXES = 11  # finds the longest prefix


class MapShape(NamedTuple):
    """The shape of a map. `most`: elements."""

    kind: MapKind
    key_bytes: int
    value_bytes: int
    most: int


class Instruction(NamedTuple):
    """One instruction. `target`: the block of a jump, or the name of a map."""

    code: int
    to: int = 0
    source: int = 0
    offset: int = 0
    number: int = 0
    target: str = ""


Blocks = Mapping[str, Sequence[Instruction]]


def compute(to: Register, operator: str, value: int) -> Instruction:
    """`to` becomes `to` operator `value`, in 64 bits; a number has 31 bits and a sign."""
    return _by_value(ARITHMETIC[operator], to, value)


def network_order(to: Register, bits: int = 16) -> Instruction:
    """The lower 16 or 32 bits in network byte order, and nothing above them; the same takes them back."""
    return Instruction(SWAPPED, to, number=bits)


def number(to: Register, value: int) -> Instruction:
    """`to` becomes this number of 64 bits."""
    return Instruction(WIDE, to, number=value)


def map_named(to: Register, name: str) -> Instruction:
    """`to` becomes the map of this name, for a call."""
    return Instruction(WIDE, to, MAP, target=name)


def load(size: Size, to: Register, base: Register, offset: int) -> Instruction:
    """`to` becomes the memory at `base` + `offset`."""
    return Instruction(0x61 | size, to, base, offset)


def store(size: Size, base: Register, offset: int, value: int) -> Instruction:
    """The memory at `base` + `offset` becomes `value`."""
    if isinstance(value, Register):
        return Instruction(0x63 | size, base, value, offset)
    return Instruction(0x62 | size, base, offset=offset, number=value)


def add_atomically(base: Register, offset: int, value: Register) -> Instruction:
    """The 64 bits at `base` + `offset` grow by `value`, safely beside other cores."""
    return Instruction(0xC3 | Size.DOUBLE, base, value, offset)


def jump(target: str) -> Instruction:
    """Continue at this block."""
    return Instruction(0x05, target=target)


def jump_if(one: Register, operator: str, value: int, target: str) -> Instruction:
    """Continue at this block if the comparison, unsigned, is true; for `&`: if any bit is common."""
    return _by_value(COMPARISON[operator], one, value)._replace(target=target)


def call(helper: Helper) -> Instruction:
    """Call a function of the kernel."""
    return Instruction(0x85, number=helper)


def leave(result: int) -> Sequence[Instruction]:
    """End with this result."""
    return compute(Register.R0, "=", result), END


END = Instruction(0x95)


def assemble(program: Blocks, maps: Mapping[str, int]) -> bytes:
    """The program as bytes for bpf(2). `maps`: file descriptors by name."""
    begins, length = {}, 0
    for name, block in program.items():
        begins[name] = length
        length += sum(2 if one.code == WIDE else 1 for one in block)
    assembled = bytearray()
    for one in (one for block in program.values() for one in block):
        at = len(assembled) // INSTRUCTION.size
        if one.code == WIDE:
            value = maps[one.target] if one.source == MAP else one.number
            assembled += _encoded(one._replace(number=value))
            assembled += INSTRUCTION.pack(0, 0, 0, _signed(value >> 32))
        elif one.target:
            assembled += _encoded(one._replace(offset=begins[one.target] - at - 1))
        else:
            assembled += _encoded(one)
    return bytes(assembled)


def _by_value(code: int, to: int, value: int) -> Instruction:
    is_register = isinstance(value, Register)
    return Instruction(code | BY_REGISTER, to, value) if is_register else Instruction(code, to, number=value)


def _encoded(one: Instruction) -> bytes:
    return INSTRUCTION.pack(one.code, one.to | one.source << 4, one.offset, _signed(one.number))


def _signed(value: int) -> int:
    """The signed number with these 32 bits, which the kernel's structure has."""
    return (value & 0xFFFF_FFFF) - (1 << 32) * (value >> 31 & 1)
