"""What servers and administrators do each day, as frames with their times: in it the bench must find no incident."""

from collections.abc import Iterator, Mapping
from random import Random

from tests.bench.hostile import ATTACKER, INSIDE, OUTSIDE, RESOLVER, SERVER, Making, Timed, arp, conversation
from tests.core import frames

DAY_S = 86400.0
HOSTS = INSIDE[:60]
OWN = "192.168.1.5"  # of the server that does it


def _tried(at_s: float, server: str, port: int, *, client: str = OWN, client_port: int = 41_000) -> Iterator[Timed]:
    """A host that is not there: the SYN is repeated."""
    for after_s in (0.0, 1.0, 3.0):
        yield at_s + after_s, frames.tcp(client, client_port, server, port, frames.SYN, numbers=(1000, 0))


def _refused(at_s: float, server: str, port: int, *, client: str = OWN, client_port: int = 41_000) -> Iterator[Timed]:
    yield at_s, frames.tcp(client, client_port, server, port, frames.SYN, numbers=(1000, 0))
    yield at_s + 0.01, frames.tcp(server, port, client, client_port, frames.RST_ACK, numbers=(0, 1001))


def monitoring(chance: Random) -> Iterator[Timed]:
    """A station that asks 60 hosts on four ports each five minutes; a third of them is off."""
    off = set(chance.sample(HOSTS, 20))
    for at_s in range(0, 6 * 3600, 300):
        for number, host in enumerate(HOSTS):
            for place, port in enumerate((22, 80, 443, 3389)):
                begin = at_s + number + place / 10
                ends = (OWN, host, port, 40_000 + (at_s // 300 * 7 + number) % 20_000)
                yield from _tried(begin, host, port) if host in off else conversation(begin, *ends)


def backup(chance: Random) -> Iterator[Timed]:
    """A server that fetches from 60 clients at night, of which 25 are off."""
    off = set(chance.sample(HOSTS, 25))
    for night in range(3):
        for number, host in enumerate(HOSTS):
            at_s = night * DAY_S + number * 30
            if host in off:
                yield from _tried(at_s, host, 9102)
            else:
                yield from conversation(at_s, OWN, host, 9102, 40_000 + number, said=900_000, lasts_s=20)


def deployment(chance: Random) -> Iterator[Timed]:
    """An administrator's tool opens ssh on 50 hosts; ten are down. It has several connections to each."""
    down = set(chance.sample(HOSTS[:50], 10))
    for number, host in enumerate(HOSTS[:50]):
        for again in range(3):
            at_s = number * 0.5 + again * 15
            ends = (OWN, host, 22, 40_000 + number * 3 + again)
            yield from _tried(at_s, host, 22) if host in down else conversation(at_s, *ends, said=9000, lasts_s=8)


def software_push(chance: Random) -> Iterator[Timed]:
    """A server copies software to 40 computers over 445, of which 15 are switched off."""
    for host in HOSTS[:40]:
        at_s = HOSTS.index(host) * 20.0
        if chance.random() < 0.37:
            yield from _tried(at_s, host, 445)
        else:
            yield from conversation(at_s, OWN, host, 445, 50_000, said=8000, lasts_s=15)


def directory_down(chance: Random) -> Iterator[Timed]:
    """Twenty clients of a domain controller that restarts."""
    ports = (53, 88, 135, 139, 389, 445, 464, 636, 3268)
    for client in HOSTS[10:30]:
        for place, port in enumerate(ports):
            ends = (client, OWN, port, 42_000 + place)
            yield from conversation(chance.random() * 60, *ends, said=5000)
            for again in range(3):
                yield from _refused(3600 + again * 20 + chance.random() * 5, OWN, port, client=client)


def cut_off_browser(chance: Random) -> Iterator[Timed]:
    """A browser whose uplink is broken."""
    for number, host in enumerate(OUTSIDE[:150]):
        yield from _tried(number * 0.8 + chance.random(), host, 443, client=HOSTS[3], client_port=42_000 + number)


def file_sharing(chance: Random) -> Iterator[Timed]:
    """A program that asks hundreds of peers, each at a port of its own, over TCP and UDP."""
    for number, host in enumerate(OUTSIDE[:400]):
        port, at_s = chance.randrange(6000, 60_000), number * 1.5
        if chance.random() < 0.5:
            yield from _tried(at_s, host, port, client=HOSTS[3], client_port=43_000 + number)
        yield at_s, frames.udp(HOSTS[3], 51_413, host, port, b"find")
        if chance.random() < 0.4:
            yield at_s + 0.1, frames.udp(host, port, HOSTS[3], 51_413, b"here")


def mail(chance: Random) -> Iterator[Timed]:
    """A mail server that delivers to 120 others in an hour, of which one in five does not answer."""
    for number, host in enumerate(OUTSIDE[:120]):
        at_s = number * 30.0
        if chance.random() < 0.2:
            yield from _tried(at_s, host, 25)
        else:
            yield from conversation(at_s, OWN, host, 25, 40_000 + number, said=1200)
        labels = ".".join(str(chance.randrange(256)) for _ in range(4))
        question, _ = frames.lookup(OWN, f"{labels}.zen.blocklist.example", "A", resolver=RESOLVER)
        yield at_s, question


def health_checks(chance: Random) -> Iterator[Timed]:
    """A load balancer looks at six backends each two seconds, over four hours; one is down for an hour."""
    for at_s in range(0, 14400, 2):
        for number in range(6):
            ends = (OWN, HOSTS[number], 8080, 40_000 + (at_s * 3 + number) % 20_000)
            if number == 2 and 3600 < at_s < 7200:
                yield from _refused(at_s, HOSTS[number], 8080, client_port=ends[3])
            else:
                yield from conversation(at_s + chance.random() / 10, *ends, said=300, lasts_s=0.05)


def printers(chance: Random) -> Iterator[Timed]:
    """A print server asks 30 printers by SNMP and at 9100; a third sleeps. A driver asks one at seven ports."""
    for at_s in range(0, 6 * 3600, 900):
        for number, host in enumerate(HOSTS[:30]):
            yield at_s + number, frames.udp(OWN, 50_000 + number, host, 161, b"get")
            if number % 3:
                yield at_s + number + 0.1, frames.udp(host, 161, OWN, 50_000 + number, b"value")
                yield from conversation(at_s + number, OWN, host, 9100, 44_000 + at_s // 900, said=200)
            else:
                yield from _tried(at_s + number, host, 9100)
        for place, port in enumerate((80, 443, 515, 631, 9100, 9101, 9102)):
            yield from _refused(at_s + 100 + place + chance.random(), HOSTS[40], port, client=HOSTS[5])


def router(chance: Random) -> Iterator[Timed]:
    """A department after a power cut: sixty devices ask for their neighbours, one after another."""
    for number, host in enumerate(HOSTS):
        mac = f"02:00:00:00:02:{number:02x}"
        for again in range(12):
            target = HOSTS[chance.randrange(len(HOSTS))]
            yield number * 0.5 + again * 10, arp(1, mac, host, target)
            if chance.random() < 0.5:
                yield (
                    number * 0.5 + again * 10 + 0.01,
                    arp(2, f"02:00:00:00:02:{HOSTS.index(target):02x}", target, host),
                )


def resolver(chance: Random) -> Iterator[Timed]:
    """A resolver of its own, and what programs look up: long names of caches, safety services and mail."""
    for number in range(1500):
        at_s, host = number * 1.2, OUTSIDE[number % 300]
        name = chance.choice(
            (
                f"e{number}.dsc{chance.choice('abcdg')}.akamaiedge.example",
                f"{chance.randrange(1 << 64):016x}.cloudfront.example",
                f"ec2-{number % 250}-22-33-44.eu-west-1.compute.cloud.example",
                f"selector{number % 5}._domainkey.company{number}.example",
                f"www.company{number}.example",
            )
        )
        question, answer = frames.lookup(OWN, name, "A", f"{name}. A 192.0.2.7", resolver=host)
        yield at_s, question
        if chance.random() < 0.95:
            yield at_s + 0.1, answer


def video(chance: Random) -> Iterator[Timed]:
    """Calls and cameras: streams in both directions, one without a word back but with its control connection."""
    for client in HOSTS[:5]:
        for number in range(600):
            yield number / 20 + chance.random() / 50, frames.udp(client, 50_002, SERVER, 3478, b"v" * 900)
            if number % 5 == 0:
                yield number / 20, frames.udp(SERVER, 3478, client, 50_002, b"v" * 900)
    camera, recorder = HOSTS[20], HOSTS[21]
    yield from conversation(0, recorder, camera, 554, 45_000, lasts_s=3600)
    for number in range(6000):
        yield 1 + number / 200, frames.udp(camera, 6970, recorder, 50_000, b"v" * 1200)


def logs(chance: Random) -> Iterator[Timed]:
    """Thirty devices send logs and flows to a collector that never answers; a trace of a path; clocks."""
    for number in range(3000):
        yield number / 5, frames.udp(HOSTS[number % 30], 514, OWN, 514, b"<13>log")
        yield number / 5, frames.udp(HOSTS[number % 30], 50_000, OWN, 2055, b"flow")
    for hop in range(30):
        for probe in range(3):
            yield 700 + hop + probe / 5, frames.udp(ATTACKER, 40_000, SERVER, 33_434 + hop * 3 + probe, b"trace")
    for number, host in enumerate(OUTSIDE[:40]):
        yield 800 + number * 64, frames.udp(HOSTS[2], 123, host, 123, b"time")
        if chance.random() < 0.9:
            yield 800.05 + number * 64, frames.udp(host, 123, HOSTS[2], 123, b"time")


def builds(chance: Random) -> Iterator[Timed]:
    """A build server fetches from a repository over ssh all day, and a station logs in to look at things."""
    for number in range(400):
        yield from conversation(
            number * 20.0, OWN, HOSTS[1], 22, 40_000 + number, said=20_000 + chance.randrange(90_000), lasts_s=3
        )
        if number % 15 == 0:
            for check in range(8):
                yield from conversation(number * 20.0 + check, HOSTS[2], HOSTS[7], 22, 45_000 + check, said=4500)


def proxy_down(chance: Random) -> Iterator[Timed]:
    """Forty people's browsers at a proxy that is restarted."""
    for client in HOSTS[10:50]:
        for number in range(5):
            yield from conversation(number * 20 + chance.random(), client, OWN, 3128, 42_000 + number, said=40_000)
    for client in HOSTS[10:50]:
        for number in range(60):
            at_s = 200 + number / 2 + chance.random() / 2
            yield from _refused(at_s, OWN, 3128, client=client, client_port=43_000 + number)


ORDINARY: Mapping[str, Making] = {
    "monitoring, a third is off": monitoring, "backup, of laptops": backup, "deployment over ssh": deployment,
    "software push": software_push, "directory restarts": directory_down, "browser without uplink": cut_off_browser,
    "file sharing": file_sharing, "mail": mail, "health checks": health_checks, "printers": printers,
    "neighbours after a power cut": router, "resolver": resolver, "video": video, "logs, traces, clocks": logs,
    "builds over ssh": builds, "proxy restarts": proxy_down,
}  # fmt: skip
