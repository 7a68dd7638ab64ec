"""Servers that are none of a department's: one message is enough, and it stays one incident."""

from appliance.core.detection.abuse.rogue_servers import MOST_STRANGERS, RogueServers
from appliance.core.detection.incident import IncidentChange, Severity
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.open_incidents import QUIET_S, Incidents
from appliance.core.traffic.devices.dhcp import DhcpMessage
from appliance.core.traffic.devices.neighbour_discovery import NeighbourNotice
from appliance.core.traffic.devices.server_sign import (
    MOST_KNOWN,
    KnownServers,
    ServerKind,
    ServerSign,
    sign_of_advertisement,
    sign_of_offer,
)

ROGUE_MAC, CLIENT = "02:00:00:00:00:66", "3c:52:82:1f:aa:07"
OFFER = sign_of_offer(DhcpMessage(CLIENT, "192.168.1.66", given="10.66.0.80"), ROGUE_MAC)
ADVERTISEMENT = sign_of_advertisement(NeighbourNotice(ROGUE_MAC, "fe80::66", True, 1800, ("2001:db8:bad::/64",)))


def test_one_offer_of_a_stranger_is_an_incident_with_its_evidence() -> None:
    incidents = Incidents()
    incidents.follow_stranger(OFFER, 10.0)
    [update] = incidents.judge(11.0)
    found = update.incident
    assert (update.change, found.kind, found.source) == (IncidentChange.OPENED, IncidentKind.ROGUE_DHCP, "192.168.1.66")
    assert (found.severity, found.count, found.peers) == (Severity.HIGH, 1, (CLIENT,))
    assert f"192.168.1.66 ({ROGUE_MAC}) gives out addresses, 10.66.0.80 to {CLIENT}" in found.details
    assert found.as_proven(is_inside=True, has_address=lambda *_: True) is None  # nothing is blocked for it


def test_a_router_that_nobody_knows_is_an_incident_with_what_it_offers() -> None:
    incidents = Incidents()
    incidents.follow_stranger(ADVERTISEMENT, 10.0)
    [update] = incidents.judge(11.0)
    assert (update.incident.kind, update.incident.source) == (IncidentKind.ROGUE_ROUTER, "fe80::66")
    assert "the prefix 2001:db8:bad::/64 and itself as the way out for 1800 s" in update.incident.details


def test_a_stranger_that_goes_on_is_told_once_and_ends_when_it_is_quiet() -> None:
    incidents = Incidents()
    changes = []
    for second in range(0, 600, 5):
        incidents.follow_stranger(OFFER, float(second))
        changes += [one.change for one in incidents.judge(float(second))]
    assert changes == [IncidentChange.OPENED]
    [closed] = incidents.judge(600.0 + QUIET_S)
    assert (closed.change, closed.incident.count) == (IncidentChange.CLOSED, 120)


def test_made_up_strangers_are_bounded() -> None:
    rogues = RogueServers()
    for number in range(10 * MOST_STRANGERS):
        rogues.follow(OFFER._replace(address=f"10.0.{number >> 8}.{number & 255}"), 1.0)
    assert len(rogues.found()) == MOST_STRANGERS
    assert rogues.found() == []


def test_known_servers_are_bounded_and_names_in_the_configuration_end_the_learning() -> None:
    known = KnownServers({})
    signs = [ServerSign(ServerKind.DHCP, f"10.0.0.{number}", ROGUE_MAC) for number in range(2 * MOST_KNOWN)]
    assert sum(known.learn(one) for one in signs) == MOST_KNOWN
    assert [known.is_stranger(one) for one in signs] == [False] * MOST_KNOWN + [True] * MOST_KNOWN
    named = KnownServers({ServerKind.DHCP: {"10.0.0.1"}}, [signs[0].key])
    assert not named.learn(signs[2])
    assert [named.is_stranger(one) for one in signs[:3]] == [True, False, True]
