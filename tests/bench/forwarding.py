"""What the rules cost those whose packets they judge: throughput through the lab's gateway with them and without.

Rounds take turns, so that what else the machine does falls on both; the medians are compared. Single packets are sent
with offloads off, and cost the sender's CPU time: the kernel carries them through the whole lab within the call.
"""

import json
from ipaddress import IPv4Network, ip_network
from statistics import median

from msgspec.structs import replace

from appliance.core.machine import Facing
from appliance.core.metering.meter import Plan
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.meters import TABLE, NftablesMeters
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements
from tests.lab.blocks import firewall, pieces, place
from tests.lab.network import WEB_V4, Network, network

DEPARTMENTS = 64
HOSTS = 2000  # that have a meter; they send one packet each before the measurement
PACKET_BYTES = (64, 1400)
HEADERS_BYTES = 14 + 20 + 8 + 4  # Ethernet, IPv4, UDP, and the checksum of the frame
PACKETS = 100_000
OFFLOADS = ("gro", "gso", "tso", "tx", "rx")
DISCARD = "table ip lab { chain in { type filter hook prerouting priority raw; udp dport 9 drop; }; }"
SEND = """
import socket, sys, time
sending = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sending.connect((sys.argv[1], 9))
data = bytes(int(sys.argv[2]))
sending.send(data)
before = time.process_time()
for _ in range(int(sys.argv[3])):
    sending.send(data)
print(time.process_time() - before)
"""
ROUNDS = 5
SECONDS = 2


def run() -> list[str]:
    """A row for the ratio of the throughputs."""
    with network("gateway") as lab:
        lab.start_iperf3()
        # The forged hosts have one MAC address: that of a router, behind which each address is a host.
        plans = [replace(plan, routers=(lab.hosts[0].mac(),)) for plan in _plans()]
        without, metered = [], []
        for _ in range(ROUNDS):
            lab.appliance.run(["nft", "flush", "ruleset"])
            without.append(_throughput_bps(lab))
            with lab.appliance.entered():
                parts = Nftables(), Nfnetlink(TABLE), SetElements()
                refusal = NftablesMeters(*parts, "boot").apply(plans)
                for part in parts:
                    part.close()
            assert refusal is None, refusal
            _show_hosts(lab)
            metered.append(_throughput_bps(lab))
    ratio = median(metered) / median(without)
    return [
        f"forwarding, {DEPARTMENTS} departments and {HOSTS} hosts metered: {median(metered) / 1e9:.2f} Gbit/s, "
        f"without {median(without) / 1e9:.2f} Gbit/s, ratio {ratio:.3f} (at least 0.9)",
        *_packet_rows(),
    ]


def _packet_rows() -> list[str]:
    """A row for each size of packets: how many a core sends through the gateway in a second."""
    spent: dict[tuple[int, bool], list[float]] = {}
    with network("gateway", hosts=1) as lab:
        lab.uplink.run(["nft", "-f", "-"], given=DISCARD)
        ends = ((lab.hosts[0], "eth0"), (lab.switch, "pc1"), (lab.switch, "appliance"), (lab.uplink, "eth0"))
        for host, link in (*ends, (lab.appliance, "eth0"), (lab.appliance, "eth1")):
            host.run(["ethtool", "-K", link, *(word for name in OFFLOADS for word in (name, "off"))], check=False)
        for _ in range(ROUNDS):
            for is_judged in (False, True):
                lab.appliance.run(["nft", "flush", "ruleset"])
                if is_judged:
                    _put_rules_in_force(lab)
                for size in PACKET_BYTES:
                    spent.setdefault((size, is_judged), []).append(_packet_s(lab, size))
    rates = {key: 1 / median(found) for key, found in spent.items()}
    return [
        f"packets of {size} bytes: {rates[size, True]:,.0f} a second and core through all rules, without "
        f"{rates[size, False]:,.0f}, ratio {rates[size, True] / rates[size, False]:.3f}"
        for size in PACKET_BYTES
    ]


def _put_rules_in_force(lab: Network) -> None:
    """The rules of a department that has the port alone, with a quota, and some blocks."""
    near = (ip_network("10.20.0.0/24"), ip_network("fd20::/64"))
    plan = Plan("radiology", "eth1", Facing.DEPARTMENT, stop_at_bytes=1 << 60, checks_sources=True, near=near)
    with lab.appliance.entered():
        parts = Nftables(), Nfnetlink(TABLE), SetElements()
        assert NftablesMeters(*parts, "boot").apply([plan]) is None
        for part in parts:
            part.close()
    with firewall(lab, tracks_connections=False) as blocks:
        assert blocks.install_rules([place(department="radiology")]) is None
        assert blocks.replace_elements(pieces("203.0.113.9", "192.0.2.0/28", "2001:db8:9::/48"), 0.0) is None


def _packet_s(lab: Network, size_bytes: int) -> float:
    """CPU seconds of a packet of this many bytes, with its Ethernet header and checksum."""
    payload = str(size_bytes - HEADERS_BYTES)
    return float(lab.hosts[0].run(["python3", "-c", SEND, WEB_V4[0], payload, str(PACKETS)]).stdout) / PACKETS


def _networks(departments: int) -> list[IPv4Network]:
    """The network of each department: the lab's hosts', then those of forged ones."""
    return [ip_network("10.20.0.0/24"), *(ip_network(f"10.21.{4 * one}.0/22") for one in range(departments - 1))]


def _plans(departments: int = DEPARTMENTS) -> list[Plan]:
    """The plans of so many departments at one interface."""
    return [
        Plan(f"d{number}", "eth1", Facing.DEPARTMENT, (one,), stop_at_bytes=1 << 60)
        for number, one in enumerate(_networks(departments))
    ]


def _show_hosts(lab: Network, hosts: int = HOSTS, connections: int = 1, departments: int = DEPARTMENTS) -> None:
    """Let so many hosts of the departments send a packet for each connection; they need not exist to have a meter."""
    networks = _networks(departments)[1:] or _networks(1)
    # Beyond the addresses that the lab's own hosts have.
    sources = [str(networks[one % len(networks)][100 + one // len(networks)]) for one in range(hosts)]
    program = f"""
import json, socket, sys
sending = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
sources = [socket.inet_aton(one) for one in json.load(sys.stdin)]
for connection in range({connections}):
    datagram = bytes((4 + connection // 256, connection % 256, 4, 1, 0, 8, 0, 0))
    for source in sources:
        header = bytes((0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0)) + source + socket.inet_aton("{WEB_V4[0]}")
        sending.sendto(header + datagram, ("{WEB_V4[0]}", 0))
"""
    lab.hosts[0].run(["python3", "-c", program], given=json.dumps(sources))


def _throughput_bps(lab: Network) -> float:
    shown = lab.hosts[0].run(["iperf3", "-J", "-c", WEB_V4[0], "-t", str(SECONDS)]).stdout
    return float(json.loads(shown)["end"]["sum_received"]["bits_per_second"])
