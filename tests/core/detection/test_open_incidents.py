from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.detection.incident import IncidentChange, IncidentUpdate
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.open_incidents import MOST_OPEN, MOST_TOLD, QUIET_S, RETURN_S, Incidents
from appliance.core.detection.scans import (
    ANSWER_S,
    MOST_ATTEMPTS,
    MOST_FAILURES,
    MOST_GRANTED,
    WINDOW_S,
    Scans,
)
from appliance.core.traffic.packet import decode
from tests.core import frames

SCANNER, VICTIM = "192.168.1.66", "192.0.2.10"


def show(incidents: Incidents | Scans, frame: bytes, now_s: float) -> None:
    packet = decode(frame)
    assert packet is not None
    incidents.follow(packet, now_s)


def refused(incidents: Incidents, ports: Iterable[int], now_s: float, victim: str = VICTIM) -> None:
    for port in ports:
        show(incidents, frames.syn(SCANNER, victim, port), now_s)
        show(incidents, frames.rst(SCANNER, victim, port), now_s)


def changes(news: list[IncidentUpdate]) -> list[tuple[IncidentChange, IncidentKind, str]]:
    return [(one.change, one.incident.kind, one.incident.severity) for one in news]


def test_fifteen_refused_ports_of_one_host_within_five_minutes_are_a_port_scan() -> None:
    incidents = Incidents()
    for number in range(14):
        refused(incidents, [number + 1], now_s=number * 20)
    assert incidents.judge(261) == []
    refused(incidents, [15], now_s=280)
    news = incidents.judge(281)
    assert changes(news) == [(IncidentChange.OPENED, IncidentKind.PORT_SCAN, "medium")]
    assert news[0].incident.source == SCANNER
    assert f"15 different ports of {VICTIM} within 280 s" in news[0].incident.details
    assert len(incidents.open()) == 1


def test_fifteen_ports_over_a_longer_time_are_no_scan() -> None:
    incidents = Incidents()
    for number in range(40):
        refused(incidents, [number + 1], now_s=number * (WINDOW_S / 14 + 1))
        assert incidents.judge(number * (WINDOW_S / 14 + 1)) == []


def test_ten_ports_in_a_burst_are_enough() -> None:
    incidents = Incidents()
    refused(incidents, range(1, 10), now_s=0)
    assert incidents.judge(0) == []
    refused(incidents, [10], now_s=9)
    assert changes(incidents.judge(9)) == [(IncidentChange.OPENED, IncidentKind.PORT_SCAN, "low")]


def test_silence_is_a_failure_after_three_seconds() -> None:
    incidents = Incidents()
    for port in range(1, 21):
        show(incidents, frames.syn(SCANNER, VICTIM, port), 0)
    assert incidents.judge(ANSWER_S - 0.1) == []
    assert changes(incidents.judge(ANSWER_S)) == [(IncidentChange.OPENED, IncidentKind.PORT_SCAN, "medium")]


def test_a_client_that_asks_for_a_dead_service_again_and_again_is_no_scan() -> None:
    incidents = Incidents()
    for second in range(600):
        show(incidents, frames.syn(SCANNER, VICTIM, 80), second)
        if second % 2:
            show(incidents, frames.rst(SCANNER, VICTIM, 80), second)
        assert incidents.judge(second) == []


def test_accepted_connections_are_no_scan() -> None:
    incidents = Incidents()
    for port in range(1, 500):
        show(incidents, frames.syn(SCANNER, VICTIM, port), 0)
        show(incidents, frames.syn_ack(SCANNER, VICTIM, port), 1)
        show(incidents, frames.tcp(VICTIM, port, SCANNER, 40000, frames.RST_ACK), 2)
    assert incidents.judge(10) == []


