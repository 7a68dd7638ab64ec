"""Captures frames by AF_PACKET: a non-blocking socket for each interface, with `capture_filter`'s program in each.

All programs share one map of connections. Without the right to load a program nothing is captured, and that is said.

A socket is created without a protocol, given its filter, and only then bound, so that no unfiltered frame gets in.
It sees both directions, each frame once: incoming frames before the packet filter, outgoing ones after it.
"""

import os
import select
import socket
import struct
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from appliance.core.kernel.bpf.capture_filter import LONG_BYTES, MAPS, NAME, program
from appliance.core.kernel.bpf.ebpf import assemble
from appliance.core.machine import Frame, Vlan, tags_on
from appliance.system.network.bpf import SOCKET_FILTER, Bpf, Map

MOST_FRAMES = 64  # at 20 us each for what follows, a millisecond until other work has its turn

# The kernel charges a small frame with about 1 KiB: a thousand frames, a tenth of a second of a busy department's
# lookups and connections, wait while a step takes its time.
BUFFER_BYTES = 1 << 20

# linux/if_ether.h, asm/socket.h, linux/if_packet.h: not all of them are in Python's `socket`.
ETH_P_ALL = 0x0003
SO_ATTACH_BPF = 50
SO_RCVBUFFORCE = 33  # beyond net.core.rmem_max, which is 208 KiB
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_STATISTICS = 6
PACKET_MR_PROMISC = 1


class PacketCapture:
    """`ports.Capture` of the network namespace in which it is used."""

    def __init__(self, *, promiscuous: bool) -> None:
        """`promiscuous`: also frames addressed to other machines, as on a mirror port; inline, all frames pass anyway.

        Raises `PermissionError` where this process may not capture; the text names the missing right.
        """
        self._promiscuous = promiscuous
        self._taps: deque[_Tap] = deque()
        self._lost = 0
        try:
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
        except PermissionError:
            raise PermissionError("capturing frames needs root (CAP_NET_RAW)") from None
        try:
            self._programs = CapturePrograms(Bpf())
        except OSError as error:
            raise PermissionError(f"capturing frames needs root (CAP_BPF) and eBPF in the kernel: {error}") from None
        self._waiting = select.epoll()

    @property
    def descriptor(self) -> int:
        """A file descriptor that can be read from while frames wait, or an interface has gone down."""
        return self._waiting.fileno()

    def attach(self, interfaces: Iterable[str], vlans: Iterable[Vlan | None] = ()) -> None:
        """Listen on exactly these of the interfaces, as far as they exist; cheap when nothing changed.

        An interface that went away is captured again when it is back, or when another has taken its name. Frames
        of these VLANs are captured only at their subinterfaces.
        """
        known = tuple(vlans)
        found = ((name, _index(name), tags_on(name, known)) for name in interfaces)
        wanted = {name: (index, tags) for name, index, tags in found if index is not None}
        for tap in [tap for tap in self._taps if wanted.get(tap.interface) != (tap.index, tap.left)]:
            self._detach(tap)
        listening = {tap.interface for tap in self._taps}
        for name, (index, tags) in wanted.items():
            if name not in listening:
                with suppress(OSError):  # it has vanished since it was looked up
                    tap = _Tap(name, index, tags, self._programs[tags], promiscuous=self._promiscuous)
                    self._taps.append(tap)
                    self._waiting.register(tap.socket, select.EPOLLIN)
        self._programs.keep({tap.left for tap in self._taps})

    def frames(self) -> Sequence[Frame]:
        """Frames that have arrived since the previous call, at most 64, one from each interface in turn."""
        found: list[Frame] = []
        waiting = deque(self._taps)
        self._taps.rotate(-1)  # another interface begins the next call
        while waiting and len(found) < MOST_FRAMES:
            tap = waiting.popleft()
            try:
                found.append(Frame(tap.interface, tap.socket.recv(LONG_BYTES)))
            except BlockingIOError:
                continue
            except OSError:  # ENETDOWN, ENXIO: the interface is down or gone; `attach` finds it when it is back
                self._detach(tap)
            else:
                waiting.append(tap)
        return found

    def lost(self) -> int:
        self._lost += sum(tap.newly_lost() for tap in self._taps)
        return self._lost

    def close(self) -> None:
        self.attach([])
        self._waiting.close()
        self._programs.close()

    def _detach(self, tap: "_Tap") -> None:
        self._lost += tap.newly_lost()
        self._taps.remove(tap)
        tap.socket.close()  # which also ends that it is waited for


class CapturePrograms:
    """The programs in the kernel, by the tags that each leaves out, and their maps. Raises `OSError`."""

    def __init__(self, kernel: Bpf) -> None:
        self._kernel = kernel
        self._maps = {name: Map(kernel, name, shape) for name, shape in MAPS.items()}
        self._loaded: dict[frozenset[int], int] = {}
        self._load(frozenset())

    def __getitem__(self, left: frozenset[int]) -> int:
        """The descriptor of the program that leaves these tags out."""
        return self._loaded.get(left) or self._load(left)

    def keep(self, used: Collection[frozenset[int]]) -> None:
        """Close the programs that no interface uses; the one without tags stays."""
        for left in [one for one in self._loaded if one and one not in used]:
            os.close(self._loaded.pop(left))

    def close(self) -> None:
        """Close all descriptors; a socket keeps its program."""
        for descriptor in self._loaded.values():
            os.close(descriptor)
        for one in self._maps.values():
            one.close()
        self._loaded, self._maps = {}, {}

    def _load(self, left: frozenset[int]) -> int:
        descriptors = {name: one.descriptor for name, one in self._maps.items()}
        found = self._kernel.load(NAME, assemble(program(left), descriptors), SOCKET_FILTER)
        self._loaded[left] = found
        return found


class _Tap:
    """The capture of one interface. `left`: the tags that are captured elsewhere; `loaded`: the program for that."""

    def __init__(self, interface: str, index: int, left: frozenset[int], loaded: int, *, promiscuous: bool) -> None:
        self.interface = interface
        self.index = index
        self.left = left
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        try:
            self._prepare(loaded, promiscuous=promiscuous)
        except OSError:
            self.socket.close()
            raise

    def _prepare(self, loaded: int, *, promiscuous: bool) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_BPF, loaded)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        except PermissionError:  # without CAP_NET_ADMIN, as much as the system allows any program
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        if promiscuous:
            membership = struct.pack("iHH8s", self.index, PACKET_MR_PROMISC, 0, b"")  # struct packet_mreq
            self.socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)
        self.socket.bind((self.interface, ETH_P_ALL))

    def newly_lost(self) -> int:
        """Number of frames dropped since the previous call: reading resets the kernel's count."""
        counted: tuple[int, int] = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        return counted[1]


def _index(interface: str) -> int | None:
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return None
