"""What the meters cost those whose packets they count: throughput through the lab's gateway with them and without.

Rounds take turns, so that what else the machine does falls on both; the medians are compared.
"""

import json
from ipaddress import ip_network
from statistics import median

from appliance.core.machine import Facing
from appliance.core.metering.meter import Plan
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.meters import TABLE, NftablesMeters
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements
from tests.lab.network import WEB_V4, Network, network

DEPARTMENTS = 64
HOSTS = 2000  # that have a meter; they send one packet each before the measurement
ROUNDS = 5
SECONDS = 2


def run() -> list[str]:
    """A row for the ratio of the throughputs."""
    with network("gateway") as lab:
        lab.start_iperf3()
        plans = _plans()
        without, metered = [], []
        for _ in range(ROUNDS):
            lab.appliance.run(["nft", "flush", "ruleset"])
            without.append(_throughput_bps(lab))
            with lab.appliance.entered():
                nftables, shown = Nftables(), Nfnetlink(TABLE)
                refusal = NftablesMeters(nftables, shown, SetElements(), "boot").apply(plans)
                shown.close()
            assert refusal is None, refusal
            _show_hosts(lab)
            metered.append(_throughput_bps(lab))
    ratio = median(metered) / median(without)
    return [
        f"forwarding, {DEPARTMENTS} departments and {HOSTS} hosts metered: {median(metered) / 1e9:.2f} Gbit/s, "
        f"without {median(without) / 1e9:.2f} Gbit/s, ratio {ratio:.3f} (at least 0.9)"
    ]


def _plans() -> list[Plan]:
    prefixes = [ip_network(f"10.21.{number}.0/24") for number in range(DEPARTMENTS - 1)]
    networks = [ip_network("10.20.0.0/24"), *prefixes]
    return [
        Plan(f"d{number}", "eth1", Facing.DEPARTMENT, (one,), stop_at_bytes=1 << 60)
        for number, one in enumerate(networks)
    ]


def _show_hosts(lab: Network, hosts: int = HOSTS, connections: int = 1) -> None:
    # Forged by hand: a UDP packet for each connection of the hosts, which need not exist to have a meter.
    program = f"""
import socket
sending = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for connection in range({connections}):
    datagram = bytes((4 + connection // 256, connection % 256, 4, 1, 0, 8, 0, 0))
    for number in range({hosts}):
        source = bytes((10, 21, number % {DEPARTMENTS - 1}, 1 + number // {DEPARTMENTS - 1}))
        header = bytes((0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0)) + source + socket.inet_aton("{WEB_V4[0]}")
        sending.sendto(header + datagram, ("{WEB_V4[0]}", 0))
"""
    lab.hosts[0].run(["python3", "-c", program])


def _throughput_bps(lab: Network) -> float:
    shown = lab.hosts[0].run(["iperf3", "-J", "-c", WEB_V4[0], "-t", str(SECONDS)]).stdout
    return float(json.loads(shown)["end"]["sum_received"]["bits_per_second"])