def test_a_late_acceptance_withdraws_the_failure() -> None:
    incidents = Incidents()
    for port in range(1, 20):
        show(incidents, frames.syn(SCANNER, VICTIM, port), 0)
    for port in range(1, 19):
        show(incidents, frames.syn_ack(SCANNER, VICTIM, port), 2)
    incidents.judge(3)
    show(incidents, frames.syn_ack(SCANNER, VICTIM, 19), 4)
    refused(incidents, range(101, 110), now_s=5)
    assert incidents.judge(5) == []


def test_unrequested_replies_are_no_scan_of_either_side() -> None:
    incidents = Incidents()
    for port in range(1, 500):
        show(incidents, frames.syn_ack(SCANNER, VICTIM, port), 0)
        show(incidents, frames.rst(SCANNER, VICTIM, port), 0)
    assert incidents.judge(10) == []


def test_an_incident_is_reported_only_when_it_opens_grows_worse_or_ends() -> None:
    incidents = Incidents()
    refused(incidents, range(1, 21), now_s=0)
    assert changes(incidents.judge(0)) == [(IncidentChange.OPENED, IncidentKind.PORT_SCAN, "medium")]
    refused(incidents, range(21, 90), now_s=1)
    assert incidents.judge(1) == []
    refused(incidents, range(90, 120), now_s=2)
    assert changes(incidents.judge(2)) == [(IncidentChange.ESCALATED, IncidentKind.PORT_SCAN, "high")]
    refused(incidents, range(120, 1100), now_s=3)
    assert changes(incidents.judge(3)) == [(IncidentChange.ESCALATED, IncidentKind.PORT_SCAN, "critical")]
    assert incidents.judge(2 + QUIET_S) == []
    news = incidents.judge(3 + QUIET_S)
    assert changes(news) == [(IncidentChange.CLOSED, IncidentKind.PORT_SCAN, "critical")]
    assert "1024 different ports" in news[0].incident.details
    assert len(incidents.open()) == 0


def test_after_the_end_old_failures_do_not_open_it_again() -> None:
    incidents = Incidents()
    refused(incidents, range(1, 30), now_s=0)
    incidents.judge(0)
    incidents.judge(QUIET_S)
    refused(incidents, [5], now_s=QUIET_S + 1)
    assert incidents.judge(QUIET_S + 1) == []
    refused(incidents, range(1, 30), now_s=QUIET_S + 2)
    assert changes(incidents.judge(QUIET_S + 2)) == [(IncidentChange.OPENED, IncidentKind.PORT_SCAN, "medium")]


def test_a_source_that_scans_many_hosts_is_one_incident() -> None:
    incidents = Incidents()
    for host in range(1, 6):
        refused(incidents, range(1, 31), now_s=host, victim=f"192.0.2.{host}")
    assert changes(incidents.judge(6)) == [(IncidentChange.OPENED, IncidentKind.PORT_SCAN, "medium")]


def swept(incidents: Incidents, port: int, hosts: int, prefix: str = "10.1.1.") -> list[IncidentUpdate]:
    for host in range(1, hosts + 1):
        show(incidents, frames.syn(SCANNER, f"{prefix}{host}", port), 0)
    return incidents.judge(ANSWER_S)


@pytest.mark.parametrize(("port", "hosts"), [(8080, 25), (445, 8), (23, 8)])
def test_one_port_of_many_hosts_is_a_sweep_and_of_worms_ports_sooner(port: int, hosts: int) -> None:
    assert swept(Incidents(), port, hosts - 1) == []
    news = swept(Incidents(), port, hosts)
    assert [one.incident.kind for one in news] == [IncidentKind.HOST_SWEEP]
    assert f"port {port} of {hosts} different hosts" in news[0].incident.details


def test_a_worm_that_tries_a_host_every_ten_minutes_is_seen() -> None:
    incidents = Incidents()
    for host in range(1, 9):
        show(incidents, frames.syn(SCANNER, f"10.1.1.{host}", 445), host * 600)
    assert changes(incidents.judge(8 * 600 + ANSWER_S)) == [(IncidentChange.OPENED, IncidentKind.HOST_SWEEP, "low")]


