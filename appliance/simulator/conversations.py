"""The packets of simulated devices: they look names up, open connections, are refused now and then, and one may scan.

All servers have addresses that are reserved for documentation (RFC 5737, RFC 3849), so that none is a real one.
"""

from collections.abc import Callable, Iterator
from ipaddress import ip_address
from itertools import accumulate
from random import Random

from msgspec.structs import replace

from appliance.core.traffic.packet import ACK, FIN, RST, SYN
from appliance.simulator.frames import (
    DNS_PORT,
    Address,
    Endpoints,
    address_claim,
    dhcp_request,
    dns_answer,
    dns_question,
    tcp,
)
from appliance.simulator.network import NAMES, NEWCOMER_NAME, Device, Population, newcomer_mac
from appliance.simulator.scenario import Act

# Name, and its weight in the choice of the next visit.
SITES = (
    ("github.com", 14),
    ("api.github.com", 6),
    ("jira.com", 12),
    ("www.wikipedia.org", 9),
    ("docs.python.org", 6),
    ("pubmed.ncbi.nlm.nih.gov", 8),
    ("www.bbc.co.uk", 5),
    ("outlook.office.com", 10),
    ("teams.microsoft.com", 7),
    ("www.youtube.com", 6),
    ("www.kernel.org", 3),
    ("www.openstreetmap.org", 2),
)
_CUMULATED = [*accumulate(weight for _, weight in SITES)]

# By IP version: the first website (a site's number is added), the first scanned server, the name server.
WEB = {4: ip_address("198.51.100.10"), 6: ip_address("2001:db8:100::10")}
SERVERS = {4: ip_address("192.0.2.20"), 6: ip_address("2001:db8:200::20")}
RESOLVER = {4: ip_address("192.0.2.53"), 6: ip_address("2001:db8:200::53")}

VISITS_S = 0.12  # visits a second of each device: a person who reads and clicks, and what programs fetch by themselves
REFUSED = 0.03  # of connections; far from enough to look like a scan
CUT = 0.1  # of connections end with a reset, as browsers end them
HTTPS = 443
LEAST_SAID, MORE_SAID = 500, 5_000  # bytes that the client sends: a few requests
LEAST_HEARD, MORE_HEARD = 5_000, 2_000_000  # bytes that it receives: from an icon to pictures
EPHEMERAL_PORTS = (32_768, 60_999)  # Linux's own range

LEASE_S = 600.0  # after which a device asks for its address again

SCAN_PORTS_S = 16.0  # ports a second that a scanner tries: 48 in the first minute's 3 s, a `medium` incident
FIRST_PORT = 20
OPEN_PORTS = frozenset({22, 80, 443})  # of the scanned server


def router_mac(population: Population) -> str:
    """The MAC address of the appliance's interface, the devices' router."""
    return f"02:53:49:4d:{population.index:02x}:fe"


def site_address(number: int, version: int) -> Address:
    """The address of a site. `number`: its index in `SITES`."""
    return WEB[version] + number


def visit_frames(
    population: Population, users: list[Device], tick_s: float, chance: Random, may_visit: Callable[[Device, int], bool]
) -> Iterator[bytes]:
    """The frames of the visits that begin within a tick. `may_visit`: takes the device and the site's number."""
    for device in users:
        if chance.random() < VISITS_S * tick_s:
            number = chance.choices(range(len(SITES)), cum_weights=_CUMULATED)[0]
            if may_visit(device, number):
                yield from _one_visit(population, device, number, chance)


def scan_frames(population: Population, act: Act, at_s: float, tick_s: float) -> Iterator[bytes]:
    """The frames of a scanner's attempts within a tick, each with the server's answer."""
    device = population.device_for(act.pick)
    server = SERVERS[device.address.version] + int(act.pick * 100)
    first, end = (round((second - act.at_s) * SCAN_PORTS_S) for second in (at_s, at_s + tick_s))
    for number in range(max(0, first), end):
        port = FIRST_PORT + number
        source_port = EPHEMERAL_PORTS[0] + number
        ends = Endpoints(device.mac, router_mac(population), device.address, server, source_port, port)
        yield tcp(ends, SYN, number)
        yield tcp(ends.reversed(), SYN | ACK if port in OPEN_PORTS else RST | ACK, 0, number + 1)


def greeting_frames(population: Population, users: list[Device], tick: int, tick_s: float) -> Iterator[bytes]:
    """The frames of devices that ask for an address within a tick: each once in a lease, a tick after the former.

    `tick`: counted from the first that is captured, however long the service takes to begin.
    """
    for number, (device, name) in enumerate(zip(population.devices, NAMES, strict=False)):
        if device in users and name and (tick - number) % round(LEASE_S / tick_s) == 0:
            yield dhcp_request(device.mac, f"{name}-{population.index + 1}")


def arrival_frames(population: Population) -> Iterator[bytes]:
    """The frames of a device that comes into the department."""
    mac = newcomer_mac(population)
    yield dhcp_request(mac, NEWCOMER_NAME)
    yield address_claim(mac, population.devices[-1].address + 1)


def _one_visit(population: Population, device: Device, number: int, chance: Random) -> Iterator[bytes]:
    """The frames of both look-ups of the name, the connection request, its outcome and its end."""
    version = device.address.version
    ends = Endpoints(
        source_mac=device.mac,
        destination_mac=router_mac(population),
        source=device.address,
        destination=site_address(number, version),
        source_port=chance.randint(*EPHEMERAL_PORTS),
        destination_port=HTTPS,
    )
    question = replace(ends, destination=RESOLVER[version], destination_port=DNS_PORT)
    for kind in (4, 6):
        identity = chance.getrandbits(16)
        yield dns_question(question, identity, SITES[number][0], kind)
        yield dns_answer(question.reversed(), identity, SITES[number][0], site_address(number, kind))
    sequence = chance.getrandbits(32)
    yield tcp(ends, SYN, sequence)
    if chance.random() < REFUSED:
        yield tcp(ends.reversed(), RST | ACK, 0, sequence + 1)
        return
    answered = chance.getrandbits(32)
    yield tcp(ends.reversed(), SYN | ACK, answered, sequence + 1)
    said, heard = LEAST_SAID + sequence % MORE_SAID, LEAST_HEARD + answered % MORE_HEARD
    if chance.random() < CUT:
        yield tcp(ends, RST, (sequence + 1) % 2**32)
    else:
        yield tcp(ends, FIN | ACK, (sequence + 1 + said) % 2**32, answered + 1 + heard)
