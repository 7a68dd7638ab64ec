"""A packet passes if and only if no live block covers an end of it: asked of the real kernel, for random blocks.

The moment at which is asked is an argument, not the time of day: what is over by then is given to the kernel with a
millisecond to go, and ends there.
"""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.core.blocking.block import Block, BlockKey
from appliance.core.blocking.block_index import BlockIndex
from appliance.core.machine import Counters, Link
from appliance.core.moment import Moment
from appliance.monitor.blocking.reconciler import Reconciler
from tests.lab.blocks import FakeInterfaces, firewall, place
from tests.lab.host import Program
from tests.lab.network import Network, network
from tests.lab.probe_server import PORT

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
# Of each version two, on both sides of where one region ends and the next begins; and lengths that hold both, or one
# and all its region.
NETS = [
    *(ip_network("198.51.100.240/28"), ip_network("198.51.101.0/28")),
    *(ip_network("2001:db8:100:ffff:ffff:ffff:ffff:fff0/124"), ip_network("2001:db8:101::/124")),
]
WIDE = {4: (15, 16, 23, 24, 25), 6: (31, 32, 47, 48, 49)}
ADDRESSES = [str(net[n]) for net in NETS for n in range(net.num_addresses)]
UNIT_S = 1000  # blocks end after whole units, and the moments are in between: no kernel's clock is that far off
LINKS = {"eth1": Link("eth1", 2, "02:00:00:00:00:01", "boot", True, Counters(0, 0))}
SERVER = Path(__file__).with_name("probe_server.py")


@st.composite
def targets(draw: st.DrawFn) -> str:
    net = draw(st.sampled_from(NETS))
    length = draw(st.integers(net.prefixlen, net.max_prefixlen) | st.sampled_from(WIDE[net.version]))
    address = net[draw(st.integers(0, net.num_addresses - 1))]
    return str(address) if length == net.max_prefixlen else str(ip_network((address, length), strict=False))


# Each step puts a block, or takes one of those away that there are.
steps = st.lists(
    st.tuples(
        targets(),
        st.sampled_from([None, "dept", "other"]),
        st.sampled_from(["manual", "list:bad"]),
        st.none() | st.integers(1, 6),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=10,
)


class Rig:
    """The lab with its kernel, a host that probes and a server that prints what arrived."""

    def __init__(self, lab: Network, server: Program, made: object) -> None:
        self._lab, self._server, self.filter = lab, server, made
        with lab.hosts[0].entered():
            self._sending = [socket.socket(family, socket.SOCK_DGRAM) for family in (socket.AF_INET, socket.AF_INET6)]
        self._probes = 0

    def passes(self) -> set[str]:
        """The addresses that a datagram from the department's host reaches."""
        for address in ADDRESSES:
            self._send(address)
        # Frames pass in order: when the markers of both versions have arrived, so have all datagrams that passed.
        for marker in (self._lab.uplink.ipv4, self._lab.uplink.ipv6):
            self._send(marker)
        self._probes += 2
        while self._server.output.count("arrived") < self._probes:
            time.sleep(0.001)
        lines = self._server.output.splitlines()[-2:]
        return {address for line in lines for address in line.split()[2:]}

    def _send(self, address: str) -> None:
        try:
            self._sending[":" in address].sendto(b"probe", (address, PORT))
        except OSError:
            # The socket reports the refusal of an earlier probe, and did not send this one.
            self._sending[":" in address].sendto(b"probe", (address, PORT))


@contextmanager
def rig() -> Iterator[Rig]:
    with network("gateway", hosts=1) as lab, firewall(lab) as made:
        lab.appliance.sysctl({"net/ipv6/icmp/ratelimit": 0})
        for address in ADDRESSES:
            lab.uplink.address("lo", f"{address}/{128 if ':' in address else 32}")
        server = lab.uplink.spawn([sys.executable, "-u", str(SERVER), lab.uplink.ipv4, lab.uplink.ipv6], ready="ready")
        yield Rig(lab, server, made)


def block(target: str, department: str | None, origin: str, units: int | None, number: int) -> Block:
    ends = None if units is None else NOON + timedelta(seconds=units * UNIT_S)
    return Block(target, "because", "me", origin, NOON, department, ends, number=number)


def test_a_packet_passes_if_and_only_if_no_live_block_covers_it() -> None:
    with rig() as lab:

        @settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(steps, st.integers(0, 7))
        def check(changes: list[tuple[str, str | None, str, int | None, int]], moment: int) -> None:
            now = Moment(NOON + timedelta(seconds=moment * UNIT_S + UNIT_S / 2), 0.0, is_trusted=True)
            index = BlockIndex()
            reconciler = Reconciler([place(), place("eth9", "other")], FakeInterfaces(LINKS), lab.filter)
            wanted: dict[BlockKey, Block] = {}
            reconciler.apply(index.apply([], []), now)
            for number, (target, department, origin, units, taken) in enumerate(changes, start=1):
                gone = [wanted.pop(next(iter(wanted)))] if taken == 0 and wanted else []
                new = block(target, department, origin, units, number)
                gone = [one for one in gone if one.key != new.key]
                wanted[new.key] = new
                reconciler.apply(index.apply([new], gone), now)
            assert reconciler.troubles(now) == []
            assert reconciler.absent == set()
            time.sleep(0.01)  # in the kernel's own time an element whose end is past gets a millisecond
            live = [one for one in wanted.values() if one.department != "other" and one.is_live(now.wall)]
            assert lab.passes() == {address for address in ADDRESSES if not any(_covers(one, address) for one in live)}

        check()


def _covers(one: Block, text: str) -> bool:
    address: IPv4Address | IPv6Address = ip_address(text)
    net = ip_network(one.target)
    return net.version == address.version and address in net
