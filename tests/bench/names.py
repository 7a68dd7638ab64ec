"""How many names are found in captures, however they are cut, and what reading them costs.

`python -m tests.bench.names FOLDER` reads captures from a folder that has a `golden.jsonl`: on each line a JSON object
with `pcap`, its path from the folder above or from this one, and the names that are in it as `tls` and `quic`. Without
a folder, captures are made here. Every frame goes the product's way: the kernel's filter, the decoder, the flows.
"""

import json
import socket
import struct
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from random import Random

from appliance.core.traffic.flows.contact import What
from appliance.core.traffic.flows.quic_flows import QuicFlows
from appliance.core.traffic.flows.tcp_flows import TcpFlows
from appliance.core.traffic.naming import NameRules
from appliance.core.traffic.packet import SYN, TCP, Packet, decode
from appliance.monitor.traffic.site_watch import SiteWatch, Websites
from appliance.system.network.bpf import Bpf
from appliance.system.network.capture import SO_ATTACH_BPF, CapturePrograms
from tests.bench import hostility
from tests.core import frames, hellos

SIZES = (536, 128, 1)  # bytes of a segment: the least that IP promises, a stingy path, the worst
CUT_BYTES = 6000  # of each direction of a connection are cut; the rest has no hello
ETHERNET, PPP, LOOPBACK = 1, 9, 0  # link types of pcap files
PROTOCOLS = {b"\x00\x21": 0x0800, b"\x00\x57": 0x86DD}
PACKETS, NAME_SHARE = 200_000, 0.02  # of the measured mix
RATE = 20_000  # packets a second for which a share of a core is told
BROWSERS = (300, 500, 1200, 1700)  # bytes of padding and keys in hellos, as browsers send them
SITES = tuple(f"www.site{number}.example" for number in range(20))


@dataclass(frozen=True, slots=True)
class Known:
    """A capture, and the names in it by kind."""

    name: str
    captured: Sequence[bytes]
    tls: frozenset[str]
    quic: frozenset[str]


class Filter:
    """The kernel's filter for captured frames, on a socket pair."""

    def __init__(self) -> None:
        self._load()

    def renew(self) -> None:
        """Forget all connections, and what was passed in this second: what is replayed takes no time."""
        self.close()
        self._load()

    def _load(self) -> None:
        self._programs = CapturePrograms(Bpf())
        self._into, self._out_of = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._out_of.setsockopt(socket.SOL_SOCKET, SO_ATTACH_BPF, self._programs[frozenset()])
        self._out_of.setblocking(False)

    def __call__(self, frame: bytes) -> bytes | None:
        """The part of a frame that it passes; `None`: it drops the frame."""
        try:
            self._into.send(frame)
            return self._out_of.recv(1 << 17)
        except (BlockingIOError, PermissionError):
            return None

    def close(self) -> None:
        """Close the sockets and the kernel's programs."""
        self._into.close()
        self._out_of.close()
        self._programs.close()


class Reading:
    """The product's way of a frame to a name."""

    def __init__(self) -> None:
        self._filter = Filter()

    def names(self, captured: Iterable[bytes]) -> tuple[set[str], set[str]]:
        """The names in these frames, of TLS and of QUIC."""
        tcp, quic = TcpFlows(), QuicFlows()
        found: tuple[set[str], set[str]] = (set(), set())
        for at, packet in enumerate(self.packets(captured)):
            is_tcp = packet.protocol == TCP
            for one in (tcp if is_tcp else quic).read("eth1", packet, at / 100):
                if one.what is What.HELLO and one.contact.hello is not None and one.contact.hello.name:
                    found[not is_tcp].add(one.contact.hello.name)
        return found

    def packets(self, captured: Iterable[bytes]) -> Iterator[Packet]:
        """What the kernel passes, decoded."""
        for frame in captured:
            passed = self._filter(frame)
            packet = decode(passed) if passed is not None else None
            if packet is not None:
                yield packet

    def close(self) -> None:
        """Close the kernel's programs."""
        self._filter.close()