def test_a_browser_that_is_cut_off_is_no_sweep_but_a_search_for_web_servers_inside_is() -> None:
    assert swept(Incidents(), 443, 200, prefix="8.8.8.") == []
    assert len(swept(Incidents(), 443, 25)) == 1


def test_a_fast_scan_cannot_hide_its_beginning() -> None:
    incidents = Incidents()
    for port in range(1, MOST_ATTEMPTS * 2):
        show(incidents, frames.syn(SCANNER, VICTIM, port), 0)
    assert changes(incidents.judge(ANSWER_S)) == [(IncidentChange.OPENED, IncidentKind.PORT_SCAN, "critical")]


def test_forged_sources_open_a_bounded_number_of_incidents() -> None:
    incidents = Incidents()
    for source in range(MOST_OPEN + 50):
        for port in range(1, 16):
            show(incidents, frames.syn(f"10.9.{source >> 8}.{source & 255}", VICTIM, port), source * 0.1)
            show(incidents, frames.rst(f"10.9.{source >> 8}.{source & 255}", VICTIM, port), source * 0.1)
        incidents.judge(source * 0.1)
    assert len(incidents.open()) == MOST_OPEN


def test_an_ipv6_scan_is_seen_too() -> None:
    incidents = Incidents()
    for port in range(1, 16):
        show(incidents, frames.syn("2001:db8::66", "2001:db8::10", port), 0)
    assert incidents.judge(ANSWER_S)[0].incident.source == "2001:db8::66"


hosts = st.integers(1, 6).map(lambda number: f"10.0.0.{number}")
segments = st.tuples(st.sampled_from([frames.syn, frames.syn_ack, frames.rst]), hosts, hosts, st.integers(1, 40))


@settings(max_examples=50)
@given(st.lists(st.tuples(segments, st.floats(0, 400)), max_size=200))
def test_for_any_traffic_the_failure_count_is_right_and_returns_to_zero(steps: list[tuple[tuple, float]]) -> None:
    scans, now_s = Scans(), 0.0
    for (make, source, destination, port), pause_s in steps:
        now_s += pause_s / 20
        show(scans, make(source, destination, port), now_s)
        for suspicion in scans.found(now_s):
            assert len(suspicion.failed_s) >= 8
        assert scans.remembered >= 0
    scans.found(now_s + ANSWER_S)
    scans.found(now_s + 100_000)
    assert scans.remembered == 0


def test_failures_are_remembered_to_a_bound() -> None:
    scans = Scans()
    for number in range(MOST_FAILURES):
        source = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        show(scans, frames.syn(source, VICTIM, 1000), 0)
        show(scans, frames.rst(source, VICTIM, 1000), 0)
    assert scans.remembered == MOST_FAILURES


HOUR_S = 3600


def polled(incidents: Incidents, now_s: float, *, up: int, absent: int, port: int = 9100) -> None:
    """A monitor asks so many hosts that answer, and so many that do not."""
    for host in range(1, up + absent + 1):
        show(incidents, frames.syn(SCANNER, f"10.1.1.{host}", port), now_s)
        if host <= up:
            show(incidents, frames.syn_ack(SCANNER, f"10.1.1.{host}", port), now_s)


def over_time(
    incidents: Incidents, hours: float, every_s: int, act: Callable[[float], None]
) -> list[tuple[float, str]]:
    """What is told while something is done every so many seconds, and when."""
    told = []
    for now_s in range(0, int(hours * HOUR_S), 5):
        if now_s % every_s == 0:
            act(now_s)
        told += [(now_s / HOUR_S, str(one.change)) for one in incidents.judge(now_s)]
    return told


def test_a_monitor_whose_hosts_are_half_there_is_no_scanner() -> None:
    incidents = Incidents()
    assert over_time(incidents, 2, 300, lambda now_s: polled(incidents, now_s, up=30, absent=30)) == []


