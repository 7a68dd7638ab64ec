"""What is a visit and what is none: the rules, each with the packets of a case."""

from ipaddress import ip_interface

import pytest
from msgspec.structs import replace

from appliance.core.traffic.naming import NameRules, Purpose, Record
from appliance.core.traffic.sites import VISIT_S
from appliance.system.public_suffixes import PublicSuffixes
from tests.core import frames, hellos
from tests.monitor.traffic.test_insight import CLIENT, OTHER, OUTSIDE, Rig, at

SITE, OTHER_SITE = "203.0.113.80", "203.0.113.81"
SIXTH, PRIVACY, SITE6 = "2001:db8::10", "2001:db8::abcd", "2001:db8:1::80"
PORT = 40000
RULES = NameRules(PublicSuffixes())


@pytest.fixture
def rig() -> Rig:
    return Rig(RULES)


def looked_up(name: str, *addresses: str, client: str = CLIENT, kind: str = "A") -> tuple[bytes, bytes]:
    return frames.lookup(client, name, kind, *(f"{name}. {kind} {one}" for one in addresses))


def connected(client: str = CLIENT, server: str = SITE, port: int = 443, source: int = PORT) -> list[bytes]:
    return [
        frames.tcp(client, source, server, port, frames.SYN, numbers=(1000, 0)),
        frames.tcp(server, port, client, source, frames.SYN_ACK, numbers=(9000, 1001)),
    ]


def said(hello: bytes, client: str = CLIENT, server: str = SITE, port: int = 443, source: int = PORT) -> bytes:
    return frames.tcp(client, source, server, port, frames.ACK, hello, numbers=(1001, 9001))


def replied(
    data: bytes = hellos.SERVER_HELLO, client: str = CLIENT, server: str = SITE, port: int = 443, source: int = PORT
) -> bytes:
    return frames.tcp(server, port, client, source, frames.ACK, data, numbers=(9001, 1300))


def over_tls(name: str, server: str = SITE, source: int = PORT, *, encrypted: bool = False) -> list[bytes]:
    """A whole handshake."""
    hello = hellos.record(name, encrypted=encrypted)
    return [
        *connected(server=server, source=source),
        said(hello, server=server, source=source),
        replied(server=server, source=source),
    ]


def over_quic(name: str, *, version: int = 1, server: str = SITE, padding: int = 0) -> list[bytes]:
    datagrams = hellos.initials(name, version=version, padding=padding, pieces=[700] if padding else ())
    sent = [frames.udp(CLIENT, PORT, server, 443, one) for one in datagrams]
    return [*sent, frames.udp(server, 443, CLIENT, PORT, hellos.initial_answer(version=version))]


def visits(rig: Rig, second: float = 5.0) -> dict[str, int]:
    return {one.domain: one.visits for one in rig.update(second).metrics.top_websites}


