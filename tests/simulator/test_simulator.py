"""The real monitors and the real store over the simulated machine, with time passed as an argument."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from ipaddress import ip_address, ip_network
from pathlib import Path

import dns.message
import pytest
from msgspec.structs import replace

from appliance import simulator
from appliance.config import Config, parse
from appliance.core.detection.abuse.arp import claim_in
from appliance.core.machine import Facing
from appliance.core.metering.meter import Plan, Reading
from appliance.core.moment import Moment
from appliance.core.operations.issues.issue import IssueSource
from appliance.core.operations.panel_lights import ALERT, PanelFacts, PanelState, lights
from appliance.core.traffic.devices.dhcp import dhcp_in
from appliance.core.traffic.devices.neighbour_discovery import notice_in
from appliance.core.traffic.dns import DNS_PORT, look_ups_in
from appliance.core.traffic.packet import UDP, Packet, decode
from appliance.events import Event, QuotaRequested
from appliance.monitor.metering.quota_requests import QuotaRequests
from appliance.service.composition import SIMULATED_LEARNING_S
from appliance.service.monitors import (
    Foundation,
    build_blocking,
    build_device_watch,
    build_insight,
    build_maintenance,
    build_metering,
    build_panel,
    build_rate_watch,
    build_status,
)
from appliance.service.running import act_for
from appliance.simulator import SimulatedMachine
from appliance.simulator.conversations import SITES, site_address
from appliance.simulator.firewall import SimulatedFirewall
from appliance.system.storage.audit_store import SqliteAuditStore
from appliance.system.storage.history_store import SqliteHistoryStore
from appliance.system.storage.store import SqliteStore
from tests.contract.machines import Clock
from tests.contract.schema import examples, violations
from tests.lab.blocks import pieces, place

MINUTE_S = 60
PLAN = Plan("dept123", "eth1", Facing.DEPARTMENT, (ip_network("192.168.1.0/24"),))
OTHER_PLAN = Plan("dept456", "eth2", Facing.DEPARTMENT, (ip_network("192.168.2.0/24"),))


class Appliance:
    """The monitors over a simulated machine, driven as the service drives them, and what they have published."""

    def __init__(self, store: SqliteStore, config: Config, seed: int) -> None:
        self.clock = Clock()
        self.published: list[Event] = []
        self.machine = machine = SimulatedMachine(config, seed, self.clock)
        base = Foundation(config=config, machine=machine, store=store, publish=self.published.append)
        self.maintenance_mode = build_maintenance(base)
        self.panel = build_panel(
            base, maintenance_mode=self.maintenance_mode, audit_store=SqliteAuditStore(Path(":memory:"))
        )
        self.metering = build_metering(base)
        self.enforcement = build_blocking(
            config=config,
            packet_filter=machine,
            store=store,
            publish=base.publish,
            require_writable=self.maintenance_mode.require_writable,
        )
        self.enforcement.restore(self.clock())
        self.requests = QuotaRequests(base.store, self.metering, base.publish)
        self.rate_watch = build_rate_watch(base, metering=self.metering, store=SqliteHistoryStore(Path(":memory:")))
        self.device_watch = build_device_watch(base, metering=self.metering, learning_s=SIMULATED_LEARNING_S)
        self.insight = build_insight(
            base,
            metering=self.metering,
            enforcement=self.enforcement,
            rate_watch=self.rate_watch,
            device_watch=self.device_watch,
        )
        self.condition = build_status(
            base,
            metering=self.metering,
            enforcement=self.enforcement,
            insight=self.insight,
            trouble_sources={IssueSource.METERING: self.metering.troubles},
        )
        self._interfaces = [one.interface for one in config.departments]

    def run(self, seconds: int) -> Sequence[Event]:
        """Let so many seconds pass; returns all that was published since the start."""
        for _ in range(seconds):
            self._second(self.clock.now)
            self.clock.move(1)
        return self.published

    def _second(self, now: Moment) -> None:
        passed = self.metering.step(now)
        self.rate_watch.record_passed(passed.departments, passed.hosts, now)
        act_for(self.machine, self.enforcement, self.metering, self.requests, now)
        self.enforcement.step(now)
        self.condition.status_step(now)
        self.machine.capture.attach(self._interfaces)
        while self.insight.process_frames(now):
            pass
        self.device_watch.step(now)
        self.rate_watch.step(now)
        self.insight.step(now)
        self.condition.health_step(now)
        self.maintenance_mode.step(now)
        self.panel.step(now)
        self.panel.show(self.condition.panel_states(now), self.condition.utilization(), now)
        self.condition.lights = self.panel.shown


def default() -> Config:
    return parse(simulator.CONFIG.encode(), "the simulator's configuration")


def written(position: str, department: str) -> Config:
    text = f'[appliance]\nposition = "{position}"\n[[departments]]\nid = "a"\n{department}\n'
    return parse(text.encode(), "a.toml")


def names(events: Sequence[Event]) -> set[str]:
    return {event.name for event in events}


def is_claim(frame: bytes) -> bool:
    return claim_in(frame) is not None or notice_in(frame) is not None


def packets(machine: SimulatedMachine) -> list[Packet]:
    """All that waits in the capture, decoded; bytes that are no packet fail."""
    found = []
    while batch := machine.capture.frames():
        for frame in batch:
            packet = decode(frame.data)
            assert packet is not None or is_claim(frame.data)
            found += [packet] if packet else []
    return found


def ones_complement(data: bytes) -> int:
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    return total % 0xFFFF


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "simulated.sqlite3")) as store:
        yield store


@pytest.mark.parametrize("seed", range(1, 6))
def test_every_documented_event_happens_within_a_minute_and_keeps_the_contract(store: SqliteStore, seed: int) -> None:
    events = Appliance(store, default(), seed).run(MINUTE_S)
    assert names(events) == {*examples(), "ip:unblocked", "quota:request", "device:new"}
    assert [one.request.state for one in events if isinstance(one, QuotaRequested)] == ["open", "granted"]
    documented = [event for event in events if event.name in examples()]
    assert [fault for event in documented for fault in violations(event.name, event.payload())] == []


def test_health_shows_the_ports_and_when_the_service_started(store: SqliteStore) -> None:
    health = Appliance(store, default(), 1).run(1)[-1].payload()["status"]
    ports = [(one["name"], one["up"], one["speed"], one["errors"], one["drops"]) for one in health["interfaces"]]
    assert ports == [(name, True, 125_000_000, 0, 0) for name in ("eth0", "eth1", "eth2")]
    assert health["clients"] == 0
    assert health["startedAt"].endswith(".000Z")


class FullStore(SqliteStore):
    """The real store on a medium that is full."""

    def save_metering(self, *_: object, **__: object) -> bool:
        return False


def test_unsaved_books_show_in_health_in_each_department_and_on_the_alert_light(
    tmp_path: Path,
) -> None:
    with closing(FullStore(tmp_path / "simulated.sqlite3")) as store:
        appliance = Appliance(store, default(), 1)
        events = appliance.run(2)
    published = {
        event.name: event.payload()["status"] for event in events if event.name.startswith(("system:h", "dep"))
    }
    assert any("kept in memory" in trouble for trouble in published["system:health"]["troubles"])
    assert any("kept in memory" in reason for reason in published["department:status"]["reasons"])
    assert appliance.machine.panel.shown.alert is dict(ALERT)[PanelState.DISK]


def test_the_quota_alerts_come_in_order_and_the_error_once(store: SqliteStore) -> None:
    events = Appliance(store, default(), 1).run(MINUTE_S)
    alerts = [event.payload() for event in events if event.name == "quota:alert"]
    assert [(one["departmentId"], one["type"]) for one in alerts] == [
        ("dept123", "warning"),
        ("dept123", "critical"),
        ("dept123", "exceeded"),
    ]
    assert [event.payload()["code"] for event in events if event.name == "error"] == ["E_QUOTA_EXCEEDED"]


def test_the_scanner_is_blocked_and_unblocked(store: SqliteStore) -> None:
    by_name = {event.name: event.payload() for event in Appliance(store, default(), 1).run(MINUTE_S)}
    source = by_name["security:incident"]["incident"]["source"]
    assert by_name["ip:blocked"]["ip"]["address"] == by_name["ip:unblocked"]["ip"]["address"] == source
    assert by_name["ip:blocked"]["departmentId"] == "dept123"


def test_an_unplugged_cable_makes_its_department_inactive_for_a_while(store: SqliteStore) -> None:
    events = Appliance(store, default(), 1).run(MINUTE_S)
    published = [event.payload() for event in events if event.name == "department:status"]
    active = [one["status"]["active"] for one in published if one["departmentId"] == "dept456"]
    assert [was for was, then in zip(active, [*active[1:], None], strict=True) if was != then] == [True, False, True]


def test_every_event_happens_again_after_the_first_minute(store: SqliteStore) -> None:
    appliance = Appliance(store, default(), 1)
    appliance.run(MINUTE_S)
    appliance.published.clear()
    assert names(appliance.run(11 * MINUTE_S)) >= {*examples(), "ip:unblocked"}


def test_the_same_seed_gives_the_same_events_and_another_seed_others(tmp_path: Path) -> None:
    runs = []
    for number, seed in enumerate([7, 7, 8]):
        with closing(SqliteStore(tmp_path / f"{number}.sqlite3")) as store:
            runs.append(Appliance(store, default(), seed).run(MINUTE_S))
    assert runs[0] == runs[1] != runs[2]


def test_readings_do_not_depend_on_how_often_they_are_taken() -> None:
    clocks = [Clock(), Clock()]
    watched, unwatched = (SimulatedMachine(default(), 3, clock) for clock in clocks)
    for _ in range(500):
        clocks[0].move(0.125)
        watched.interfaces.links()
        watched.flows.connections()
        watched.sensors.vitals()
    clocks[1].move(62.5)
    assert watched.interfaces.links() == unwatched.interfaces.links()
    assert watched.flows.connections() == unwatched.flows.connections()
    assert watched.sensors.vitals() == unwatched.sensors.vitals()
    assert watched.neighbours.sightings() == unwatched.neighbours.sightings()


def test_two_readings_at_the_same_instant_are_equal() -> None:
    clock = Clock()
    machine = SimulatedMachine(default(), 3, clock)
    clock.move(12.34)
    assert machine.interfaces.links() == machine.interfaces.links()
    assert machine.sensors.vitals() == machine.sensors.vitals()
    assert machine.neighbours.sightings() == machine.neighbours.sightings()


def test_a_start_counts_as_a_boot_so_that_nothing_is_charged_twice() -> None:
    clock = Clock()
    before = SimulatedMachine(default(), 1, clock).interfaces.links()["eth1"]
    clock.move(60)
    after = SimulatedMachine(default(), 1, clock).interfaces.links()["eth1"]
    assert after.identity != before.identity
    assert after.counters.rx_bytes == 0


def test_a_blocked_department_falls_silent_until_the_block_is_lifted() -> None:
    clock = Clock()
    machine = SimulatedMachine(default(), 1, clock)
    machine.capture.attach(["eth1"])
    clock.move(5)
    machine.firewall.install_rules([place()])
    machine.firewall.replace_elements(pieces("192.168.1.0/24"), 0.0)
    clock.move(1)  # the tick that was under way is over
    packets(machine)
    silent = machine.interfaces.links()["eth1"].counters
    clock.move(40)
    assert machine.interfaces.links()["eth1"].counters == silent
    assert packets(machine) == []
    assert not [one for one in machine.flows.connections() if one.source.startswith("192.168.1.")]
    machine.firewall.replace_elements({}, 0.0)
    clock.move(20)
    assert machine.interfaces.links()["eth1"].counters.rx_bytes > silent.rx_bytes
    assert packets(machine) != []


def test_a_blocked_host_falls_silent_and_the_others_do_not() -> None:
    clock = Clock()
    machine = SimulatedMachine(default(), 1, clock)
    machine.capture.attach(["eth1"])
    machine.firewall.install_rules([place()])
    machine.firewall.replace_elements(pieces("192.168.1.102", str(site_address(0, 4))), 0.0)
    clock.move(120)
    ends = {end for packet in packets(machine) for end in (packet.source, packet.destination)}
    assert "192.168.1.101" in ends
    assert ends.isdisjoint({"192.168.1.102", str(site_address(0, 4))})


def test_a_block_of_one_department_stops_no_host_of_another_at_the_same_interface() -> None:
    firewall = SimulatedFirewall(["eth1"], lambda: 0.0)
    firewall.install_rules([place("eth1", "a", "10.0.0.0/24"), place("eth1", "b", "10.0.1.0/24")])
    firewall.replace_elements(pieces("10.0.0.0/16", department="a"), 0.0)
    assert firewall.stops("eth1", ip_address("10.0.0.1"), 0.0)
    assert not firewall.stops("eth1", ip_address("10.0.1.1"), 0.0)


def test_rules_for_an_interface_that_is_not_there_are_refused() -> None:
    machine = SimulatedMachine(default(), 1, Clock())
    assert "absent0" in str(machine.firewall.install_rules([place("absent0")]))
    assert not machine.firewall.is_intact()


@pytest.mark.parametrize("subnet", ["192.168.1.0/24", "2001:db8:5::/64"])
def test_frames_are_what_a_real_network_would_carry(subnet: str) -> None:
    clock = Clock()
    machine = SimulatedMachine(written("gateway", f'interface = "eth1"\nsubnets = ["{subnet}"]'), 1, clock)
    machine.capture.attach(["eth1"])
    clock.move(60)
    seen = []
    while batch := machine.capture.frames():
        seen += [frame.data for frame in batch if not is_claim(frame.data)]
    for data in seen:
        header = data[14 : 34 if data[12:14] == b"\x08\x00" else 54]
        addresses, body = header[-8 if len(header) == 20 else -32 :], data[14 + len(header) :]
        protocol = header[9] if len(header) == 20 else header[6]
        assert len(header) == 40 or ones_complement(header) == 0
        assert ones_complement(addresses + struct.pack("!II", protocol, len(body)) + body) == 0
    decoded = [packet for data in seen if (packet := decode(data))]
    assert len(decoded) == len(seen)
    looked_up = [found for packet in decoded if packet.protocol == UDP for found in look_ups_in(packet)]
    asked, answered = ([at for at, message in looked_up if message.is_answer is kind] for kind in (False, True))
    assert asked == answered
    assert all(message.answer(at.client) for at, message in looked_up if message.is_answer)
    asked_names = [
        one for one in decoded if one.protocol == UDP and DNS_PORT in {one.source_port, one.destination_port}
    ]
    assert {dns.message.from_wire(one.payload).question[0].name.to_text(True) for one in asked_names} <= dict(
        SITES
    ).keys()
    named = [found.name for one in decoded if (found := dhcp_in(one))]
    assert "tablet-visitor" in named
    assert all(any(getattr(one, kind) for one in decoded) for kind in ("opens", "accepts", "refuses"))


@pytest.mark.parametrize("position", ["gateway", "bridge", "mirror", "host"])
@pytest.mark.parametrize(
    "department",
    [
        'interface = "eth0.20"',
        'interface = "eth0"\nsubnets = ["10.7.0.0/30"]\nline_rate = "10 Mbit"',
        'interface = "enp3s0"\nsubnets = ["2001:db8:5::/64"]',
    ],
    ids=["vlan", "narrow", "ipv6"],
)
def test_any_configuration_is_simulated(store: SqliteStore, position: str, department: str) -> None:
    config = written(position, department)
    found = names(Appliance(store, config, 1).run(MINUTE_S))
    # The former need a quota; of a first look, the one device is the computer itself.
    missing = {"quota:alert", "error", *(["device:new"] if position == "host" else [])}
    assert found == {*examples(), "ip:unblocked", "device:new"} - missing


def test_a_department_of_one_device_is_simulated(store: SqliteStore) -> None:
    config = written("gateway", 'interface = "eth1"\nsubnets = ["10.7.0.9/32"]\nquota = { daily = "1 MB" }')
    published = names(Appliance(store, config, 1).run(MINUTE_S))
    # The block of its only device leaves a gap in what is usual, in which the rush does not stand out.
    assert published >= {*examples(), "ip:unblocked"} - {"analytics:anomaly"}


def test_the_operator_never_asks_to_block_a_protected_device() -> None:
    protection = '[protection]\naddresses = ["192.168.1.100", "192.168.1.101", "192.168.1.103"]\n'
    config = parse((simulator.CONFIG + protection).encode(), "a.toml")
    for seed in range(10):
        clock = Clock()
        machine = SimulatedMachine(config, seed, clock)
        assert [request.target for request in machine.orders_due(clock.move(MINUTE_S))] == ["192.168.1.102"]
        assert machine.orders_due(clock.move(1)) == []


def test_an_appliance_that_was_switched_off_in_maintenance_leaves_it_within_a_minute(store: SqliteStore) -> None:
    first = Appliance(store, default(), 1)
    first.run(50)
    assert first.maintenance_mode.current is not None
    second = Appliance(store, default(), 1)
    published = [
        event.payload()["maintenance"]["type"] for event in second.run(MINUTE_S) if event.name == "system:maintenance"
    ]
    assert published == ["completed"]
    assert second.maintenance_mode.current is None


def test_a_button_that_is_to_be_held_for_longer_than_the_person_holds_it_is_left_alone(
    store: SqliteStore,
) -> None:
    config = parse((simulator.CONFIG + "\n[panel]\nhold = 30\n").encode(), "a.toml")
    appliance = Appliance(store, config, 1)
    assert [event for event in appliance.run(MINUTE_S) if event.name == "system:maintenance"] == []
    assert appliance.machine.panel.presses() == []


def test_the_operator_asks_nothing_of_an_appliance_in_maintenance() -> None:
    clock = Clock()
    machine = SimulatedMachine(default(), 1, clock)
    machine.panel.show(lights(PanelFacts(frozenset({PanelState.MAINTENANCE}), 0.5)))
    assert machine.orders_due(clock.move(MINUTE_S)) == []


def metered(*plans: Plan, config: Config | None = None) -> tuple[SimulatedMachine, Clock]:
    clock = Clock()
    machine = SimulatedMachine(config or default(), 1, clock)
    assert machine.meters.apply(plans) is None
    return machine, clock


def hosts_total(machine: SimulatedMachine, department: str) -> int:
    return sum(reading.total_bytes for reading in machine.meters.hosts()[department].values())


def test_a_meter_is_the_sum_of_its_hosts_and_what_the_interface_carried_without_headers() -> None:
    machine, clock = metered(PLAN)
    clock.move(100.1)
    reading, counters = machine.meters.read()["dept123"], machine.interfaces.links()["eth1"].counters
    assert reading.total_bytes == hosts_total(machine, "dept123")
    packets = counters.rx_packets + counters.tx_packets
    rest = counters.rx_bytes + counters.tx_bytes - 14 * packets - reading.total_bytes
    asked = packets - reading.up_packets - reading.down_packets
    assert rest == 46 * asked > 0
    assert counters.rx_bytes < counters.tx_bytes
    assert reading.up_bytes < reading.down_bytes


def test_the_share_that_no_meter_claims_is_small_and_not_hidden(store: SqliteStore) -> None:
    events = Appliance(store, default(), 1).run(MINUTE_S)
    published = [event.payload()["metrics"]["unaccountedPercent"] for event in events if event.name == "usage:update"]
    assert 0 < max(published) < 0.1


@pytest.mark.parametrize("second", [3.0, 3.1])
def test_a_department_that_reaches_its_limit_falls_silent_within_a_packet_of_it(second: float) -> None:
    machine, clock = metered(PLAN, OTHER_PLAN)
    machine.capture.attach(["eth1"])
    clock.move(second)
    limit = machine.meters.read()["dept123"].total_bytes + 3_000_000
    machine.meters.apply([replace(PLAN, stop_at_bytes=limit), OTHER_PLAN])
    clock.move(10)
    packets(machine)
    before, reading = machine.meters.read(), machine.meters.read()["dept123"]
    clock.move(40)
    assert 0 <= reading.total_bytes - limit < 1500
    assert machine.meters.read()["dept123"] == reading
    assert machine.meters.read()["dept456"].total_bytes > before["dept456"].total_bytes
    assert packets(machine) == []
    assert not [one for one in machine.flows.connections() if one.source.startswith("192.168.1.")]
    machine.meters.apply([replace(PLAN, stop_at_bytes=limit + 2_000_000), OTHER_PLAN])
    clock.move(40)
    assert 0 <= machine.meters.read()["dept123"].total_bytes - limit - 2_000_000 < 1500


def test_a_limit_below_the_meter_stops_it_where_it_is() -> None:
    machine, clock = metered(PLAN)
    clock.move(5.1)
    reading = machine.meters.read()
    machine.meters.apply([replace(PLAN, stop_at_bytes=1, budget="one")])
    clock.move(20)
    name, before = next(iter(reading.items()))
    assert machine.meters.read()[name] == replace(before, refused_budget="one")


def test_a_throttled_department_keeps_its_rate_and_its_order_among_hosts() -> None:
    machine, clock = metered(PLAN)
    clock.move(5)
    free = machine.meters.read()["dept123"].total_bytes
    assert free > 5 * 100_000
    machine.meters.apply([replace(PLAN, throttle_bytes_s=100_000)])
    clock.move(30)
    slow = machine.meters.read()["dept123"].total_bytes - free
    assert 0.99 * 3_000_000 < slow <= 3_000_000
    machine.meters.apply([PLAN])
    clock.move(30)
    assert machine.meters.read()["dept123"].total_bytes > free + slow + 3_000_000


def test_a_mirror_counts_and_stops_nobody() -> None:
    machine, clock = metered(replace(PLAN, facing=Facing.MIRRORED, stop_at_bytes=1))
    clock.move(30)
    assert machine.meters.read()["dept123"].total_bytes > 1_000_000


SHARED = """
[appliance]
position = "gateway"
[[departments]]
id = "a"
interface = "eth1"
subnets = ["192.168.1.0/24"]
[[departments]]
id = "b"
interface = "eth1"
subnets = ["2001:db8:5::/64"]
"""


def test_departments_at_a_shared_interface_are_metered_apart_and_its_counters_cover_both() -> None:
    plans = [
        Plan(name, "eth1", Facing.DEPARTMENT, (ip_network(subnet),))
        for name, subnet in (("a", "192.168.1.0/24"), ("b", "2001:db8:5::/64"))
    ]
    machine, clock = metered(*plans, config=parse(SHARED.encode(), "a.toml"))
    addresses = {one.mac: one.address for one in machine.neighbours.sightings()}
    clock.move(50)
    readings, link = machine.meters.read(), machine.interfaces.links()["eth1"]
    assert {addresses[mac].version for mac in machine.meters.hosts()["b"] if mac in addresses} == {6}
    metered_bytes = readings["a"].total_bytes + readings["b"].total_bytes
    carried = link.counters.rx_bytes + link.counters.tx_bytes
    packets = link.counters.rx_packets + link.counters.tx_packets
    assert min(readings["a"].total_bytes, readings["b"].total_bytes) > 0
    assert metered_bytes <= carried - 14 * packets < metered_bytes * 1.001
    assert readings["unclaimed:eth1"] == Reading(readings["unclaimed:eth1"].identity)


def test_metering_is_the_same_however_often_the_same_plan_is_applied() -> None:
    (often, often_clock), (once, once_clock) = metered(PLAN), metered(PLAN)
    for _ in range(300):
        often_clock.move(0.1)
        often.meters.apply([replace(PLAN)])
    once_clock.move(0)
    for _ in range(300):
        once_clock.move(0.1)
    assert often.meters.read() == once.meters.read()
