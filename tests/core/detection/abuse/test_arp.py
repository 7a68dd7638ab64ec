import struct
from collections.abc import Iterable
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.detection.abuse.arp import (
    ALTERNATIONS,
    MOST_ADDRESSES,
    RECENT_S,
    AddressClaim,
    AddressClaims,
    claim_in,
)
from appliance.core.detection.incident import IncidentChange
from appliance.core.detection.open_incidents import Incidents
from tests.core import frames

ROUTER, PC, THIEF = "02:00:00:00:00:01", "02:00:00:00:00:0a", "02:00:00:00:00:66"
GATEWAY, DESK = "192.168.1.1", "192.168.1.10"


def arp(mac: str, address: str, *, operation: int = 2, target: str = DESK) -> bytes:
    sender, asked = bytes.fromhex(mac.replace(":", "")), ip_address(target).packed
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    return bytes(6) + sender + b"\x08\x06" + head + sender + ip_address(address).packed + bytes(6) + asked + bytes(18)


def judged(claims: Iterable[tuple[float, str, str]], own: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """The kinds and addresses of what opens. `claims`: when, by which device, of which address."""
    incidents, found = Incidents(), []
    for now_s, mac, address in claims:
        incidents.follow_claim(AddressClaim(address, mac), own, now_s)
        updates = incidents.judge(now_s)
        found += [(str(one.incident.kind), one.incident.source) for one in updates if one.change != "closed"]
    return found


def test_a_claim_is_the_senders_address_and_hardware_address_behind_any_tag() -> None:
    for frame in (arp(PC, DESK), frames.tagged(arp(PC, DESK))):
        assert claim_in(frame) == AddressClaim(DESK, PC, is_answer=True)
    assert claim_in(arp(PC, DESK, operation=1)) == AddressClaim(DESK, PC)  # an announcement
    assert claim_in(arp(PC, DESK, operation=1, target=GATEWAY)) == AddressClaim(DESK, PC, neighbour=GATEWAY)


@pytest.mark.parametrize(
    "frame",
    [
        arp(PC, "0.0.0.0"),  # a probe
        arp(PC, "224.0.0.1"),
        arp("ff:ff:ff:ff:ff:ff", DESK),
        arp("00:00:00:00:00:00", DESK),
        arp(PC, DESK)[:41],
        frames.syn(DESK, GATEWAY, 22),
        arp(PC, DESK).replace(b"\x08\x00\x06\x04", b"\x86\xdd\x06\x10"),
        b"",
    ],
)
def test_what_claims_nothing_is_none(frame: bytes) -> None:
    assert claim_in(frame) is None


@given(st.binary(max_size=80))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    claim_in(data)
    claim_in(bytes(12) + b"\x08\x06" + data)


def test_two_devices_that_go_on_claiming_one_address_are_a_conflict() -> None:
    turns = [(number * 20.0, (PC, THIEF)[number % 2], DESK) for number in range(ALTERNATIONS + 1)]
    assert judged(turns[:-1]) == []
    assert judged(turns) == [("address_conflict", DESK)]


def test_who_takes_two_addresses_spoofs() -> None:
    claims = []
    for second in range(0, 60, 2):
        claims += [(second, THIEF, GATEWAY), (second, THIEF, DESK)]
        if second % 10 == 0:
            claims += [(second, ROUTER, GATEWAY), (second, PC, DESK)]
    found = judged(claims)
    assert ("arp_spoofing", GATEWAY) in found
    assert ("arp_spoofing", DESK) in found
    assert len(found) <= 4


@pytest.mark.parametrize("first", [ROUTER, THIEF])
def test_who_answers_for_one_address_where_nobody_asks_spoofs_whoever_was_there_first(first: str) -> None:
    incidents, opened = Incidents(), []
    incidents.follow_claim(AddressClaim(GATEWAY, first, is_answer=True), (), 0.0)
    for second in range(2, 60, 2):
        if second % 10 == 0:  # somebody asks, and hears the router
            incidents.follow_claim(AddressClaim(DESK, PC, neighbour=GATEWAY), (), second - 0.5)
            incidents.follow_claim(AddressClaim(GATEWAY, ROUTER, is_answer=True, neighbour=DESK), (), second - 0.4)
        incidents.follow_claim(AddressClaim(GATEWAY, THIEF, is_answer=True), (), float(second + 2))
        opened += [one.incident for one in incidents.judge(second + 2.0) if one.change is IncidentChange.OPENED]
    [found] = [one for one in opened if one.kind == "arp_spoofing"]
    assert (found.source, found.peers) == (GATEWAY, (THIEF, ROUTER))
    assert ", and answers where nobody has asked; look for" in found.details


def test_two_devices_that_answer_whoever_asks_for_the_address_of_both_are_a_conflict() -> None:
    incidents, kinds = Incidents(), set[str]()
    for second in range(0, 120, 5):
        incidents.follow_claim(AddressClaim(GATEWAY, ROUTER, neighbour=DESK), (), float(second))
        for after_s, mac in ((0.1, PC), (0.2, THIEF)):
            incidents.follow_claim(AddressClaim(DESK, mac, is_answer=True, neighbour=GATEWAY), (), second + after_s)
        kinds |= {str(one.incident.kind) for one in incidents.judge(second + 1.0)}
    assert kinds == {"address_conflict"}


def test_a_claim_of_the_appliances_own_address_is_spoofing_without_an_answer() -> None:
    claims = [(number * 2.0, THIEF, GATEWAY) for number in range(ALTERNATIONS)]
    assert judged(claims, own=(ROUTER,)) == [("arp_spoofing", GATEWAY)]
    assert judged([(number * 2.0, ROUTER, GATEWAY) for number in range(20)], own=(ROUTER,)) == []


def test_the_sentence_says_who_and_what_to_do() -> None:
    incidents = Incidents()
    for number in range(ALTERNATIONS):
        incidents.follow_claim(AddressClaim(GATEWAY, THIEF), {ROUTER}, number * 2.0)
    [update] = incidents.judge(4)
    assert (update.change, update.incident.severity) == (IncidentChange.OPENED, "high")
    assert update.incident.details == (
        f"{THIEF} claims {GATEWAY}, the appliance's own address, 3 times in turns within 4 s; look for {THIEF} in the "
        "switch's table of addresses"
    )
    assert update.incident.as_proven(True, lambda *_: True) is None  # to block the address would hit its holder


@pytest.mark.parametrize(
    "claims",
    [
        [(0.0, PC, DESK), (10.0, THIEF, DESK), *((20.0 + number, THIEF, DESK) for number in range(99))],
        [(number * (RECENT_S + 1), (PC, THIEF)[number % 2], DESK) for number in range(50)],
        [(0.0, PC, DESK), (30.0, THIEF, DESK), (60.0, PC, DESK)],
        [(number / 100, (PC, THIEF)[number % 2], DESK) for number in range(50)],
    ],
    ids=[
        "an address that moves",
        "leases that end",
        "a cable that is pulled and put back",
        "one question, two answers",
    ],
)
def test_what_ends_by_itself_is_no_conflict(claims: list[tuple[float, str, str]]) -> None:
    assert judged(claims) == []


def test_a_flood_of_claims_is_bounded() -> None:
    claims = AddressClaims()
    for number in range(2 * MOST_ADDRESSES):
        claims.follow(AddressClaim(str(ip_address(0x0A000000 + number)), PC), (), 0.0)
    assert claims.remembered == MOST_ADDRESSES
    assert claims.found() == []
