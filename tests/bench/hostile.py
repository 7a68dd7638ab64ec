"""Attacks as frames with their times, made up from how the tools work: what the bench of incidents must find."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from random import Random

from tests.core import frames

Timed = tuple[float, bytes]  # seconds, and a frame
Making = Callable[[Random], Iterator[Timed]]

ATTACKER, VICTIM, SERVER, RESOLVER = "192.168.1.66", "192.168.1.20", "203.0.113.80", "192.0.2.53"
STRANGER = "198.51.100.7"
FIN, PUSH, URGENT = 0x01, 0x08, 0x20
XMAS = FIN | PUSH | URGENT
COMMON_PORTS = tuple(range(1, 1024, 10))  # a hundred, as nmap's -F
TEXT = "abcdefghijklmnopqrstuvwxyz234567"


def arp(operation: int, mac: str, sender: str, target: str) -> bytes:
    """A question (1) for a neighbour's hardware address, or the answer (2)."""
    packed = [bytes(map(int, one.split("."))) for one in (sender, target)]
    own = bytes.fromhex(mac.replace(":", ""))
    body = b"\x00\x01\x08\x00\x06\x04" + operation.to_bytes(2) + own + packed[0] + bytes(6) + packed[1]
    return frames.ethernet(0x0806, body, source_mac=mac, destination_mac="ff:ff:ff:ff:ff:ff")


def conversation(
    at_s: float, client: str, server: str, port: int, client_port: int, *, said: int = 3000, lasts_s: float = 2.0
) -> Iterator[Timed]:
    """A connection that is opened, used and closed. `said`: bytes of the server."""
    to, back = (client, client_port, server, port), (server, port, client, client_port)
    yield at_s, frames.tcp(*to, frames.SYN, numbers=(1000, 0))
    macs = {"source_mac": frames.MAC["server"], "destination_mac": frames.MAC["client"]}
    yield at_s + 0.01, frames.tcp(*back, frames.SYN_ACK, numbers=(5000, 1001), **macs)
    yield at_s + 0.02, frames.tcp(*to, frames.ACK, b"hello", numbers=(1001, 5001))
    end = 5001 + said
    yield at_s + lasts_s, frames.tcp(*back, frames.FIN_ACK, numbers=(end, 1800), **macs)
    yield at_s + lasts_s + 0.01, frames.tcp(*to, frames.FIN_ACK, numbers=(1800, end + 1))


def vertical(
    flags: int, *, every_s: float = 0.01, answer: bool = True, source: str = ATTACKER, victim: str = VICTIM,
    ports: Iterable[int] = COMMON_PORTS, opened: Iterable[int] = (),
) -> Making:  # fmt: skip
    def make(chance: Random) -> Iterator[Timed]:
        shuffled, source_port = [*ports], chance.randrange(33_000, 64_000)
        chance.shuffle(shuffled)
        for number, port in enumerate(shuffled):
            at_s = number * every_s
            yield at_s, frames.tcp(source, source_port, victim, port, flags, numbers=(1000, 0 if flags & 2 else 77))
            if port in opened:
                if flags == frames.SYN:
                    yield at_s + 0.002, frames.tcp(victim, port, source, source_port, frames.SYN_ACK, numbers=(9, 1001))
                    yield at_s + 0.003, frames.tcp(source, source_port, victim, port, 0x04, numbers=(1001, 0))
            elif answer and flags & frames.ACK:
                yield at_s + 0.002, frames.tcp(victim, port, source, source_port, 0x04, numbers=(77, 0))
            elif answer:
                yield at_s + 0.002, frames.tcp(victim, port, source, source_port, frames.RST_ACK, numbers=(0, 1001))

    return make


def vertical_udp(*, answered: int = 0, source: str = ATTACKER, victim: str = VICTIM, every_s: float = 0.05) -> Making:
    def make(chance: Random) -> Iterator[Timed]:
        source_port = chance.randrange(33_000, 64_000)
        for number, port in enumerate(COMMON_PORTS):
            yield number * every_s, frames.udp(source, source_port, victim, port, b"")
            if number < answered:
                yield number * every_s + 0.01, frames.udp(victim, port, source, source_port, b"here")

    return make


