from random import Random

import pytest

from appliance.core.detection.abuse.tunnels import LEAST_BYTES, MOST_DOMAINS, MOST_NAMES, Tunnels
from appliance.core.traffic.dns import LookUp
from tests.bench.hostile import TEXT

CLIENT, MAC = "192.168.1.66", "02:00:00:00:00:66"


def asked(name: str) -> LookUp:
    return LookUp(CLIENT, "192.0.2.53", 50_000, 17, 1, name, 1)


def data(length: int, chance: Random) -> str:
    return "".join(chance.choice(TEXT) for _ in range(length))


def test_data_in_ten_names_is_told_with_how_much_it_is() -> None:
    tunnels, chance = Tunnels(), Random(1)
    for number in range(9):
        tunnels.follow(asked(f"{data(60, chance)}.{data(60, chance)}.{data(40, chance)}.example.org"), MAC, number)
    assert tunnels.found() == []
    tunnels.follow(asked(f"{data(60, chance)}.example.org"), MAC, 10)
    [found] = tunnels.found()
    assert (found.source, found.peers[0]) == (CLIENT, "example.org")
    assert found.count >= LEAST_BYTES
    assert found.senders == {MAC: found.count}
    assert "10 distinct long names of example.org within 10 s" in found.details


@pytest.mark.parametrize(
    "name",
    [
        "{0}.cdn.example.org",  # short
        "the-quarterly-report-of-the-accounting-department-{1}.example.org",
        "{0}.in-addr.arpa",
        "{0}{0}{0}{0}.avqs.mcafee.com",  # a digest of a file that is judged
        "{0}",
    ],
)
def test_ordinary_long_names_are_no_tunnel(name: str) -> None:
    tunnels, chance = Tunnels(), Random(1)
    for number in range(20):
        tunnels.follow(asked(name.format(data(16, chance), number)), MAC, number)
    assert tunnels.found() == []


def test_the_same_names_again_carry_nothing() -> None:
    tunnels, chance = Tunnels(), Random(1)
    names = [f"{data(60, chance)}.example.org" for _ in range(8)]
    for number in range(400):
        tunnels.follow(asked(names[number % 8]), MAC, number)
    assert tunnels.found() == []


def test_what_is_remembered_is_bounded() -> None:
    tunnels, chance = Tunnels(), Random(1)
    for number in range(MOST_DOMAINS + 10):
        tunnels.follow(asked(f"{data(60, chance)}.site{number}.org"), MAC, 1.0)
    for _ in range(3 * MOST_NAMES):
        tunnels.follow(asked(f"{data(60, chance)}.example.org"), MAC, 2.0)
    remembered = tunnels.remembered
    assert remembered == (MOST_DOMAINS, MOST_NAMES)
