from appliance.core.detection.abuse.floods import LEAST_DATAGRAMS, LEAST_SYNS, MOST_SOURCES, MOST_TARGETS, Floods
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.traffic.packet import Packet, decode
from tests.core import frames

SERVER, CLIENT = "203.0.113.80", "192.168.1.66"


def packet(frame: bytes) -> Packet:
    found = decode(frame)
    assert found is not None
    return found


def begun(floods: Floods, count: int, *, source: str = CLIENT, is_known: bool = False, port: int = 80) -> None:
    for number in range(count):
        syn = frames.tcp(source, 1024 + number, SERVER, port, frames.SYN)
        floods.follow(packet(syn), 1000.0 + number / count, is_known=is_known)


def test_connections_that_are_begun_and_not_completed_are_a_flood_from_a_hundred_in_ten_seconds_on() -> None:
    floods = Floods()
    begun(floods, LEAST_SYNS - 1)
    assert floods.found(1002) == []
    begun(floods, 1)
    [found] = floods.found(1002)
    assert (found.kind, found.source, found.count) == (IncidentKind.SYN_FLOOD, CLIENT, LEAST_SYNS)
    assert found.peers == (SERVER,)
    assert found.senders == {frames.MAC["client"]: LEAST_SYNS}


def test_the_second_that_is_not_over_is_not_judged_because_its_connections_are_not_completed_yet() -> None:
    floods = Floods()
    begun(floods, 5 * LEAST_SYNS)
    assert floods.found(1000.5) == []


def test_a_tenth_of_completed_connections_shows_a_server_at_work() -> None:
    floods = Floods()
    begun(floods, LEAST_SYNS)
    for _ in range(LEAST_SYNS // 10):
        floods.complete(SERVER, 80, 1001)
    assert floods.found(1002) == []


def test_who_knows_the_target_counts_a_tenth() -> None:
    floods = Floods()
    begun(floods, 10 * LEAST_SYNS - 10, is_known=True)
    assert floods.found(1002) == []
    begun(floods, 10, is_known=True)
    assert len(floods.found(1002)) == 1


def test_of_forged_sources_the_target_is_named_and_nobody_to_block() -> None:
    floods = Floods()
    for number in range(LEAST_DATAGRAMS):
        sent = frames.udp(f"10.{number // 250}.{number % 250}.1", 5000, SERVER, 9000, b"x")
        floods.follow(packet(sent), 1000.0 + number / LEAST_DATAGRAMS, is_known=False)
    [found] = floods.found(1002)
    assert (found.kind, found.source, found.senders) == (IncidentKind.UDP_FLOOD, SERVER, {})
    assert f"{MOST_SOURCES} or more addresses" in found.details


def test_a_collector_of_logs_is_not_flooded_by_them() -> None:
    floods = Floods()
    for number in range(2 * LEAST_DATAGRAMS):
        floods.follow(packet(frames.udp(CLIENT, 5000, SERVER, 514, b"log")), 1000 + number / 1e4, is_known=False)
    assert floods.found(1002) == []


def test_the_targets_that_are_watched_are_bounded() -> None:
    floods = Floods()
    for number in range(2 * MOST_TARGETS):
        sent = packet(frames.tcp(CLIENT, 5000, f"10.1.{number // 250}.{number % 250}", 80, frames.SYN))
        floods.follow(sent, 1000.0, is_known=False)
    assert floods.remembered == MOST_TARGETS
    assert floods.found(1002) == []
