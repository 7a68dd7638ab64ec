"""The kernel follows each program before it takes it, in every way that a packet may go; a start waits for that."""

import ctypes
import os
from struct import unpack_from

import pytest

from appliance.core.kernel.bpf import capture_filter, dns_maps
from appliance.core.kernel.bpf.dns_program import program as dns_program
from appliance.core.kernel.bpf.ebpf import Blocks, MapShape, assemble
from appliance.system.network.bpf import CLASSIFIER, INFORMATION, INSPECT, SOCKET_FILTER, Bpf, Map

VERIFIED_AT, INFORMATION_BYTES = 216, 224  # of `verified_insns` in `struct bpf_prog_info` (linux/bpf.h, since 5.16)

# A thousand took 3 ms where they were counted. Where ways that meet do not look alike, there are many times as many.
CAPTURE = capture_filter.program(), capture_filter.MAPS, SOCKET_FILTER, 10_000
NAMES = dns_program(1, is_own=False), dns_maps.MAPS, CLASSIFIER, 100_000  # a name's 255 bytes are followed one by one
OWN_NAMES = dns_program(1, is_own=True), dns_maps.MAPS, CLASSIFIER, 100_000


def verified(program: Blocks, shapes: dict[str, MapShape], kind: int) -> int:
    """How many instructions the kernel has followed."""
    kernel = Bpf()
    maps = {name: Map(kernel, name, shape) for name, shape in shapes.items()}
    descriptor = kernel.load("judged", assemble(program, {name: one.descriptor for name, one in maps.items()}), kind)
    found = ctypes.create_string_buffer(INFORMATION_BYTES)
    kernel.call(INSPECT, bytearray(INFORMATION.pack(descriptor, INFORMATION_BYTES, ctypes.addressof(found))))
    for one in (descriptor, *(made.descriptor for made in maps.values())):
        os.close(one)
    count: int = unpack_from("=I", found.raw, VERIFIED_AT)[0]
    return count


@pytest.mark.parametrize(
    ("program", "shapes", "kind", "most"), [CAPTURE, NAMES, OWN_NAMES], ids=["capture", "names", "own"]
)
def test_the_kernel_has_soon_followed_a_filter(
    program: Blocks, shapes: dict[str, MapShape], kind: int, most: int
) -> None:
    assert 100 < verified(program, shapes, kind) < most
