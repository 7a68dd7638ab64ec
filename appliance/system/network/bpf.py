"""Makes maps and programs in the kernel by bpf(2); each lasts as long as a process, a program or a filter uses it.

Failures raise `OSError`; all of it exists since Linux 5.8. linux/bpf.h has the structures (`union bpf_attr`).
"""

import ctypes
import errno
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import suppress
from struct import Struct

from appliance.core.kernel.bpf.ebpf import MapKind, MapShape

CALLS = {"x86_64": 321, "aarch64": 280, "armv7l": 386, "armv6l": 386, "riscv64": 280}  # the number of bpf(2)
CREATE_MAP, LOOK_UP, UPDATE, DELETE, LOAD_PROGRAM, INSPECT, LOOK_UP_MANY, UPDATE_MANY = 0, 1, 2, 3, 5, 15, 24, 26
NO_PREALLOCATION = 1  # BPF_F_NO_PREALLOC
SOCKET_FILTER, CLASSIFIER = 1, 3  # BPF_PROG_TYPE_SOCKET_FILTER, BPF_PROG_TYPE_SCHED_CLS
LICENCE = b"Dual MIT/GPL\0"  # in the kernel's words (linux/license.h)

MAP = Struct("=IIIII8x16s")  # kind, sizes of key and value, how many, flags, name
ELEMENT = Struct("=I4xQQQ")  # map, key, value, flags
MANY = Struct("=QQQQIIQQ")  # where to begin and where it ended, keys, values, how many, map, flags
PROGRAM = Struct("=IIQQIIQII16s")  # kind, instructions and how many, licence, log level, size and place, flags, name
INFORMATION = Struct("=IIQ")  # descriptor, size, place
IDENTITY = Struct("=II")  # kind, identity: how `struct bpf_prog_info` begins


class Map:
    """One map in the kernel."""

    def __init__(self, kernel: "Bpf", name: str, shape: MapShape) -> None:
        self._kernel = kernel
        self._shape = shape
        flags = NO_PREALLOCATION if shape.kind in {MapKind.HASH, MapKind.PREFIXES} else 0
        self.descriptor = kernel.call(CREATE_MAP, bytearray(MAP.pack(*shape, flags, name.encode())))

    def put(self, elements: Mapping[bytes, bytes]) -> None:
        """Add elements, in place of those with the same keys."""
        if elements:
            keys, values = _place(b"".join(elements)), _place(b"".join(elements.values()))
            places = [ctypes.addressof(one) for one in (keys, values)]
            self._kernel.call(UPDATE_MANY, bytearray(MANY.pack(0, 0, *places, len(elements), self.descriptor, 0, 0)))

    def delete(self, key: bytes) -> None:
        """Delete an element, if it exists."""
        place = _place(key)
        with suppress(FileNotFoundError):
            self._kernel.call(DELETE, bytearray(ELEMENT.pack(self.descriptor, ctypes.addressof(place), 0, 0)))

    def value(self, key: bytes) -> bytes:
        """The value of an element; raises `FileNotFoundError` where there is none."""
        place, found = _place(key), _place(bytes(self._shape.value_bytes))
        places = [ctypes.addressof(one) for one in (place, found)]
        self._kernel.call(LOOK_UP, bytearray(ELEMENT.pack(self.descriptor, *places, 0)))
        return found.raw

    def elements(self) -> Mapping[bytes, bytes]:
        """All elements of a hash map; changes meanwhile may be in it or not."""
        _, key_bytes, value_bytes, most = self._shape
        keys, values, end = (_place(bytes(size)) for size in (key_bytes * most, value_bytes * most, 8))
        places = [ctypes.addressof(one) for one in (end, keys, values)]
        asked = bytearray(MANY.pack(0, *places, most, self.descriptor, 0, 0))
        with suppress(FileNotFoundError):  # the end of the map
            self._kernel.call(LOOK_UP_MANY, asked)
        count = MANY.unpack(asked)[4]
        return dict(zip(_cut(keys.raw, key_bytes, count), _cut(values.raw, value_bytes, count), strict=True))

    def close(self) -> None:
        """Close the descriptor; the map lasts while a program uses it."""
        os.close(self.descriptor)


class Bpf:
    """Makes maps and programs."""

    def __init__(self) -> None:
        self._number = CALLS.get(platform.machine())
        self._library = ctypes.CDLL(None, use_errno=True)

    def load(self, name: str, instructions: bytes, kind: int = CLASSIFIER) -> int:
        """Load a program for packets (`ebpf.assemble`), which the kernel verifies; returns its descriptor."""
        code, licence = _place(instructions), _place(LICENCE)
        places = [ctypes.addressof(one) for one in (code, licence)]
        asked = PROGRAM.pack(kind, len(instructions) // 8, *places, 0, 0, 0, 0, 0, name.encode())
        return self.call(LOAD_PROGRAM, bytearray(asked))

    def identity(self, program: int) -> int:
        """The kernel's number of a program, unique since the boot."""
        found = _place(bytes(IDENTITY.size))
        self.call(INSPECT, bytearray(INFORMATION.pack(program, IDENTITY.size, ctypes.addressof(found))))
        identity: int = IDENTITY.unpack(found.raw)[1]
        return identity

    def call(self, command: int, asked: bytearray) -> int:
        """bpf(2) itself; the kernel writes its answer into `asked`."""
        if self._number is None:
            raise OSError(errno.ENOSYS, f"the number of bpf(2) on {platform.machine()} is not known here")
        place = (ctypes.c_char * len(asked)).from_buffer(asked)
        result: int = self._library.syscall(self._number, command, place, len(asked))
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result


def _cut(content: bytes, size: int, count: int) -> Iterator[bytes]:
    return (content[at * size : (at + 1) * size] for at in range(count))


def _place(content: bytes) -> "ctypes.Array[ctypes.c_char]":
    return ctypes.create_string_buffer(content, len(content))
