"""The directory of devices: which address is whose, which devices are routers, and what a full table is told as."""

from datetime import date
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance.core.machine import Counters, Link, NextHop, Position, Sighting
from appliance.core.metering.account import AccountKey
from appliance.core.metering.department import Department
from appliance.core.metering.devices import FORGOTTEN_S, MOST_ADDRESSES, Devices, joined
from appliance.core.metering.host_room import COMFORTABLE, CROWDED, MOST_HOSTS, due, leaving
from appliance.core.metering.meter import NEWCOMERS
from appliance.core.metering.quota import Action, Ledger, Limits, QuotaKind
from appliance.core.refusal import Refused
from appliance.events import HostQuota
from appliance.monitor.metering.device_directory import DeviceDirectory
from appliance.monitor.metering.hosts import CROWDED_LOOK_S, LOOK_S, SHARED_S
from tests.monitor.kernel import Kernel
from tests.monitor.metering.test_departments import A, Appliance

MAC, OTHER, ROUTER = "02:00:00:00:00:11", "02:00:00:00:00:12", "02:00:00:00:00:99"
DAILY = Limits({QuotaKind.DAILY: 1_000_000}, on_exceeded=Action.BLOCK)


@pytest.fixture
def appliance(tmp_path: Path) -> Appliance:
    return Appliance(tmp_path / "s", Limits({}), host_limits=DAILY)


def sighting(mac: str, address: str, age_s: float = 0.0, interface: str = "eth1") -> Sighting:
    return Sighting(interface, mac, age_s, ip_address(address))


def use(appliance: Appliance, amount: int, host: str = MAC, seconds: float = LOOK_S) -> None:
    appliance.kernel.pass_on_host(A, host, amount, 0)
    appliance.step(seconds)


def books(appliance: Appliance) -> dict[str, int]:
    return {one.host.name: one.books[0].used_bytes for one in appliance.metering.hosts.books(A, appliance.now)}


def test_a_device_is_named_by_its_newest_address_ipv4_first() -> None:
    devices = Devices()
    for at_s, address in enumerate(("fe80::1", "10.0.0.7", "2001:db8::7", "10.0.0.8", "2001:db8::8")):
        devices.see(MAC, address, float(at_s))
    assert devices.addresses(MAC) == ["10.0.0.8", "10.0.0.7", "2001:db8::8", "2001:db8::7", "fe80::1"]


def test_an_address_is_one_device_s_the_latest_and_is_forgotten_in_a_day() -> None:
    devices = Devices()
    devices.see(MAC, "10.0.0.7", 0.0)
    devices.see(OTHER, "10.0.0.7", 10.0)
    assert devices.owner("10.0.0.7") == OTHER
    assert devices.addresses(MAC) == []
    devices.age(10.0 + FORGOTTEN_S + 1)
    assert devices.owner("10.0.0.7") is None


def test_addresses_and_devices_are_bounded() -> None:
    devices = Devices()
    for number in range(MOST_ADDRESSES + 10):
        devices.see(MAC, f"2001:db8::{number:x}", float(number))
    assert len(devices.addresses(MAC)) == MOST_ADDRESSES
    assert devices.owner("2001:db8::0") is None
    for number in range(MOST_HOSTS):
        devices.see(f"02:5f:00:00:{number >> 8:02x}:{number & 255:02x}", f"10.9.{number >> 8}.{number & 255}", 99.0)
    assert devices.addresses(MAC) == []


def test_ledgers_of_one_device_are_joined_within_a_period() -> None:
    day = Ledger(QuotaKind.DAILY, date(2026, 3, 2), 100, frozenset({80}), 10)
    earlier = replace(day, start=day.start.replace(day=1))
    [both] = joined([day], [replace(day, used_bytes=50, raised=frozenset())])
    assert (both.used_bytes, both.raised, both.granted_bytes) == (150, {80}, 20)
    assert joined([earlier], [day]) == joined([day], [earlier]) == [day]


@pytest.mark.parametrize("text", [MAC, "10.0.0.11", "2001:db8::11"])
def test_a_host_is_extended_by_its_mac_or_any_of_its_addresses(appliance: Appliance, text: str) -> None:
    appliance.kernel.neighbours = [sighting(MAC, "10.0.0.11"), sighting(MAC, "2001:db8::11")]
    use(appliance, 400_000)
    appliance.step(LOOK_S)
    appliance.metering.extend_host(A, text, QuotaKind.DAILY, 5000, "", "anna", appliance.now)
    assert appliance.kernel.left[A] == {MAC: 605_000}
    assert books(appliance) == {"10.0.0.11": 400_000}
    assert appliance.metering.devices.series(A, text) == (MAC, "10.0.0.11", "2001:db8::11")