def run(folder: Path | None = None) -> Iterator[str]:
    """A row for each way in which the captures are cut, then the cost."""
    known = [*(_read(folder) if folder else _made())]
    with closing(Reading()) as reading:
        yield from _rows(reading, known, "as captured", lambda captured: captured)
        yield from _rows(reading, known, "as IPv6", as_ipv6)
        for size in SIZES:
            yield from _rows(reading, known, f"{size} B, in order", lambda captured, size=size: recut(captured, size))
            yield from _rows(
                reading, known, f"{size} B, shuffled", lambda captured, size=size: recut(captured, size, Random(size))
            )
        yield _cost(reading)
    if folder is None:
        yield from hostility.rows()


def _rows(reading: Reading, known: Sequence[Known], way: str, change) -> Iterator[str]:  # type: ignore[no-untyped-def]
    counts = {"TLS": [0, 0, 0], "QUIC": [0, 0, 0]}
    lost = []
    for one in known:
        found = reading.names(change(one.captured))
        for kind, own, wanted in zip(counts, found, (one.tls, one.quic), strict=True):
            for at, number in enumerate((len(own & wanted), len(wanted), len(own - wanted))):
                counts[kind][at] += number
            lost += [f"{one.name}: {name}" for name in sorted(wanted - own)]
    told = (f"{kind} {right} of {all_}, {wrong} wrong" for kind, (right, all_, wrong) in counts.items())
    yield f"{way}: {'; '.join(told)}"
    yield from (f"    not found: {one}" for one in lost)


def as_ipv6(captured: Iterable[bytes]) -> Iterator[bytes]:
    """The same packets, their IPv4 addresses at the end of IPv6 ones."""
    for frame in captured:
        packet = decode(frame)
        if packet is not None:
            yield _framed(packet, packet.payload, 0, is_ipv6=True)


def recut(captured: Iterable[bytes], size: int, chance: Random | None = None) -> Iterator[bytes]:
    """The same packets with their TCP segments cut to this size. `chance`: what follows a SYN in another order."""
    spent: dict[tuple[str, int, str, int], int] = {}
    waiting: list[bytes] = []
    for frame in captured:
        packet = decode(frame)
        if packet is None or packet.protocol != TCP or not packet.payload or packet.flags & SYN:
            yield from _shuffled(waiting, chance)
            waiting = []
            yield frame
            continue
        ends = packet.source, packet.source_port, packet.destination, packet.destination_port
        begin, spent[ends] = spent.get(ends, 0), spent.get(ends, 0) + len(packet.payload)
        step = size if begin < CUT_BYTES else len(packet.payload)
        for at in range(0, len(packet.payload), step):
            waiting.append(_framed(packet, packet.payload[at : at + step], at))
        if chance is None:
            yield from waiting
            waiting = []
    yield from _shuffled(waiting, chance)


def _shuffled(waiting: list[bytes], chance: Random | None) -> list[bytes]:
    if chance is not None:
        chance.shuffle(waiting)
    return waiting


def _framed(packet: Packet, payload: bytes, at: int, *, is_ipv6: bool = False) -> bytes:
    ends = (packet.source, packet.source_port, packet.destination, packet.destination_port)
    if is_ipv6:
        ends = (_sixth(packet.source), packet.source_port, _sixth(packet.destination), packet.destination_port)
    if packet.protocol != TCP:
        return frames.udp(*ends, payload)
    numbers = ((packet.sequence + at) % (1 << 32), packet.acknowledgement)
    return frames.tcp(*ends, packet.flags, payload, numbers=numbers)


def _sixth(address: str) -> str:
    one = ip_address(address)
    return address if one.version == 6 else str(IPv6Address((0x2001_0DB8 << 96) + int(one)))


def _read(folder: Path) -> Iterator[Known]:
    for line in (folder / "golden.jsonl").read_text().splitlines():
        one = json.loads(line)
        path = next(base / one["pcap"] for base in (folder, folder.parent) if (base / one["pcap"]).exists())
        if one.keys() & {"tls", "quic"}:
            tls, quic = (frozenset(one.get(kind, ())) for kind in ("tls", "quic"))
            yield Known(path.name, [*_frames_in(path)], tls, quic)