# What the packets of a department's host are, and the sites that it has visited with them.
CASES: dict[str, tuple[list[bytes], dict[str, int]]] = {
    "a look-up alone, as a browser makes ahead": ([*looked_up("www.example.org", SITE)], {}),
    "a look-up and a connection that is answered": (
        [*looked_up("www.example.org", SITE), *connected()],
        {"example.org": 1},
    ),
    "a look-up and a connection that is not answered": ([*looked_up("www.example.org", SITE), connected()[0]], {}),
    "a look-up and a connection that is refused": (
        [*looked_up("www.example.org", SITE), connected()[0], frames.rst(CLIENT, SITE, 443)],
        {},
    ),
    "a name without addresses, and a connection elsewhere": (
        [*frames.lookup(CLIENT, "www.example.org"), *connected()],
        {},
    ),
    "a connection to another address": ([*looked_up("www.example.org", SITE), *connected(server=OTHER_SITE)], {}),
    "a handshake that goes on": (over_tls("www.example.org"), {"example.org": 1}),
    "a handshake that nobody answers": ([*connected(), said(hellos.record("www.example.org"))], {}),
    "a handshake that is refused": ([*over_tls("www.example.org")[:-1], replied(hellos.ALERT)], {}),
    "a hello without a connection": ([said(hellos.record("www.example.org"))], {}),
    "a look-up and the handshake of one visit": (
        [*looked_up("www.example.org", SITE), *over_tls("www.example.org")],
        {"example.org": 1},
    ),
    "several names of one site": (
        [*over_tls("www.example.co.uk"), *over_tls("static.example.co.uk", source=PORT + 1)],
        {"example.co.uk": 1},
    ),
    "two names of one address, of which the hello has one": (
        [*looked_up("www.example.org", SITE), *looked_up("www.ahead.net", SITE), *over_tls("www.example.org")],
        {"example.org": 1},
    ),
    "a hello without a name": (
        [*looked_up("www.example.org", SITE), *connected(), said(hellos.record(None)), replied()],
        {"example.org": 1},
    ),
    "QUIC that is answered": (over_quic("www.example.org"), {"example.org": 1}),
    "QUIC of version 2": (over_quic("www.example.org", version=2), {"example.org": 1}),
    "QUIC with a hello of two packets": (over_quic("www.example.org", padding=1300), {"example.org": 1}),
    "QUIC that nobody answers": (over_quic("www.example.org")[:-1], {}),
    "QUIC with a forged answer": (
        [
            *over_quic("www.example.org")[:-1],
            frames.udp(SITE, 443, CLIENT, PORT, hellos.initial_answer(first_id=b"guessed0")),
        ],
        {},
    ),
    "the outer name of an encrypted hello": (over_tls("cloudflare-ech.com", encrypted=True), {}),
    "an encrypted hello behind a look-up": (
        [*looked_up("www.example.org", SITE), *over_tls("front.example.net", encrypted=True)],
        {"example.org": 1},
    ),
    "an imitated encrypted hello with the true name": (
        [*looked_up("www.example.org", SITE), *over_tls("www.example.org", encrypted=True)],
        {"example.org": 1},
    ),
    "a resolver over HTTPS": (over_tls("dns.google"), {}),
    "a resolver's own look-ups": (
        [*looked_up("ns1.example.org", SITE), *connected(port=53), *looked_up("www.example.org", SITE)],
        {},
    ),
    "a resolver over TLS": ([*looked_up("dns.example.org", SITE), *connected(port=853)], {}),
    "a check of a certificate": ([*looked_up("ocsp.example.org", SITE), *connected(port=80)], {}),
    "a host of the network": (over_tls("printer.local"), {}),
    "an address as a name": (over_tls("203.0.113.80"), {}),
    "a name in another script": (over_tls("www.xn--bcher-kva.de"), {"bücher.de": 1}),
    "a name that looks like another": (over_tls("www.xn--80ak6aa92e.com"), {"xn--80ak6aa92e.com": 1}),
    "names that are none": (
        [
            *over_tls("<script>alert(1)</script>.org"),
            *over_tls("a\nb.org", source=PORT + 1),
            *over_tls("a\0b.org", source=PORT + 2),
            *over_tls("\u202egro.elpmaxe", source=PORT + 3),
        ],
        {},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_visit_is_what_a_server_has_answered(rig: Rig, case: str) -> None:
    arriving, expected = CASES[case]
    rig.arrive(1, *arriving)
    assert visits(rig) == expected


def test_a_visit_lasts_half_an_hour_however_its_site_is_named(rig: Rig) -> None:
    rig.arrive(1, *over_tls("www.example.org"))
    rig.arrive(2, *over_quic("www.example.org"))
    rig.arrive(VISIT_S, *looked_up("www.example.org", SITE), *connected(source=PORT + 1))
    assert visits(rig, VISIT_S + 5) == {"example.org": 1}
    rig.arrive(VISIT_S + 6, *over_tls("www.example.org", source=PORT + 2))
    assert visits(rig, VISIT_S + 7) == {"example.org": 2}


def test_both_addresses_of_a_device_are_one_device(rig: Rig) -> None:
    [link] = rig.metered.links.values()
    rig.metered.links = {link.name: replace(link, addresses=(*link.addresses, ip_interface("2001:db8::1/64")))}
    rig.step(1)
    rig.arrive(1, *looked_up("www.example.org", SITE6, kind="AAAA"), *over_tls("www.example.org"))
    for source in (SIXTH, PRIVACY):
        rig.arrive(2, *connected(client=source, server=SITE6))
    metrics = rig.update(5).metrics
    assert metrics.active_users == 1
    assert rig.insight.sites("sales", 100, at(5)).contacts.by_purpose == {Purpose.SITE: 3}
    assert [(one.domain, one.visits, one.devices) for one in metrics.top_websites] == [("example.org", 1, 1)]


def test_hosts_behind_a_router_are_told_apart_by_their_addresses(rig: Rig) -> None:
    rig.metered.router_macs = (frames.MAC["client"],)
    rig.step(1)
    for client in (CLIENT, OTHER):
        rig.arrive(2, *frames.visited(client, "www.example.org"))
    metrics = rig.update(5).metrics
    assert (metrics.active_users, metrics.top_websites[0].visits, metrics.top_websites[0].devices) == (2, 2, 2)


def test_a_name_server_of_the_department_names_the_connections_of_others_and_visits_nothing(rig: Rig) -> None:
    server = "02:00:00:00:00:53"
    question, answer = looked_up("www.example.org", SITE, client=OTHER)
    rig.arrive(1, question, bytes.fromhex(server.replace(":", "")) + answer[6:], *connected())
    [site] = rig.update(5).metrics.top_websites
    assert (site.domain, site.visits, site.devices) == ("example.org", 1, 1)


def test_bytes_are_those_of_connections_that_ended(rig: Rig) -> None:
    end = frames.tcp(CLIENT, PORT, SITE, 443, frames.FIN_ACK, numbers=(1001 + 700, 9001 + 50_000))
    late = frames.tcp(SITE, 443, CLIENT, PORT, frames.FIN_ACK, numbers=(9001 + 60_000, 1001 + 701))
    rig.arrive(1, *over_tls("www.example.org"), end)
    assert rig.update(5).metrics.top_websites[0].bytes == 50_700
    rig.arrive(6, late, late, end)
    assert rig.update(7).metrics.top_websites[0].bytes == 60_701


def test_a_forged_end_adds_no_more_than_the_line_carries(rig: Rig) -> None:
    rig.arrive(1, *over_tls("www.example.org"), frames.tcp(SITE, 443, CLIENT, PORT, 0x04, numbers=(8_000, 0)))
    assert rig.update(5).metrics.top_websites[0].bytes is not None
    assert int(rig.update(5).metrics.top_websites[0].bytes or 0) < 1 << 28


def test_what_got_no_name_is_told(rig: Rig) -> None:
    rig.arrive(1, *over_tls("www.example.org"), *connected(server=OTHER_SITE, source=PORT + 1))
    rig.arrive(
        1, *over_tls("dns.google", source=PORT + 2), *over_tls("cloudflare-ech.com", source=PORT + 3, encrypted=True)
    )
    assert rig.update(5).metrics.unnamed_share == 0.75
    report = rig.insight.sites("sales", 100, at(5))
    assert report.contacts.by_purpose == {
        Purpose.SITE: 1,
        Purpose.UNNAMED: 1,
        Purpose.ENCRYPTED_DNS: 1,
        Purpose.HIDDEN: 1,
    }


def test_with_the_record_off_no_name_is_kept_and_blocks_still_learn() -> None:
    rig = Rig(NameRules(PublicSuffixes(), Record.OFF))
    rig.arrive(1, *looked_up("www.example.org", SITE), *over_tls("www.example.org"))
    metrics = rig.update(5).metrics
    assert (metrics.top_websites, metrics.active_users) == ([], 1)
    assert rig.blocking.answers == [("sales", "www.example.org")]


def test_a_connection_from_outside_is_no_visit_of_the_department(rig: Rig) -> None:
    rig.arrive(1, *connected(client=OUTSIDE, server=CLIENT), said(hellos.record("www.example.org"), OUTSIDE, CLIENT))
    rig.arrive(1, replied(client=OUTSIDE, server=CLIENT))
    assert visits(rig) == {}
