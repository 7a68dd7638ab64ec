"""Common steps of the DNS filter's program."""

from collections.abc import Iterator
from typing import NamedTuple

from appliance.core.kernel.bpf import dns_maps as maps
from appliance.core.kernel.bpf.dns_memory import Scratch, Stack
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
from appliance.core.kernel.bpf.registers import DOUBLE, R0, R1, R2, R3, R4, R5, R6, R7, R9, R10, WORD


class Sum(NamedTuple):
    """As an argument: the content of a register, and a number or the content of another."""

    base: Register
    offset: int


class Stored(NamedTuple):
    """As an argument: the 8 bytes at this place on the stack."""

    place: int


def on_stack(place: int) -> Sum:
    """As an argument: the address of this place on the stack."""
    return Sum(R10, place)


def arguments(*values: int | Sum | Stored) -> Iterator[Instruction]:
    """Put these arguments of a call into R1 and those behind it; one that is in its register already stays."""
    for to, value in zip((R1, R2, R3, R4, R5), values, strict=False):
        if isinstance(value, Sum):
            yield from sum_of(to, *value)
        elif isinstance(value, Stored):
            yield load(DOUBLE, to, R10, value.place)
        elif value is not to:
            yield compute(to, "=", value)


def invoke(helper: Helper, *values: int | Sum | Stored) -> Iterator[Instruction]:
    """Call a function of the kernel with these `arguments`."""
    yield from arguments(*values)
    yield call(helper)


def sum_of(to: Register, base: Register, offset: int) -> Iterator[Instruction]:
    """`to` becomes `base` + `offset`, a number or a register."""
    yield compute(to, "=", base)
    yield compute(to, "+", offset)


def take(start: int | Stored, to: int, size: int, otherwise: str) -> Iterator[Instruction]:
    """Copy bytes of the packet to the stack. `otherwise`: the block to go on with where the packet is shorter."""
    yield from invoke(Helper.LOAD_BYTES, R6, start, on_stack(to), size)
    yield jump_if(R0, "!=", 0, otherwise)


def put(start: int, source: int, size: int, flags: int = 0) -> Iterator[Instruction]:
    """Copy bytes of the stack to the packet."""
    return invoke(Helper.STORE_BYTES, R6, start, on_stack(source), size, flags)


def swapped(width: Size, place: int, size: int, *registers: Register) -> Iterator[Instruction]:
    """Swap both halves of `size` bytes on the stack, as many at a time as `width` has, by way of these registers."""
    places = range(place, place + size, size // len(registers))
    middle = len(registers) // 2
    yield from (load(width, one, R10, at) for at, one in zip(places, registers, strict=True))
    rotated = (*registers[middle:], *registers[:middle])
    yield from (store(width, R10, at, one) for at, one in zip(places, rotated, strict=True))


def replace_sum(before: int, after: int, flags: int) -> Iterator[Instruction]:
    """Correct the transport's checksum. `before`, `after`: places on the stack (0: nothing); R9: where it begins."""
    former = Stored(before) if before else 0
    return invoke(Helper.L4_CHECKSUM_REPLACE, R6, Sum(R9, 6), former, Stored(after), flags)


def look_up(name: str, key: int) -> Iterator[Instruction]:
    """R0 becomes the address of a map's value, or 0. `key`: its place on the stack."""
    yield map_named(R1, name)
    yield from invoke(Helper.MAP_LOOKUP, R1, on_stack(key))


def leave_if_open(closed: str) -> Iterator[Instruction]:
    """Let the packet pass while the filter is open. `closed`: the block that follows. R0 to R5 are lost."""
    yield call(Helper.BOOT_NANOSECONDS)
    yield store(DOUBLE, R10, Stack.NOW, R0)
    yield store(WORD, R10, Stack.ONE, 0)
    yield from look_up(maps.OPEN, Stack.ONE)
    yield jump_if(R0, "==", 0, closed)
    yield load(DOUBLE, R1, R0, 0)
    yield load(DOUBLE, R2, R10, Stack.NOW)
    yield jump_if(R2, "<", R1, "next")


def forgotten(place: int) -> Iterator[Instruction]:
    """Make the verifier forget the value at this place on the stack, which else it would follow once for each value."""
    yield load(DOUBLE, R1, R10, place)
    yield store(DOUBLE, R7, Scratch.FORGOTTEN, R1)
    yield load(DOUBLE, R1, R7, Scratch.FORGOTTEN)
    yield store(DOUBLE, R10, place, R1)
