"""The frames that cost a reader of names most, made up from how the protocols nest; what a stranger would send.

    python -m tests.bench.worst_frames INTERFACE A_SECOND SECONDS

sends them at this rate, in the name of hosts of the lab.
"""

import socket
import struct
import sys
import time
from collections.abc import Iterator
from random import Random

from tests.core import frames, hellos

CLIENT, SERVER, RESOLVER = "10.20.0.99", "198.51.100.10", "198.51.100.20"
MADE = 2000  # frames, which are sent again and again
MESSAGE_BYTES = 1400
HANDSHAKE_BYTES = 65_535
SEGMENT_BYTES = 1400


def _message(answers: int, body: bytes) -> bytes:
    return struct.pack("!HHHHHH", 7, 0x8180, 1, answers, 0, 0) + body


def _asked_and_answered(question: bytes, answers: int, rest: bytes, chance: Random) -> Iterator[bytes]:
    """A question, and an answer to it that reads on in `rest`."""
    port = chance.randrange(1024, 65_000)
    asked = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + question
    answer = _message(answers, question + rest)[:MESSAGE_BYTES]
    yield frames.udp(CLIENT, port, RESOLVER, 53, asked)
    yield frames.udp(RESOLVER, 53, CLIENT, port, answer, source_mac=frames.MAC["server"])


def pointers(chance: Random) -> Iterator[bytes]:
    """Names that lead from pointer to pointer, in as many records as find room; and one that leads to itself."""
    question = b"\x01a\x01b\x00\x00\x01\x00\x01"
    begin = 12 + len(question)
    chain = b"".join(struct.pack("!H", 0xC000 | (begin + 2 * (at - 1) if at else 12)) for at in range(120))
    owner = struct.pack("!H", 0xC000 | begin + len(chain) - 2)
    first = b"\x00" + struct.pack("!HHIH", 16, 1, 60, len(chain)) + chain
    record = owner + struct.pack("!HHIH", 5, 1, 60, 2) + owner
    yield from _asked_and_answered(question, 80, first + record * 80, chance)
    yield from _asked_and_answered(b"\xc0\x0c\x00\x01\x00\x01", 1, b"\xc0\x0c" * 600, chance)


def deep_names(chance: Random) -> Iterator[bytes]:
    """Names of 127 labels, in as many records as find room."""
    name = b"".join(b"\x01" + bytes([97 + chance.randrange(26)]) for _ in range(126)) + b"\x00"
    record = name + struct.pack("!HHIH", 5, 1, 60, 2) + b"\xc0\x0c"
    yield from _asked_and_answered(name + b"\x00\x01\x00\x01", 5, record * 5, chance)
    short = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 1])
    yield from _asked_and_answered(name + b"\x00\x01\x00\x01", 70, short * 70, chance)


def long_handshakes(chance: Random) -> Iterator[bytes]:
    """A first message of TLS of 64 kB, in segments in any order."""
    port = chance.randrange(1024, 65_000)
    hello = hellos.records(hellos.message("deep.example", padding=HANDSHAKE_BYTES - 300, name_last=True))
    yield frames.tcp(CLIENT, port, SERVER, 443, frames.SYN, numbers=(1000, 0))
    yield frames.tcp(SERVER, 443, CLIENT, port, frames.SYN_ACK, numbers=(9000, 1001), source_mac=frames.MAC["server"])
    starts = [*range(0, len(hello), SEGMENT_BYTES)]
    chance.shuffle(starts)
    for at in starts:
        piece = hello[at : at + SEGMENT_BYTES]
        yield frames.tcp(CLIENT, port, SERVER, 443, frames.ACK, piece, numbers=(1001 + at, 9001))


def crumbled_quic(chance: Random) -> Iterator[bytes]:
    """A first message of QUIC in pieces of two bytes, in any order."""
    hello = hellos.message("crumbs.example", padding=80)
    pieces = [hellos.crypto(at, hello[at : at + 2]) for at in range(0, len(hello), 2)]
    chance.shuffle(pieces)
    sent = hellos.initial(b"".join(pieces), first_id=chance.randbytes(8), size=1150)
    yield frames.udp(CLIENT, chance.randrange(1024, 65_000), SERVER, 443, sent)


def header_chains(chance: Random) -> Iterator[bytes]:
    """A question behind as many extension headers of IPv6 as find room."""
    body = frames.udp_body(50_000, 53, struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\x01a\x00\x00\x01\x00\x01")
    headers = b"".join(bytes([60, 0, 1, 4, 0, 0, 0, 0]) for _ in range(150)) + bytes([17, 0, 1, 4, 0, 0, 0, 0])
    yield frames.framed(frames.ip("fd20::99", "2001:db8:100::10", 60, headers + body))


def loud_neighbours(chance: Random) -> Iterator[bytes]:
    """Announcements of names that lead to themselves, and a DHCP request with an option in every byte."""
    loop = struct.pack("!HHHHHH", 0, 0x8400, 0, 200, 0, 0) + b"\xc0\x0c" * 600
    yield frames.udp(CLIENT, 5353, "224.0.0.251", 5353, loop, destination_mac="01:00:5e:00:00:fb")
    mac = f"02:00:00:00:{chance.randrange(256):02x}:{chance.randrange(256):02x}"
    yield frames.dhcp(mac, (53, b"\x03"), *((12, b"x" * 3),) * 200)


KINDS = (pointers, deep_names, long_handshakes, crumbled_quic, header_chains, loud_neighbours)


def worst(chance: Random, count: int = MADE) -> list[bytes]:
    """So many frames, of all kinds in turns."""
    made: list[bytes] = []
    while len(made) < count:
        for kind in KINDS:
            made += kind(chance)
    return made[:count]


def main(interface: str, a_second: int, seconds: float) -> None:
    made = worst(Random(1))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((interface, 0))
        print("ready", flush=True)
        began_s = time.monotonic()
        for number in range(int(a_second * seconds)):
            time.sleep(max(0.0, began_s + number / a_second - time.monotonic()))
            wire.send(made[number % MADE])
    print("sent", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
