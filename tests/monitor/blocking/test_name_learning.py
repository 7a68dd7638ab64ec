"""What hosts were told about names, and what of it is blocked, through restarts and changes of the network."""

from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_interface
from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance.core.blocking.blocked_names import SharedAddresses
from appliance.core.traffic.dns import DnsAnswer
from appliance.monitor.blocking.name_learning import MOST_TOLD, SAVED_S
from appliance.monitor.blocking.tampering import SHOWN_S
from tests.monitor.blocking.test_enforcement import SECONDS, Rig

DAY_S = 86_400
RESOLVER = "192.0.2.53"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "state.sqlite3")
    with closing(made.store):
        yield made


@pytest.fixture
def sparing(rig: Rig) -> Rig:
    """Addresses where hosts visit other names are spared."""
    rig.shared = SharedAddresses.SPARE
    rig.crash()
    return rig


def hear(rig: Rig, name: str, *addresses: str, department: str = "sales", aliases: tuple[str, ...] = ()) -> None:
    answer = DnsAnswer("10.0.0.5", name, addresses, 900, aliases, RESOLVER)
    rig.enforcement.hear(department, answer, rig.now())


def shared_count(rig: Rig, department: str) -> int:
    text = "".join(rig.enforcement.notes(department, rig.now()))
    return int(text.split()[5]) if text else 0


def spared(rig: Rig) -> dict[str, str]:
    return {
        one.learned.address: one.rule.text
        for block in rig.enforcement.blocks(rig.now())
        for one in rig.enforcement.resolved(block)[1]
    }


@pytest.mark.parametrize("restart", ["stop", "crash", "power"])
def test_what_hosts_were_told_in_the_last_day_is_known_after_a_restart(rig: Rig, restart: str) -> None:
    hear(rig, "www.example.com", "10.5.0.1")
    hear(rig, "other.test", "10.5.0.2")
    if restart == "stop":
        rig.enforcement.save()
    rig.pass_(SAVED_S)
    rig.lose_power(600) if restart == "power" else rig.crash()
    rig.pass_(DAY_S - SAVED_S - 700)
    rig.block("example.com")
    assert rig.in_force() == {"10.5.0.1"}
    rig.pass_(700)
    rig.know_the_time()
    rig.block("other.test")
    assert "10.5.0.2" not in rig.in_force()


def test_a_block_that_is_restored_knows_what_it_held_and_what_it_spared(sparing: Rig) -> None:
    rig = sparing
    hear(rig, "example.com", "10.5.0.1", "10.5.0.2")
    hear(rig, "good.test", "10.5.0.2")
    rig.block("example.com")
    before = spared(rig)
    assert before == {"10.5.0.2": "hosts visit good.test there too"}
    rig.pass_(SAVED_S)
    rig.crash()
    assert rig.in_force() == {"10.5.0.1"}
    rig.pass_(1)
    assert spared(rig) == before
    [block] = rig.enforcement.blocks(rig.now())
    assert [one.why for one in rig.enforcement.resolved(block)[0]] == [
        f"example.com resolves to it, as the name server {RESOLVER} said"
    ]


def test_an_address_is_freed_when_hosts_begin_to_visit_another_name_there_and_blocked_again_with_that_name(
    sparing: Rig,
) -> None:
    rig = sparing
    hear(rig, "example.com", "10.5.0.1")
    rig.block("example.com", department="sales")
    hear(rig, "good.test", "10.5.0.1", department="lab")
    assert rig.in_force("sales") == {"10.5.0.1"}
    hear(rig, "good.test", "10.5.0.1")
    assert rig.in_force("sales") == set()
    assert rig.store.learned() == []
    assert shared_count(rig, "sales") == 1
    rig.block("good.test", department="sales")
    rig.pass_(1)
    assert rig.in_force("sales") == {"10.5.0.1"}
    assert shared_count(rig, "sales") == 0