def test_an_address_that_no_device_is_known_to_have_is_refused_and_says_so(appliance: Appliance) -> None:
    use(appliance, 400)
    with pytest.raises(Refused, match=r"is known to have the address 10\.0\.0\.99; name it by its MAC"):
        appliance.metering.extend_host(A, "10.0.0.99", QuotaKind.DAILY, 5, "", "anna", appliance.now)


def test_the_notice_finds_the_device_of_the_address_and_the_alert_names_both(appliance: Appliance) -> None:
    appliance.kernel.neighbours = [sighting(MAC, "10.0.0.11")]
    use(appliance, 1)
    appliance.step(LOOK_S)
    use(appliance, 1_000_000)
    assert appliance.metering.find_cut_off("10.0.0.11", appliance.now) is not None
    assert appliance.metering.find_cut_off("10.0.0.12", appliance.now) is None
    alert = [one for one in appliance.published if isinstance(one, HostQuota)][-1].payload()
    assert (alert["host"], alert["mac"], alert["addresses"]) == ("10.0.0.11", MAC, ["10.0.0.11"])
    assert "behindRouter" not in alert


def test_packets_on_their_way_to_a_device_show_its_address_on_a_bridge(appliance: Appliance) -> None:
    use(appliance, 400)
    appliance.metering.devices.hear(A, MAC, "10.0.0.11", appliance.now)
    appliance.metering.devices.hear(A, OTHER, "198.51.100.1", appliance.now)  # no host of the department
    assert books(appliance) == {"10.0.0.11": 400}
    assert appliance.metering.devices.find(A, "198.51.100.1") == "198.51.100.1"


def test_the_account_that_an_earlier_release_kept_by_address_goes_to_the_device(appliance: Appliance) -> None:
    use(appliance, 300, "10.0.0.11")
    appliance.step(3600)
    appliance.kernel.flush()
    appliance.restart()
    appliance.kernel.neighbours = [sighting(MAC, "10.0.0.11")]
    appliance.step()
    for _ in range(2):
        use(appliance, 100)
    appliance.step(LOOK_S)
    appliance.step(LOOK_S)
    assert books(appliance) == {"10.0.0.11": 500}
    appliance.step(3600)
    appliance.restart()
    assert {key.host for key in appliance.store.marks() if key.host} == {MAC}
    assert appliance.store.ledgers(AccountKey(A, MAC))[0].used_bytes == 500


def directory(kernel: Kernel, *routers: str, position: Position = Position.GATEWAY) -> DeviceDirectory:
    department = Department(A, "A", "eth1", Limits({}), routers=routers)
    return DeviceDirectory([department], position, kernel, kernel)


LINKS = {"eth1": Link("eth1", 2, ROUTER, "boot", True, Counters(0, 0), addresses=(ip_interface("10.0.0.1/24"),))}


def test_routers_are_next_hops_at_the_interface_and_those_of_the_configuration(appliance: Appliance) -> None:
    kernel, now = appliance.kernel, appliance.now
    kernel.neighbours = [sighting(ROUTER, "10.0.0.254"), sighting(OTHER, "10.0.0.253"), sighting(MAC, "10.0.0.11")]
    kernel.hops = [NextHop("eth1", ip_address("10.0.0.254")), NextHop("eth0", ip_address("10.0.0.11"))]
    by_route = directory(kernel)
    by_route.look(LINKS, now)
    assert by_route.routers(A) == (ROUTER,)
    assert [str(one) for one in by_route.near(A)] == ["10.0.0.0/24"]
    configured = directory(kernel, "10.0.0.253", "02:00:00:00:00:77", position=Position.BRIDGE)
    configured.look(LINKS, now)
    assert configured.routers(A) == (OTHER, "02:00:00:00:00:77", ROUTER)
    own = directory(kernel, position=Position.HOST)
    own.look(LINKS, now)
    assert own.routers(A) == ()