def _frames_in(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    order = "<" if data[:4] in {b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"} else ">"
    link = struct.unpack_from(f"{order}I", data, 20)[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        length = struct.unpack_from(f"{order}I", data, at + 8)[0]
        at += 16
        yield _as_ethernet(link, data[at : at + length])
        at += length


def _as_ethernet(link: int, frame: bytes) -> bytes:
    if link == PPP and frame[:2] in PROTOCOLS:
        return frames.ethernet(PROTOCOLS[frame[:2]], frame[2:])
    if link == LOOPBACK and len(frame) > 4:
        return frames.ethernet(0x0800 if frame[4] >> 4 == 4 else 0x86DD, frame[4:])
    return frame


def _made() -> Iterator[Known]:
    """A capture for each site, by TLS and by QUIC in turns."""
    for number, name in enumerate(SITES):
        padding = BROWSERS[number % len(BROWSERS)]
        yield Known(name, _tls(name, padding, number), frozenset([name]), frozenset())
        yield Known(name, _quic(name, padding, 1 + number % 2), frozenset(), frozenset([name]))


def _tls(name: str, padding: int, number: int) -> list[bytes]:
    client, server, port = f"10.0.{number >> 8}.{number & 255}", "203.0.113.80", 40_000 + number
    hello = hellos.records(hellos.message(name, padding=padding, name_last=bool(number % 3)))
    return [
        frames.tcp(client, port, server, 443, frames.SYN, numbers=(1000, 0)),
        frames.tcp(server, 443, client, port, frames.SYN_ACK, numbers=(9000, 1001)),
        frames.tcp(client, port, server, 443, frames.ACK, hello, numbers=(1001, 9001)),
        frames.tcp(server, 443, client, port, frames.ACK, hellos.SERVER_HELLO, numbers=(9001, 1001 + len(hello))),
    ]


def _quic(name: str, padding: int, version: int, number: int = 0) -> list[bytes]:
    pieces = [700] if padding > 900 else []
    first_id = number.to_bytes(8, "big")
    sent = hellos.initials(name, version=version, padding=padding, pieces=pieces, first_id=first_id)
    return [frames.udp("10.0.0.7", 1024 + number, "203.0.113.80", 443, one) for one in sent]


def _cost(reading: Reading) -> str:
    """The share of a core for a mix in which so many packets say a new name: half TLS, half QUIC.

    Counted are the kernel's filter in both directions of a socket, the decoder, the flows and the visits.
    """
    mix = [_data(number) for number in range(PACKETS)]
    for number in range(int(PACKETS * NAME_SHARE)):
        name, at = f"www.site{number}.example", number * PACKETS // int(PACKETS * NAME_SHARE)
        one = _tls(name, 500, number) if number % 2 else _quic(name, 300, 1 + number // 2 % 2, number)
        mix[at : at + len(one)] = one
    watch, websites, read = SiteWatch(NameRules(lambda name: name), lambda _: False), Websites(), 0
    before = time.process_time()
    for at, packet in enumerate(reading.packets(mix)):
        now_s = at / (PACKETS * NAME_SHARE * 2.5) * PACKETS / RATE  # of four packets of TLS and one of QUIC
        for _ in watch.follow(packet, now_s):
            pass
        for one in websites.read("eth1", packet, now_s):
            read += one.what is What.HELLO
            watch.take(one, now_s)
    share = (time.process_time() - before) / PACKETS * RATE
    return f"{RATE:,} packets/s, {NAME_SHARE:.0%} with names: {share:.1%} of a core; {read} of {number + 1} names read"


def _data(number: int) -> bytes:
    """A full segment of a connection that goes on."""
    return frames.tcp("10.0.0.7", 30_000 + number % 500, "203.0.113.80", 443, frames.ACK, bytes(1200))


if __name__ == "__main__":
    for row in run(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        print(row, flush=True)
