"""By how much a department gets beyond a quota that blocks, at the lab's full speed, held by the kernel alone."""

from ipaddress import ip_network

from appliance.core.machine import Facing
from appliance.core.metering.meter import Plan
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.meters import TABLE, NftablesMeters
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements
from tests.lab.network import WEB_V4, network

LIMIT = 500_000_000
SUBNETS = (ip_network("10.20.0.0/24"),)


def run() -> list[str]:
    """A row for a department by its subnet, and one for a whole interface."""
    return [_row("subnet", SUBNETS), _row("interface", ())]


def _row(kind: str, networks: tuple) -> str:
    with network("gateway") as lab:
        lab.start_iperf3()
        with lab.appliance.entered():
            nftables, shown = Nftables(), Nfnetlink(TABLE)
            meters = NftablesMeters(nftables, shown, SetElements(), "boot")
            assert meters.apply([Plan("d", "eth1", Facing.DEPARTMENT, networks, stop_at_bytes=LIMIT)]) is None
        lab.hosts[0].run(["timeout", "6", "iperf3", "-c", WEB_V4[0], "-n", str(2 * LIMIT)], check=False)
        reading = meters.read()["d"]
        shown.close()
    beyond = reading.total_bytes - LIMIT
    return (
        f"overshoot of a {kind}'s quota of {LIMIT / 1e6:.0f} MB: {beyond} bytes, {beyond / LIMIT:.5%} "
        f"(average packet {reading.up_bytes // max(1, reading.up_packets)} bytes)"
    )
