"""A department on a VLAN's subinterface: metered and blocked there, and nowhere on the trunk that carries it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance.core.machine import Facing, Vlan
from appliance.core.metering.meter import Plan
from appliance.system.network.capture import PacketCapture
from tests.core.frames import is_of_neighbours
from tests.lab.blocks import firewall, pieces, place
from tests.lab.host import Host
from tests.lab.network import WEB_V4, WEB_V6, Network
from tests.lab.test_blocks import ANSWERED, CABLINGS, REFUSED, standing, visits
from tests.lab.test_meters import Line, at_rest, meters_of, silence

TAG = 20
PLAIN, TAGGED = "eth1", f"eth1.{TAG}"
VLANS = {TAGGED: Vlan(PLAIN, TAG), PLAIN: None}


@pytest.fixture(params=list(CABLINGS))
def lab(request: pytest.FixtureRequest) -> Iterator[Network]:
    """Let the department's host send with the tag only."""
    with standing(request.param, hosts=1) as made:
        host, appliance = made.hosts[0], made.appliance
        for computer, trunk in ((host, "eth0"), (appliance, PLAIN)):
            _subinterface(computer, trunk)
        _move(host, "eth0")
        if made.position == "gateway":
            _move(appliance, PLAIN)
        else:
            appliance.run(["ip", "link", "set", PLAIN, "nomaster"])
            appliance.run(["ip", "link", "set", TAGGED, "master", "br0"])
        host.run(["ip", "-6", "route", "flush", "default"])  # the IPv4 route went with the addresses
        hop = appliance if made.position == "gateway" else made.uplink
        host.route_by((hop.ipv4, hop.ipv6))
        yield made


def _subinterface(host: Host, trunk: str) -> None:
    name = f"{trunk}.{TAG}"
    program = str(Path(__file__).with_name("vlan.py"))
    host.spawn([sys.executable, "-u", program, trunk, name, str(TAG)], ready="ready")
    host.run(["ip", "link", "set", name, "address", host.mac(trunk), "up"])


def _move(host: Host, trunk: str) -> None:
    """Move the trunk's addresses to the subinterface."""
    host.run(["ip", "address", "flush", "dev", trunk, "scope", "global"])
    host.address(f"{trunk}.{TAG}", f"{host.ipv4}/24", f"{host.ipv6}/64")


@pytest.mark.parametrize("address", [WEB_V4[0], WEB_V6[0]], ids=["4", "6"])
def test_meters_equal_the_hosts_own_counters_and_the_trunk_counts_none_of_it(
    lab: Network, address: str, until_equal
) -> None:
    host = lab.hosts[0]
    lab.start_iperf3()
    assert host.fetch(address).returncode == ANSWERED
    silence(lab)
    meters = meters_of(lab)
    plans = [Plan(name, name, Facing.DEPARTMENT, vlan=vlan) for name, vlan in VLANS.items()]
    assert meters.apply(plans) is None
    line, before = Line(host, f"eth0.{TAG}"), at_rest(meters)
    host.run(["iperf3", "-c", address, "-n", "1M", "-b", "50M"])  # no faster than Python carries frames

    def metered() -> tuple[int, int]:
        reading = meters.read()[TAGGED]
        return reading.up_bytes - before[TAGGED].up_bytes, reading.down_bytes - before[TAGGED].down_bytes

    # When the connection's last packets have been carried: iperf3 ends before them.
    until_equal(metered, line.carried)
    assert line.carried()[0] > 100_000  # what iperf3 had not sent at its end is not sent at all
    reading = meters.read()[PLAIN]
    assert reading.up_bytes == reading.down_bytes == 0


@pytest.mark.parametrize("kind", ["host", "destination", "prefix", "device"])
def test_each_kind_of_block_refuses_at_once_at_a_subinterface(lab: Network, kind: str) -> None:
    host = lab.hosts[0]
    targets = {
        "host": (host.ipv4, host.ipv6),
        "destination": (WEB_V4[0], WEB_V6[0]),
        "prefix": ("10.20.0.8/30", "fd20::10/126"),
        "device": (host.mac(),),
    }[kind]
    with firewall(lab) as made:
        assert made.install_rules([replace(place(TAGGED, "tagged"), vlan=VLANS[TAGGED]), place(PLAIN, "plain")]) is None
        assert made.replace_elements(pieces(*targets, department="plain"), 0.0) is None
        assert visits(host) == [ANSWERED, ANSWERED]
        assert made.replace_elements(pieces(*targets, department="tagged"), 0.0) is None
        assert visits(host) == [REFUSED, REFUSED]
        assert made.replace_elements({}, 0.0) is None
        assert visits(host) == [ANSWERED, ANSWERED]


def test_tagged_frames_are_captured_at_the_subinterface_alone(lab: Network, until) -> None:
    lab.start_dns()
    with lab.appliance.entered():
        capture = PacketCapture(promiscuous=False)
        capture.attach([TAGGED, PLAIN], VLANS.values())
    seen: list[str] = []

    def captured() -> int:
        seen.extend(one.interface for one in capture.frames() if not is_of_neighbours(one.data))
        return len(seen)

    for name, frames in (("www.example.com", 2), ("www.example.org", 4)):  # each question and its answer
        lab.hosts[0].resolve(name, lab.uplink.ipv4)
        until(lambda least=frames: captured() >= least)
    capture.close()
    assert seen == [TAGGED] * 4