def test_a_router_stays_one_while_its_neighbour_entry_is_gone(appliance: Appliance) -> None:
    kernel, now = appliance.kernel, appliance.now
    kernel.neighbours, kernel.hops = [sighting(ROUTER, "10.0.0.254")], [NextHop("eth1", ip_address("10.0.0.254"))]
    found = directory(kernel)
    found.look(LINKS, now)
    kernel.neighbours = []
    found.look(LINKS, replace(now, monotonic_s=now.monotonic_s + LOOK_S))
    assert found.routers(A) == (ROUTER,)
    kernel.hops = []
    found.look(LINKS, replace(now, monotonic_s=now.monotonic_s + 2 * LOOK_S))
    assert found.routers(A) == ()


def test_a_host_behind_a_router_is_told_as_such(appliance: Appliance) -> None:
    use(appliance, 1_000_000, "10.50.0.9")
    alert = [one for one in appliance.published if isinstance(one, HostQuota)][-1].payload()
    assert (alert["host"], alert["behindRouter"]) == ("10.50.0.9", True)
    assert "mac" not in alert


def test_a_refused_host_is_exceeded_within_a_second_and_its_rest_is_closed(appliance: Appliance) -> None:
    use(appliance, 987_000)
    appliance.kernel.stopped = {A: frozenset({MAC})}
    appliance.step(1.0)
    alert = [one for one in appliance.published if isinstance(one, HostQuota)][-1]
    assert (alert.type, alert.quota.used, alert.quota.limit) == ("exceeded", 987_000, 1_000_000)
    assert appliance.kernel.left[A] == {MAC: 0}
    number = len(appliance.published)
    for _ in range(30):
        appliance.step(1.0)
    assert not any(isinstance(one, HostQuota) for one in appliance.published[number:]), "once"
    appliance.metering.extend_host(A, MAC, QuotaKind.DAILY, 500_000, "", "anna", appliance.now)
    assert appliance.kernel.left[A] == {MAC: 513_000}


def test_a_refusal_with_much_left_is_the_kernel_s_count_of_headers_and_the_rest_is_given(appliance: Appliance) -> None:
    use(appliance, 500_000)
    appliance.kernel.stopped = {A: frozenset({MAC})}
    appliance.step(1.0)
    assert appliance.kernel.left[A] == {MAC: 500_000}
    assert not [one for one in appliance.published if isinstance(one, HostQuota)]


def test_a_shared_allowance_is_told_with_figures_while_it_is_used(appliance: Appliance) -> None:
    assert appliance.metering.troubles(appliance.now) == []
    appliance.kernel.pass_on_host(A, NEWCOMERS, 30_000, 0)
    appliance.kernel.shared = {A: (30_000, 7)}
    appliance.step(CROWDED_LOOK_S)
    [trouble] = appliance.metering.troubles(appliance.now)
    assert "30000 bytes have passed, 7 packets were refused" in trouble
    assert str(MOST_HOSTS) in trouble
    assert appliance.kernel.left[A] == {NEWCOMERS: 970_000}
    assert books(appliance) == {}
    appliance.step(SHARED_S)
    assert appliance.metering.troubles(appliance.now) == []


def test_a_host_that_made_room_is_charged_from_zero_when_it_comes_back(appliance: Appliance) -> None:
    use(appliance, 400)
    appliance.kernel.leaving = {A: [MAC]}
    appliance.kernel.shared = {A: (28, 0)}  # newcomers find no room
    appliance.step(LOOK_S)
    assert appliance.kernel.used[A] == {MAC: 400}
    use(appliance, 900)
    assert books(appliance) == {MAC: 1300}


def test_a_crowded_set_is_left_by_those_that_used_least() -> None:
    hosts = [number.to_bytes(6, "big") for number in range(CROWDED + 1)]
    used = {host: int.from_bytes(host, "big") for host in hosts}
    assert leaving([hosts[:CROWDED]], used) == frozenset()
    gone = leaving([hosts, hosts[:7]], used)
    assert gone == {*hosts[: CROWDED + 1 - COMFORTABLE]}


def test_only_so_many_absent_hosts_are_corrected_that_the_set_is_not_crowded() -> None:
    left = {number.to_bytes(6, "big"): number for number in range(MOST_HOSTS)}
    wanted = due(left, left, {}, 10**9)
    assert len(wanted) == CROWDED
    assert max(wanted.values()) == CROWDED - 1
    assert due(left, left, dict.fromkeys(left, (10**9, 10**9)), 10**9).keys() == left.keys() - {bytes(6)}