def test_a_source_that_is_granted_less_than_it_fails_is_a_scanner() -> None:
    incidents = Incidents()
    polled(incidents, 0, up=20, absent=30)
    assert changes(incidents.judge(ANSWER_S)) == [(IncidentChange.OPENED, IncidentKind.HOST_SWEEP, "medium")]


def test_a_monitor_of_absent_hosts_is_told_when_it_begins_and_not_each_time() -> None:
    incidents = Incidents()
    told = over_time(incidents, 24, 300, lambda now_s: polled(incidents, now_s, up=0, absent=30))
    assert [change for _, change in told] == ["opened", "closed", "opened"]
    assert len(incidents.open()) == 1
    assert next(iter(incidents.open())).times == 2


def test_what_comes_back_is_counted_and_said_to() -> None:
    incidents = Incidents()
    refused(incidents, range(1, 30), now_s=0)
    assert not incidents.judge(0)[0].incident.details.startswith("Again")
    incidents.judge(QUIET_S)
    refused(incidents, range(1, 30), now_s=5 * HOUR_S)
    [again] = incidents.judge(5 * HOUR_S)
    assert (again.incident.times, again.incident.began_s) == (2, 0)
    assert again.incident.details.startswith(
        f"Again, 2 times by now: {SCANNER} failed to connect to 29 different ports"
    )
    assert incidents.judge(5 * HOUR_S + QUIET_S) == []


def test_after_a_day_it_is_another_incident() -> None:
    incidents = Incidents()
    refused(incidents, range(1, 30), now_s=0)
    incidents.judge(0)
    incidents.judge(QUIET_S)
    refused(incidents, range(1, 30), now_s=QUIET_S + RETURN_S)
    [another] = incidents.judge(QUIET_S + RETURN_S)
    assert (another.incident.times, another.incident.began_s) == (1, QUIET_S + RETURN_S)


def test_no_incident_tells_more_than_four_times_an_hour_and_what_waited_is_told_later() -> None:
    incidents = Incidents()
    told = []
    for count in (10, 15, 100, 1000):
        refused(incidents, range(1, count + 1), now_s=count / 100)
        told += changes(incidents.judge(count / 100))
    assert [severity for _, _, severity in told] == ["low", "medium", "high", "critical"]
    assert len(told) == MOST_TOLD
    assert incidents.judge(10 + QUIET_S) == []
    assert [one.change for one in incidents.judge(HOUR_S + 1)] == [IncidentChange.CLOSED]


def test_services_that_are_down_are_no_evidence_within_a_day() -> None:
    incidents = Incidents()
    polled(incidents, 0, up=40, absent=0, port=445)
    for host in range(1, 41):
        show(incidents, frames.syn(VICTIM, f"10.1.1.{host}", 445), 20 * HOUR_S)
    assert incidents.judge(20 * HOUR_S + ANSWER_S) == []
    for host in range(1, 41):
        show(incidents, frames.syn(VICTIM, f"10.1.1.{host}", 445), 30 * HOUR_S)
    assert [one.change for one in incidents.judge(30 * HOUR_S + ANSWER_S)] == [IncidentChange.OPENED]


def test_what_was_granted_is_remembered_to_a_bound() -> None:
    scans = Scans()
    for number in range(MOST_GRANTED * 5 // 4):
        source, host = f"10.{number // 60_000}.{number // 250 % 250}.{number % 250 + 1}", f"192.0.2.{number % 250 + 1}"
        packet, answer = decode(frames.syn(source, host, 80)), decode(frames.syn_ack(source, host, 80))
        assert packet is not None
        assert answer is not None
        scans.follow(packet, number / 1000)
        scans.follow(answer, number / 1000)
        assert scans.granted <= MOST_GRANTED
    assert scans.granted > MOST_GRANTED // 2
