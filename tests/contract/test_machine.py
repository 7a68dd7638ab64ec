"""What the ports promise, of the simulated machine and of the real one: the same assertions for both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.core.blocking.targets import Scope
from appliance.core.machine import Light, Lights, Press
from appliance.core.traffic.devices.dhcp import dhcp_in
from appliance.core.traffic.dns import look_ups_in
from appliance.core.traffic.packet import FIN, decode
from tests.contract.machines import Rig, real, simulated
from tests.core.frames import is_of_neighbours
from tests.lab.blocks import DEPARTMENT, bounds, pieces, place, remaining_s, targets
from tests.lab.lookups import denials

LONG_S = 3600.0


@pytest.fixture(params=[simulated, real], ids=["simulated", "real"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with request.param(tmp_path) as rig:
        yield rig


def totals(rig: Rig) -> dict[str, tuple[int, ...]]:
    links = rig.interfaces.links().values()
    return {
        link.name: (
            link.counters.rx_bytes,
            link.counters.tx_bytes,
            link.counters.rx_packets,
            link.counters.tx_packets,
        )
        for link in links
    }


def test_counters_never_decrease_and_the_department_s_grow_in_both_directions(rig: Rig) -> None:
    before = totals(rig)
    rig.live()
    after = totals(rig)
    assert after.keys() == before.keys()
    assert all(new >= old for name in before for new, old in zip(after[name], before[name], strict=True))
    assert all(new > old for new, old in zip(after[rig.interface], before[rig.interface], strict=True))


def test_a_link_is_known_again_by_its_identity_and_no_two_share_one(rig: Rig) -> None:
    once = {name: link.identity for name, link in rig.interfaces.links().items()}
    rig.live()
    assert {name: link.identity for name, link in rig.interfaces.links().items()} == once
    assert len(set(once.values())) == len(once)
    assert rig.interfaces.links()[rig.interface].up


def test_the_department_s_devices_are_sighted_at_its_interface(rig: Rig) -> None:
    rig.live()
    sightings = rig.neighbours.sightings()
    assert (rig.interface, rig.host) in {(one.interface, str(one.address)) for one in sightings}
    assert all(one.age_s >= 0 and len(one.mac.split(":")) == 6 for one in sightings)


def test_connections_are_told_by_the_address_that_opened_them(rig: Rig) -> None:
    assert rig.firewall.install_rules([place(rig.interface)]) is None  # without which no kernel tracks anything
    rig.live()
    assert rig.host in {one.source for one in rig.flows.connections()}


def test_the_gauges_are_within_what_they_measure(rig: Rig) -> None:
    vitals = rig.sensors.vitals()
    assert 0 <= vitals.cpu_percent <= 100
    assert vitals.cpu_temperature_c is None or -40 < vitals.cpu_temperature_c < 125
    assert 0 < vitals.memory_used_bytes < vitals.memory_total_bytes
    assert 0 < vitals.storage_used_bytes < vitals.storage_total_bytes


def test_a_press_is_told_once(rig: Rig) -> None:
    told: list[Press] = []
    assert list(rig.panel.presses()) == []
    rig.press(Press.HELD)
    rig.until(lambda: bool(told.extend(rig.panel.presses()) or told))
    assert told == [Press.HELD]
    assert list(rig.panel.presses()) == []


def test_the_lights_can_be_shown_again_and_again(rig: Rig) -> None:
    for _ in range(2):
        rig.panel.show(Lights(Light.SLOW, Light.FAST, Light.ON))


def test_before_the_first_arrangement_no_rules_stand(rig: Rig) -> None:
    assert not rig.firewall.is_intact()
    arrange(rig)
    assert rig.firewall.is_intact()
    assert rig.firewall.tampered_by() is None


def arrange(rig: Rig) -> None:
    assert rig.firewall.install_rules([place(rig.interface)]) is None


@pytest.mark.parametrize(
    "wanted",
    [
        (),
        ("10.9.0.1",),
        ("10.9.0.1", "10.9.0.0/16", "2001:db8::1", "2001:db8:9::/48", "02:00:5e:10:00:01"),
        ("10.9.0.0/32",),
    ],
    ids=["nothing", "a host", "all kinds", "a prefix of one"],
)
@pytest.mark.parametrize("department", [None, DEPARTMENT])
def test_what_was_put_is_in_force(rig: Rig, wanted: tuple[str, ...], department: str | None) -> None:
    arrange(rig)
    assert rig.firewall.replace_elements(pieces(*wanted, department=department, seconds=LONG_S), 0.0) is None
    assert targets(rig.firewall, department) == set(wanted)


def test_replacing_takes_away_what_was_there_and_changing_does_not(rig: Rig) -> None:
    arrange(rig)
    rig.firewall.replace_elements(pieces("10.9.0.1", "10.9.0.2", "10.9.1.0/24"), 0.0)
    rig.firewall.replace_elements(pieces("10.9.0.2", "10.9.0.3", seconds=LONG_S), 0.0)
    assert targets(rig.firewall) == {"10.9.0.2", "10.9.0.3"}
    assert rig.firewall.update_elements(bounds(pieces("10.9.0.2")), pieces("10.9.0.4"), 0.0) is None
    assert targets(rig.firewall) == {"10.9.0.3", "10.9.0.4"}
    rig.firewall.replace_elements({}, 0.0)
    assert targets(rig.firewall) == set()


def test_a_transaction_that_is_refused_says_why_and_changes_nothing(rig: Rig) -> None:
    arrange(rig)
    rig.firewall.replace_elements(pieces("10.9.0.7"), 0.0)
    overlapping = pieces("10.9.0.8", "10.0.0.0/8", "10.9.0.0/16")
    assert rig.firewall.replace_elements(overlapping, 0.0)
    assert rig.firewall.update_elements({}, overlapping, 0.0)
    assert targets(rig.firewall) == {"10.9.0.7"}


def test_a_set_that_does_not_stand_takes_nothing(rig: Rig) -> None:
    arrange(rig)
    rig.firewall.replace_elements(pieces("10.9.0.7"), 0.0)
    assert rig.firewall.replace_elements(pieces("10.9.0.8", department="nowhere"), 0.0)
    assert rig.firewall.update_elements({}, pieces("10.9.0.8", department="nowhere"), 0.0)
    assert targets(rig.firewall) == {"10.9.0.7"}


def test_a_piece_ends_by_itself_when_its_time_is_over(rig: Rig) -> None:
    arrange(rig)
    rig.firewall.replace_elements(pieces("10.9.2.0/24", "10.9.0.2"), 0.0)
    rig.firewall.update_elements({}, pieces("10.9.0.1", "10.9.1.0/24", seconds=100.3), 100.0)
    assert targets(rig.firewall) == {"10.9.2.0/24", "10.9.0.2", "10.9.0.1", "10.9.1.0/24"}
    rig.until(lambda: targets(rig.firewall) == {"10.9.2.0/24", "10.9.0.2"})


def test_putting_it_again_gives_it_a_new_time(rig: Rig) -> None:
    arrange(rig)
    rig.firewall.replace_elements(pieces("10.9.0.1", "10.9.1.0/24", seconds=1.0), 0.0)
    again = pieces("10.9.0.1", "10.9.1.0/24", seconds=LONG_S)
    assert rig.firewall.update_elements(bounds(again), again, 0.0) is None
    assert len(remaining_s(rig.firewall)) == 2
    assert all(one is not None and one > LONG_S - 60 for one in remaining_s(rig.firewall))


def test_a_denied_name_and_all_below_it_is_refused_to_the_department_until_its_time_is_over(rig: Rig) -> None:
    wanted = [*denials("one.test", department=DEPARTMENT), *denials("two.test", seconds=1.5)]
    assert rig.dns_filter.replace_denials([place(rig.interface)], wanted, 0.0) is None
    assert rig.dns_filter.is_intact()
    asked = ("one.test", "www.one.test", "two.test", "test", "none.test", "aone.test")
    assert [rig.is_refused(name) for name in asked] == [True, True, True, False, False, False]
    rig.until(lambda: not rig.is_refused("two.test"))
    assert rig.is_refused("one.test")


def test_a_denied_name_is_answered_while_the_filter_is_open_until_its_time_is_over(rig: Rig) -> None:
    assert rig.dns_filter.replace_denials([place(rig.interface)], denials("blocked.test"), 0.0) is None
    assert rig.is_refused("blocked.test")
    assert rig.dns_filter.let_pass(LONG_S) is None
    assert not rig.is_refused("blocked.test")
    assert rig.dns_filter.let_pass(0) is None
    assert rig.is_refused("blocked.test")
    assert rig.dns_filter.let_pass(2.0) is None
    rig.until(lambda: rig.is_refused("blocked.test"))


def test_a_name_alone_or_only_what_is_below_it_is_refused_where_the_denial_says_so(rig: Rig) -> None:
    alone, below = denials("alone.test", "below.test")
    wanted = [alone._replace(scope=Scope.ITSELF), below._replace(scope=Scope.BELOW)]
    assert rig.dns_filter.replace_denials([place(rig.interface)], wanted, 0.0) is None
    asked = ("alone.test", "www.alone.test", "below.test", "www.below.test", "a.b.below.test")
    assert [rig.is_refused(name) for name in asked] == [True, False, False, True, True]


def test_a_change_of_what_is_denied_leaves_the_rest_and_needs_something_that_stands(rig: Rig) -> None:
    one, two, three = denials("one.test", "two.test", "three.test")
    assert rig.dns_filter.update_denials([], [one], 0.0) is not None
    assert rig.dns_filter.replace_denials([place(rig.interface)], [one, two], 0.0) is None
    assert rig.dns_filter.update_denials([one.question], [three], 0.0) is None
    assert [rig.is_refused(f"{name}.test") for name in ("one", "two", "three")] == [False, True, True]
    assert rig.dns_filter.update_denials([one.question], [], 0.0) is None  # which is not there
    assert rig.dns_filter.replace_denials([place(rig.interface)], [one], 0.0) is None
    assert [rig.is_refused(f"{name}.test") for name in ("one", "two", "three")] == [True, False, False]
    assert rig.dns_filter.replace_denials([place(rig.interface)], [], 0.0) is None
    assert not rig.is_refused("one.test")


def test_frames_come_in_small_batches_each_once_and_only_of_the_kind_that_is_looked_for(rig: Rig) -> None:
    rig.capture.attach([rig.interface, "absent0"])
    rig.live()
    batches = []
    while batch := rig.capture.frames():
        batches.append(batch)
    assert len(batches[0]) == 64
    assert max(map(len, batches)) == 64
    assert {frame.interface for batch in batches for frame in batch} == {rig.interface}
    found = [frame.data for batch in batches for frame in batch]
    frames = [data for data in found if not is_of_neighbours(data)]
    packets = [decode(data) for data in frames]
    assert all(
        one and (one.opens or one.accepts or one.refuses or one.flags & FIN or any(look_ups_in(one)) or dhcp_in(one))
        for one in packets
    )
    assert any(one and one.opens and one.source == rig.host for one in packets)
    assert rig.capture.lost() == 0


def test_nothing_is_captured_where_nobody_listens(rig: Rig) -> None:
    rig.capture.attach([rig.interface])
    rig.capture.attach([])
    rig.live()
    assert list(rig.capture.frames()) == []


def test_what_nobody_takes_in_time_is_lost_and_counted(rig: Rig) -> None:
    rig.capture.attach([rig.interface])
    lost = [rig.capture.lost()]
    for _ in range(30):
        rig.live()
        lost.append(rig.capture.lost())
    assert lost[0] == 0
    assert lost == sorted(lost)
    assert lost[-1] > 0