def fragmented(chance: Random) -> Iterator[Timed]:
    """A scan in fragments of 8 bytes, as nmap's -f: the first has the ports, and no flags."""
    source_port = chance.randrange(33_000, 64_000)
    for number, port in enumerate(COMMON_PORTS):
        whole = frames.tcp_body(source_port, port, frames.SYN, numbers=(1000, 0))
        for at in range(0, 20, 8):
            more = 0x2000 if at + 8 < 20 else 0
            yield number / 100, frames.framed(frames.ip(ATTACKER, VICTIM, 6, whole[at : at + 8], more | at // 8))


def horizontal(
    port: int, hosts: Iterable[str], *, every_s: float, source: str = ATTACKER, flags: int = frames.SYN,
    refused: float = 0.3, opened: float = 0.0,
) -> Making:  # fmt: skip
    """A sweep. `refused`, `opened`: shares of the hosts that are there and say no, or yes."""

    def make(chance: Random) -> Iterator[Timed]:
        for number, host in enumerate(hosts):
            at_s, source_port, what = number * every_s, chance.randrange(33_000, 64_000), chance.random()
            yield at_s, frames.tcp(source, source_port, host, port, flags, numbers=(1000, 0 if flags & 2 else 77))
            if what < refused:
                yield at_s + 0.01, frames.tcp(host, port, source, source_port, frames.RST_ACK, numbers=(0, 1001))
            elif what < refused + opened:
                yield from conversation(at_s, source, host, port, source_port)

    return make


def horizontal_udp(port: int, hosts: Iterable[str], *, every_s: float) -> Making:
    def make(chance: Random) -> Iterator[Timed]:
        for number, host in enumerate(hosts):
            yield number * every_s, frames.udp(ATTACKER, chance.randrange(33_000, 64_000), host, port, b"ask")

    return make


def absent_neighbours(every_s: float, count: int = 254) -> Making:
    def make(chance: Random) -> Iterator[Timed]:
        for number in range(count):
            target = f"192.168.1.{number + 1}"
            for again in (0, 1):
                if target != ATTACKER:
                    yield number * every_s + again, arp(1, "02:00:00:00:00:66", ATTACKER, target)
            if chance.random() < 0.1:
                yield number * every_s + 0.01, arp(2, f"02:00:00:00:01:{number:02x}", target, ATTACKER)

    return make


def syn_flood(*, forged: bool, accepted: bool = False, a_second: int = 400, source: str = ATTACKER) -> Making:
    def make(chance: Random) -> Iterator[Timed]:
        for number in range(10 * a_second):
            sender = (
                f"{chance.randrange(11, 190)}.{chance.randrange(256)}.{chance.randrange(256)}.9" if forged else source
            )
            sender_port, at_s = 1024 + number % 60_000, number / a_second
            yield at_s, frames.tcp(sender, sender_port, SERVER, 80, frames.SYN, numbers=(1000, 0))
            if accepted:
                yield at_s, frames.tcp(SERVER, 80, sender, sender_port, frames.SYN_ACK, numbers=(5000, 1001))

    return make


def udp_flood(*, forged: bool = False, one_flow: bool = False, a_second: int = 500) -> Making:
    def make(chance: Random) -> Iterator[Timed]:
        for number in range(10 * a_second):
            sender = (
                f"{chance.randrange(11, 190)}.{chance.randrange(256)}.{chance.randrange(256)}.9" if forged else ATTACKER
            )
            ports = (40_000, 9000) if one_flow else (chance.randrange(1024, 65_000), chance.randrange(1, 65_000))
            yield number / a_second, frames.udp(sender, ports[0], SERVER, ports[1], b"x" * 400)

    return make


def tunnel(
    kind: str, length: int, *, count: int, every_s: float, label: int = 60, domain: str = "t.evil-zone.net"
) -> Making:
    """Look-ups that carry data. `length`: bytes of it in each name."""

    def make(chance: Random) -> Iterator[Timed]:
        for number in range(count):
            data = "".join(chance.choice(TEXT) for _ in range(length))
            name = ".".join([*(data[at : at + label] for at in range(0, length, label)), domain])
            answer = {"TXT": f'{name}. TXT "ok"', "A": f"{name}. A 192.0.2.9", "CNAME": f"{name}. CNAME b.{domain}."}
            question, answering = frames.lookup(ATTACKER, name, kind, answer[kind], resolver=RESOLVER)
            yield number * every_s, question
            yield number * every_s + 0.05, answering

    return make


def guessing(
    port: int,
    said: int,
    *,
    every_s: float,
    count: int = 60,
    hosts: int = 1,
    lasts_s: float = 2.0,
    source: str = ATTACKER,
) -> Making:
    """Passwords that are tried. `said`: bytes of the server before it ends the connection."""

    def make(chance: Random) -> Iterator[Timed]:
        for number in range(count):
            host = f"192.168.1.{20 + number % hosts}"
            yield from conversation(
                number * every_s,
                source,
                host,
                port,
                40_000 + number,
                said=said + chance.randrange(200),
                lasts_s=lasts_s,
            )

    return make


def spoofed(chance: Random) -> Iterator[Timed]:
    """A device answers for the gateway and a host, in turns with them, as arpspoof does."""
    for number in range(60):
        at_s = number * 2 + chance.random() / 10
        for address, mac in (("192.168.1.1", "02:00:00:00:00:01"), (VICTIM, "02:00:00:00:00:20")):
            yield at_s, arp(2, "02:00:00:00:00:66", address, "192.168.1.77")
            if number % 5 == 0:
                yield at_s + 1, arp(2, mac, address, "192.168.1.77")


def conflict(chance: Random) -> Iterator[Timed]:
    """Two devices that were given one address."""
    for number in range(40):
        yield number * 5 + chance.random(), arp(1, f"02:00:00:00:00:{0x20 + number % 2}", VICTIM, "192.168.1.1")


INSIDE = tuple(f"192.168.1.{number}" for number in range(1, 255) if number != 66)
OUTSIDE = tuple(f"203.0.{number // 250}.{number % 250 + 1}" for number in range(500))

# Each attack, and the kinds that are right.
ATTACKS: Mapping[str, tuple[Making, frozenset[str]]] = {
    name: (making, frozenset(kinds.split()))
    for name, making, kinds in (
        ("SYN scan, refused", vertical(frames.SYN), "port_scan"),
        ("SYN scan, silent", vertical(frames.SYN, answer=False), "port_scan"),
        ("SYN scan, half open, some ports there", vertical(frames.SYN, opened=(21, 81, 441)), "port_scan"),
        ("SYN scan, a port in 15 s", vertical(frames.SYN, every_s=15), "port_scan"),
        ("SYN scan from outside", vertical(frames.SYN, source=STRANGER), "port_scan"),
        ("SYN scan of a server outside", vertical(frames.SYN, victim=SERVER, answer=False), "port_scan"),
        ("SYN scan over IPv6", vertical(frames.SYN, source="2001:db8::66", victim="2001:db8::20"), "port_scan"),
        ("FIN scan", vertical(FIN), "port_scan"),
        ("FIN scan, silent", vertical(FIN, answer=False), "port_scan"),
        ("NULL scan", vertical(0), "port_scan"),
        ("Xmas scan", vertical(XMAS), "port_scan"),
        ("ACK scan", vertical(frames.ACK), "port_scan"),
        ("ACK scan, silent", vertical(frames.ACK, answer=False), "port_scan"),
        ("FIN and ACK scan", vertical(frames.FIN_ACK), "port_scan"),
        ("UDP scan", vertical_udp(), "port_scan"),
        ("UDP scan, some answered", vertical_udp(answered=6), "port_scan"),
        ("UDP scan over IPv6", vertical_udp(source="2001:db8::66", victim="2001:db8::20"), "port_scan"),
        ("scan in fragments", fragmented, "port_scan"),
        ("sweep of 445 outside", horizontal(445, OUTSIDE[:60], every_s=0.5), "host_sweep"),
        ("sweep of 445, a host in 10 min", horizontal(445, OUTSIDE[:24], every_s=600), "host_sweep"),
        ("sweep of 22 inside", horizontal(22, INSIDE, every_s=0.1, opened=0.05), "host_sweep"),
        ("sweep of 443 inside", horizontal(443, INSIDE, every_s=0.1, opened=0.1), "host_sweep"),
        ("sweep of 23 by a stranger", horizontal(23, INSIDE[:40], every_s=1, source=STRANGER), "host_sweep"),
        ("NULL sweep of 80 inside", horizontal(80, INSIDE[:80], every_s=0.1, flags=0), "host_sweep"),
        ("UDP sweep of 161 inside", horizontal_udp(161, INSIDE, every_s=0.1), "host_sweep"),
        ("absent neighbours, fast", absent_neighbours(0.01), "host_sweep"),
        ("absent neighbours, one in 4 s", absent_neighbours(4.0, 100), "host_sweep"),
        ("SYN flood by one", syn_flood(forged=False), "syn_flood"),
        ("SYN flood, forged", syn_flood(forged=True), "syn_flood"),
        ("SYN flood, forged, accepted", syn_flood(forged=True, accepted=True), "syn_flood"),
        ("SYN flood, slow", syn_flood(forged=True, accepted=True, a_second=40), "syn_flood"),
        ("UDP flood by one", udp_flood(), "udp_flood"),
        ("UDP flood, forged", udp_flood(forged=True), "udp_flood"),
        ("UDP flood to one port", udp_flood(one_flow=True), "udp_flood"),
        ("DNS tunnel", tunnel("TXT", 180, count=200, every_s=0.3), "dns_tunnel"),
        ("DNS tunnel, short names", tunnel("CNAME", 48, count=300, every_s=1), "dns_tunnel"),
        ("DNS exfiltration in 15 look-ups", tunnel("A", 170, count=15, every_s=5), "dns_tunnel"),
        ("DNS exfiltration, a name in 20 s", tunnel("A", 120, count=60, every_s=20), "dns_tunnel"),
        ("passwords of ssh", guessing(22, 2200, every_s=1), "brute_force"),
        ("passwords of ssh, one in 10 s", guessing(22, 2200, every_s=10), "brute_force"),
        ("passwords of ssh on many hosts", guessing(22, 2200, every_s=2, hosts=30), "brute_force"),
        ("passwords of rdp", guessing(3389, 1700, every_s=1.5), "brute_force"),
        ("passwords of smb by a stranger", guessing(445, 900, every_s=0.5, source=STRANGER), "brute_force"),
        ("ARP spoofing", spoofed, "arp_spoofing"),
        ("address conflict", conflict, "address_conflict"),
    )
}  # fmt: skip
