"""What floods of connections and names, and five minutes of damaged packets, do to memory and to each parser."""

import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from appliance.core.detection.abuse.arp import claim_in, question_in
from appliance.core.detection.open_incidents import Incidents
from appliance.core.traffic.devices.dhcp import dhcp_in
from appliance.core.traffic.devices.multicast_dns import announced_in
from appliance.core.traffic.devices.neighbour_discovery import notice_in
from appliance.core.traffic.devices.server_sign import sign_of_advertisement
from appliance.core.traffic.dns import look_ups_in
from appliance.core.traffic.flows.contact import What
from appliance.core.traffic.naming import NameRules
from appliance.core.traffic.packet import ACK, SYN, TCP, Packet, decode
from appliance.monitor.traffic.site_watch import SiteWatch, Websites
from appliance.system.public_suffixes import PublicSuffixes
from tests.bench.worst_frames import worst
from tests.core import frames, hellos

FUZZ_S = 60 * float(os.environ.get("APPLIANCE_FUZZ_MINUTES", "5"))
FLOWS, WARM, A_SECOND = 1_000_000, 20_000, 16_000
MOST_GROWTH_KB = 20 << 10
SERVER_HELLO = b"\x16\x03\x03"
CLIENT, SERVER, PORT = "192.168.1.10", "203.0.113.80", 40_000
NAMES = {"www.example.org", ""}


def resident_kb() -> int:
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def segment(ends: tuple[str, int, str, int], flags: int, payload: bytes, sequence: int, acknowledged: int) -> Packet:
    source, source_port, destination, destination_port = ends
    macs = (frames.MAC["client"], frames.MAC["server"])
    return Packet(
        *macs, source, destination, TCP, source_port, destination_port, flags, payload, sequence, acknowledged
    )


def connection(number: int) -> Iterator[Packet]:
    """A connection with a name of its own; every third is a SYN alone, every fifth a hello that never ends."""
    client, server = f"192.168.{number % 64}.{number % 250}", f"203.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    to, back = (client, 1024 + number % 60_000, server, 443), (server, 443, client, 1024 + number % 60_000)
    yield segment(to, SYN, b"", 1000, 0)
    if number % 3 == 0:
        return
    yield segment(back, SYN | ACK, b"", 9000, 1001)
    hello = hellos.record(f"host.site{number}.com")
    if number % 5 == 0:
        hello = hellos.records(hellos.message("x", padding=16_000))[:1200]
    yield segment(to, ACK, hello, 1001, 9001)
    yield segment(back, ACK, SERVER_HELLO, 9001, 1200)


class Followers:
    """Everything that remembers something of connections."""

    def __init__(self) -> None:
        self._watch, self._websites = SiteWatch(NameRules(PublicSuffixes()), lambda _: False), Websites()
        self._incidents = Incidents()

    def follow(self, packet: Packet, now_s: float) -> None:
        self._incidents.follow(packet, now_s)
        for _ in self._watch.follow(packet, now_s):
            pass
        for one in self._websites.read("eth1", packet, now_s):
            self._watch.take(one, now_s)

    def judge(self, now_s: float) -> None:
        self._incidents.judge(now_s)
        for one in self._websites.due(now_s):
            self._watch.take(one, now_s)


@pytest.mark.slow
def test_a_million_connections_and_names_take_no_more_memory_than_a_few(caplog: pytest.LogCaptureFixture) -> None:
    followers, before = Followers(), 0
    for number in range(FLOWS):
        now_s = number / A_SECOND
        for packet in connection(number):
            followers.follow(packet, now_s)
        if number % A_SECOND == 0:
            followers.judge(now_s)
        if number == WARM:
            before = resident_kb()
    assert resident_kb() - before < MOST_GROWTH_KB
    assert caplog.records == []


GOOD = {
    "TLS": [
        frames.tcp(CLIENT, PORT, SERVER, 443, frames.SYN, numbers=(1000, 0)),
        frames.tcp(CLIENT, PORT, SERVER, 443, frames.ACK, hellos.record("www.example.org")[:120], numbers=(1001, 1)),
        frames.tcp(CLIENT, PORT, SERVER, 443, frames.ACK, hellos.record("www.example.org")[120:], numbers=(1121, 1)),
    ],
    "QUIC": [
        frames.udp(CLIENT, PORT, SERVER, 443, one)
        for one in hellos.initials("www.example.org", padding=1000, pieces=(600,))
    ],
    "QUIC 2": [
        frames.udp(CLIENT, PORT, SERVER, 443, one)
        for one in hellos.initials("www.example.org", version=2, padding=1000, pieces=(600,))
    ],
    "DHCP": [
        frames.dhcp(frames.MAC["client"], (53, b"\x03"), (12, b"annas-laptop"), (54, bytes([192, 168, 1, 1]))),
        frames.offer(frames.MAC["client"], "192.168.1.66", "192.168.1.77", mac=frames.MAC["server"]),
    ],
    "multicast DNS": [
        frames.announcement(CLIENT, "annas-laptop.local", "A", CLIENT, mac=frames.MAC["client"]),
        frames.announcement("fe80::7", "annas-laptop.local", "AAAA", "fe80::7", mac=frames.MAC["client"]),
    ],
    "neighbours": [
        frames.arp(frames.MAC["client"], CLIENT),
        frames.neighbour_advertisement("fe80::7", frames.MAC["client"]),
        frames.router_advertisement("fe80::1", frames.MAC["server"]),
    ],
    "DNS": [
        *frames.lookup(CLIENT, "www.example.org", "A", "www.example.org. CNAME a.example.", "a.example. A 192.0.2.1")
    ],
}