def test_by_default_an_address_stays_blocked_where_hosts_visit_another_name_and_that_is_told(rig: Rig) -> None:
    hear(rig, "example.com", "10.5.0.1")
    rig.block("example.com", department="sales")
    assert shared_count(rig, "sales") == 0
    hear(rig, "good.test", "10.5.0.1")
    assert rig.in_force("sales") == {"10.5.0.1"}
    assert shared_count(rig, "sales") == 1
    [block] = rig.enforcement.blocks(rig.now())
    assert [one.shared for one in rig.enforcement.resolved(block)[0]] == ["hosts visit good.test there too"]
    rig.block("good.test")
    rig.pass_(1)
    assert shared_count(rig, "sales") == 0
    rig.unblock("example.com", department="sales")
    assert rig.in_force("sales") == set()


def test_an_address_that_becomes_protected_or_a_name_server_later_is_freed_within_seconds(rig: Rig) -> None:
    hear(rig, "example.com", "10.5.0.1", "10.5.0.2")
    rig.block("example.com")
    assert rig.in_force() == {"10.5.0.1", "10.5.0.2"}
    rig.links["eth1"] = replace(rig.links["eth1"], addresses=(ip_interface("10.5.0.1/32"),))
    rig.enforcement.hear("sales", DnsAnswer("10.0.0.5", "good.test", (), 60, (), "10.5.0.2"), rig.now())
    rig.pass_(30)
    assert rig.in_force() == set()
    assert spared(rig) == {"10.5.0.2": "hosts use the name server there"}
    rig.links["eth1"] = replace(rig.links["eth1"], addresses=())
    rig.pass_(30)
    assert rig.in_force() == {"10.5.0.1"}


def test_an_alias_of_a_blocked_name_is_denied_until_a_day_later_or_the_block_is_lifted(rig: Rig) -> None:
    rig.block("ads.test", "more.test")
    hear(rig, "shop.test", "10.5.0.1", aliases=("eu.ads.test",))
    hear(rig, "news.test", "10.5.0.2", aliases=("more.test",))
    assert rig.in_force() == {"10.5.0.1", "10.5.0.2"}
    assert rig.denies("shop.test")
    assert not rig.denies("www.shop.test")
    rig.crash()
    rig.pass_(1)
    assert rig.denies("shop.test")
    rig.unblock("more.test")
    assert not rig.denies("news.test")
    rig.pass_(DAY_S)
    assert not rig.denies("shop.test")
    assert rig.store.learned() == []


def test_a_host_that_was_told_an_alias_before_is_cut_off_with_the_name(rig: Rig) -> None:
    hear(rig, "shop.test", "10.5.0.1", aliases=("eu.ads.test",))
    rig.block("ads.test")
    assert rig.in_force() == {"10.5.0.1"}
    assert rig.denies("shop.test")


def test_look_ups_are_refused_for_whom_a_name_is_blocked_while_the_filter_is_in_force(rig: Rig) -> None:
    rig.block("example.com", department="sales")
    assert rig.enforcement.refuses("sales", "www.example.com")
    assert not rig.enforcement.refuses("lab", "www.example.com")
    assert not rig.enforcement.refuses("sales", "example.net")
    rig.dns_filter.refusal = "Operation not permitted"
    rig.dns_filter.flush()
    rig.pass_(1)
    assert not rig.enforcement.refuses("sales", "www.example.com")


def test_packets_that_were_dropped_unread_are_told_for_some_minutes(rig: Rig) -> None:
    rig.block("example.com")
    rig.dns_filter.unread = 3
    rig.pass_(1)
    assert rig.enforcement.notes("sales", rig.now()) == [
        "3 packets to port 53 since the start could not be read and were dropped"
    ]
    assert rig.enforcement.troubles(rig.now()) == []
    rig.pass_(SHOWN_S + 1)
    assert rig.enforcement.notes("sales", rig.now()) == []


def test_many_protected_addresses_take_a_few_sentences(rig: Rig) -> None:
    rig.links["eth1"] = replace(rig.links["eth1"], addresses=(ip_interface("10.5.0.1/32"),))
    rig.pass_(1)
    for number in range(10):
        rig.block(f"n{number}.test", seconds=SECONDS)
        hear(rig, f"n{number}.test", "10.5.0.1")
    told = rig.enforcement.troubles(rig.now())
    assert len(told) == MOST_TOLD + 1
    assert told[-1] == f"{10 - MOST_TOLD} more addresses of blocked names are not blocked; ip:list has them"
    rig.pass_(SECONDS)
    assert rig.enforcement.troubles(rig.now()) == []
