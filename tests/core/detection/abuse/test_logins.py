from random import Random

import pytest

from appliance.core.detection.abuse.logins import LEAST, MOST_OPEN, SERVICES, Logins
from appliance.core.detection.evidence import Evidence
from appliance.core.traffic.packet import decode
from tests.bench.hostile import ATTACKER, VICTIM, conversation, guessing
from tests.core import frames


def follow(logins: Logins, frame: bytes, now_s: float) -> None:
    packet = decode(frame)
    assert packet is not None
    logins.follow(packet, now_s)


def logged_in(said: int, count: int, *, port: int = 22, every_s: float = 1.0) -> list[Evidence]:
    logins = Logins()
    for number in range(count):
        for at_s, frame in conversation(number * every_s, ATTACKER, VICTIM, port, 40_000 + number, said=said):
            follow(logins, frame, at_s)
    return logins.found(count * every_s + 2)


def test_logins_that_are_turned_away_again_and_again_are_a_search_for_passwords() -> None:
    assert logged_in(2200, LEAST) == []
    [found] = logged_in(2200, LEAST + 1)
    assert (found.source, found.peers, found.ports) == (ATTACKER, (VICTIM,), ("22",))
    assert (found.count, found.proven, found.senders) == (LEAST + 1, LEAST + 1, {frames.MAC["client"]: LEAST + 1})


def test_logins_that_go_on_count_against_it() -> None:
    assert logged_in(20_000, 60) == []


@pytest.mark.parametrize("port", SERVICES)
def test_who_looks_whether_a_service_is_there_tries_no_password(port: int) -> None:
    assert logged_in(SERVICES[port].least_said - 1, 60, port=port) == []
    assert len(logged_in(SERVICES[port].least_said, 60, port=port)) == 1


def test_a_station_that_looks_at_each_of_many_hosts_tries_no_password() -> None:
    logins = Logins()
    for at_s, frame in guessing(22, 2200, every_s=1, count=60, hosts=60)(Random(1)):
        follow(logins, frame, at_s)
    assert logins.found(62) == []


def test_tries_that_are_rare_are_none() -> None:
    assert logged_in(2200, 60, every_s=16) == []


def test_the_connections_that_are_followed_are_bounded() -> None:
    logins = Logins()
    for number in range(MOST_OPEN + 30):
        follow(logins, frames.tcp(VICTIM, 22, f"10.0.{number // 250}.{number % 250}", 40_000, frames.SYN_ACK), 1.0)
    for number in range(30):  # the oldest are forgotten
        end = frames.tcp(VICTIM, 22, f"10.0.0.{number}", 40_000, frames.FIN_ACK, numbers=(2000, 1))
        follow(logins, end, 2.0)
    assert logins.found(3.0) == []