def damaged(frame: bytes, chance: Random) -> bytes:
    """The frame, cut, with bytes changed, doubled or lost; its headers mostly stay."""
    found, begin = bytearray(frame), chance.choice((12, 34, 54, 54, 54))
    for _ in range(chance.randint(0, 4)):
        at = chance.randrange(min(begin, len(found) - 1), len(found))
        match chance.randrange(4):
            case 0:
                found[at] = chance.randrange(256)
            case 1:
                found[at] ^= 1 << chance.randrange(8)
            case 2:
                found[at:at] = found[at : at + chance.randrange(40)]
            case _:
                del found[at : at + chance.randrange(8)]
        if len(found) < 20:
            break
    return bytes(found[: chance.randrange(len(found))]) if chance.random() < 0.1 else bytes(found)


class Readers:
    """Everything that reads frames of strangers."""

    def __init__(self) -> None:
        self._websites, self._incidents = Websites(), Incidents()
        self._watch = SiteWatch(NameRules(lambda name: name), lambda _: False)

    def read(self, frame: bytes, now_s: float) -> Iterator[str]:
        """Read a frame as the service does; the names that first messages gave, empty for none."""
        packet = decode(frame)
        if packet is None:
            self._read_neighbours(frame, now_s)
            return
        self._incidents.follow(packet, now_s)
        self._incidents.judge(now_s)
        for reading in (dhcp_in, announced_in):
            reading(packet)
        for asked, message in look_ups_in(packet):
            message.answer(asked.client)
        for _ in self._watch.follow(packet, now_s):
            pass
        for one in self._websites.read("eth1", packet, now_s):
            self._watch.take(one, now_s)
            if one.what is What.HELLO and one.contact.hello is not None:
                yield one.contact.hello.name

    def _read_neighbours(self, frame: bytes, now_s: float) -> None:
        if (claim := claim_in(frame)) is not None:
            self._incidents.follow_claim(claim, (), now_s)
        if (question := question_in(frame)) is not None:
            self._incidents.follow_question(question, now_s)
        if (notice := notice_in(frame)) is not None and notice.is_router:
            self._incidents.follow_stranger(sign_of_advertisement(notice), now_s)


def read_damaged(kind: str, seed: int) -> None:
    """Damaged packets of one connection, which must not raise."""
    chance, readers = Random(seed), Readers()
    for at, frame in enumerate(GOOD[kind] * 2):
        for hello in readers.read(damaged(frame, chance), float(at)):
            if kind != "TLS":
                assert hello in NAMES, seed  # what is decrypted is not damaged


@pytest.mark.parametrize("kind", GOOD)
def test_every_prefix_and_every_changed_byte_of_a_packet_does_no_harm(kind: str) -> None:
    for frame in GOOD[kind]:
        for size in range(len(frame)):
            assert {*Readers().read(frame[:size], 0.0)} <= NAMES
        readers = Readers()
        for at in range(min(len(frame), 300)):  # of what follows most is padding, or encrypted
            for changed in (0, 0xFF, frame[at] ^ 0x80, frame[at] ^ 1):
                [*readers.read(frame[:at] + bytes([changed]) + frame[at + 1 :], at / 100)]


def test_the_worst_frames_do_no_harm() -> None:
    readers = Readers()
    for at, frame in enumerate(worst(Random(7), 400)):
        [*readers.read(frame, at / 200)]


@pytest.mark.parametrize("kind", GOOD)
def test_a_few_damaged_packets_do_no_harm(kind: str) -> None:
    for seed in range(300):
        read_damaged(kind, seed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", GOOD)
def test_minutes_of_damaged_packets_do_no_harm(kind: str) -> None:
    ends_s = time.monotonic() + FUZZ_S
    seed = 1_000_000
    while time.monotonic() < ends_s:
        read_damaged(kind, seed)
        seed += 1
