"""What `ports.Meters` promises."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance.core.machine import Facing
from appliance.core.metering.meter import Plan, Reading
from appliance.ports import Meters
from tests.contract.machines import real, simulated

ONE_PACKET = 1500  # bytes, of IP
ELSEWHERE = (ip_network("10.99.0.0/16"),)


@dataclass
class Metered:
    """Meters with a department before them. `live`: let its devices do what devices do."""

    meters: Meters
    plan: Plan
    device: str
    host: str
    live: Callable[[], None]

    def total(self, name: str = "a") -> int:
        return self.meters.read()[name].total_bytes


@pytest.fixture(params=[simulated, real], ids=["simulated", "real"])
def metered(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Metered]:
    with request.param(tmp_path) as rig:

        def live() -> None:
            with suppress(OSError):  # who is stopped is refused
                rig.live()

        network = ip_network(f"{rig.host}/24", strict=False)
        yield Metered(rig.meters, Plan("a", rig.interface, Facing.DEPARTMENT, (network,)), rig.device, rig.host, live)


def test_before_the_first_plans_there_are_no_meters(metered: Metered) -> None:
    assert metered.meters.read() == {}
    assert metered.meters.hosts() == {}


def test_a_meter_begins_at_zero_and_counts_both_directions(metered: Metered) -> None:
    metered.live()
    assert metered.meters.apply([metered.plan]) is None
    began = metered.meters.read()["a"]
    assert began == Reading(began.identity)
    metered.live()
    reading = metered.meters.read()["a"]
    assert min(reading.up_bytes, reading.down_bytes, reading.up_packets, reading.down_packets) > 0
    assert reading.identity == began.identity


def test_a_department_s_meter_is_the_sum_of_its_hosts(metered: Metered) -> None:
    metered.meters.apply([metered.plan])
    metered.live()
    hosts = metered.meters.hosts()["a"]
    assert metered.device in hosts
    assert sum(one.total_bytes for one in hosts.values()) == metered.total()
    assert len({one.identity for one in hosts.values()}) == len(hosts)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"stop_at_bytes": 2**40},
        {"throttle_bytes_s": 10**6},
        {"exempt": ELSEWHERE},
    ],
    ids=str,
)
def test_a_meter_that_is_there_keeps_its_count_under_another_plan(metered: Metered, change: dict[str, object]) -> None:
    metered.meters.apply([metered.plan])
    metered.live()
    before = metered.meters.read()["a"]
    assert metered.meters.apply([replace(metered.plan, **change)]) is None
    assert metered.meters.read()["a"] == before


@pytest.mark.parametrize("networks", [(), ELSEWHERE], ids=["everybody", "others"])
def test_other_networks_make_another_meter(metered: Metered, networks: tuple[IPv4Network, ...]) -> None:
    metered.meters.apply([metered.plan])
    metered.live()
    before = metered.meters.read()["a"]
    assert metered.meters.apply([replace(metered.plan, networks=networks)]) is None
    assert metered.meters.read()["a"].identity != before.identity


def test_a_department_that_is_planned_no_more_has_no_meter_and_later_another(metered: Metered) -> None:
    metered.meters.apply([metered.plan])
    metered.live()
    before = metered.meters.read()["a"]
    metered.meters.apply([])
    assert metered.meters.read() == {}
    metered.meters.apply([metered.plan])
    after = metered.meters.read()["a"]
    assert after.identity != before.identity
    assert after.total_bytes == 0


def test_what_no_department_claims_is_metered_as_such(metered: Metered) -> None:
    metered.meters.apply([replace(metered.plan, networks=ELSEWHERE)])
    metered.live()
    assert metered.total() == 0
    assert metered.total(f"unclaimed:{metered.plan.interface}") > 0


def test_a_department_without_networks_claims_what_the_others_do_not(metered: Metered) -> None:
    metered.meters.apply([replace(metered.plan, networks=()), replace(metered.plan, department="b")])
    metered.live()
    assert metered.total("b") > 0
    metered.meters.apply(
        [replace(metered.plan, networks=()), replace(metered.plan, department="b", networks=ELSEWHERE)]
    )
    before = metered.total(), metered.total("b")
    metered.live()
    assert metered.total() > before[0]
    assert metered.total("b") == before[1]


def test_at_its_limit_a_department_stops_and_goes_on_when_it_is_raised(metered: Metered) -> None:
    metered.meters.apply([metered.plan])
    metered.live()
    limit = metered.total()
    metered.meters.apply([replace(metered.plan, stop_at_bytes=limit, budget="small")])
    metered.live()
    assert metered.total() == limit
    assert metered.meters.read()["a"].refused_budget == "small"
    metered.meters.apply([replace(metered.plan, stop_at_bytes=2 * limit + 10_000, budget="large")])
    metered.live()
    assert metered.total() > limit


def test_at_its_limit_a_department_passes_and_is_counted_while_the_meters_are_open(metered: Metered) -> None:
    metered.live()
    assert metered.meters.apply([replace(metered.plan, stop_at_bytes=0, budget="none")]) is None
    assert metered.meters.let_pass(3600.0) is None
    metered.live()
    passed = metered.total()
    assert passed > 0
    assert metered.meters.let_pass(0) is None
    metered.live()
    stopped = metered.total()
    metered.live()
    assert metered.total() == stopped


def test_exempt_is_a_destination_and_no_host_of_the_department(metered: Metered) -> None:
    metered.meters.apply([replace(metered.plan, exempt=(ip_network(metered.host),))])
    metered.live()
    assert metered.device in metered.meters.hosts()["a"]


def test_networks_that_overlap_are_refused_and_the_former_plans_stay(metered: Metered) -> None:
    metered.meters.apply([metered.plan])
    metered.live()
    before = metered.meters.read()
    assert metered.meters.apply([metered.plan, replace(metered.plan, department="b")])
    assert metered.meters.read() == before


def test_an_interface_that_is_not_there_counts_nothing_and_the_others_do(metered: Metered) -> None:
    absent = Plan("absent", "absent0", Facing.DEPARTMENT)
    assert metered.meters.apply([metered.plan, absent]) is None
    metered.live()
    assert metered.total() > 0
    assert metered.meters.read().get("absent", Reading("")).total_bytes == 0
