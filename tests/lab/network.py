"""A department's network in namespaces: hosts behind a switch, the appliance, and an uplink with servers.

Real kernel, real frames, nothing outside of the namespaces: each network has names of its own and takes them away at
the end, so several can stand side by side. The cabling of the positions:

    gateway   pc1 pc2 pc3 - switch - eth1 [appliance] eth0 - uplink       two subnets, routed, with or without NAT
    bridge    pc1 pc2 pc3 - switch - eth1 [appliance] eth0 - uplink       one subnet, eth0 and eth1 are ports of br0
    mirror    pc1 pc2 pc3 - switch - uplink                               one subnet; the switch copies what passes its
                               +- eth1 [appliance]                        uplink port to eth1, both directions

In each, the appliance's eth1 faces the department. The uplink owns web addresses beyond its own subnet.
"""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.host import Host

_serial = itertools.count(1)

DEPARTMENT_V4, DEPARTMENT_V6 = "10.20.0.", "fd20::"
TRANSIT_V4, TRANSIT_V6 = "10.30.0.", "fd30::"  # between gateway and uplink
WEB_V4 = ("198.51.100.10", "198.51.100.20")  # TEST-NET-2: what the lab's names resolve to
WEB_V6 = ("2001:db8:100::10", "2001:db8:100::20")  # the documentation prefix
BRIDGE_FILTER = Path("/proc/sys/net/bridge")
DNS_SERVER = Path(__file__).with_name("dns_server.py")

# Set in each namespace before it has an interface: no waiting for duplicate address detection, no routes by surprise.
QUIET = {
    "net/ipv6/conf/all/accept_dad": 0,
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    "net/ipv6/conf/default/router_solicitations": 0,
    # Reports of new addresses to multicast routers go out at once, not later during a test.
    "net/ipv6/conf/default/mldv1_unsolicited_report_interval": 1,
    "net/ipv6/conf/default/mldv2_unsolicited_report_interval": 1,
}
# And at the ends of the network, where the filter is nobody's subject, never: on a busy machine "at once" comes late.
UNREPORTED = """\
table ip6 lab { chain out { type filter hook output priority filter; icmpv6 type mld2-listener-report drop; }; }
"""
# A switch says nothing of its own, and does not look into what it carries.
SWITCHING = {
    "net/ipv6/conf/default/disable_ipv6": 1,
    "net/bridge/bridge-nf-call-iptables": 0,
    "net/bridge/bridge-nf-call-ip6tables": 0,
}
ROUTING = {
    "net/ipv4/ip_forward": 1,
    "net/ipv6/conf/all/forwarding": 1,
    "net/ipv4/icmp_ratelimit": 0,
    "net/ipv6/icmp/ratelimit": 0,
}
# What makes the kernel track the connections that pass a bridge.
TRACKED_BRIDGE = {"net/bridge/bridge-nf-call-iptables": 1, "net/bridge/bridge-nf-call-ip6tables": 1}
MASQUERADE = """\
table inet lab { chain leave { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }; }
"""


@dataclass
class Network:
    """A running network. `hosts`: the department's; `uplink`: the servers' host; all close at the end."""

    position: str
    prefix: str
    closing: ExitStack
    appliance: Host = field(init=False)
    uplink: Host = field(init=False)
    switch: Host = field(init=False)
    hosts: list[Host] = field(default_factory=list)

    department_interface = "eth1"
    uplink_interface = "eth0"

    def start_web(self, port: int = 80) -> None:
        """A web server on all of the uplink's addresses, both families."""
        folder = str(Path(__file__).parent)
        command = [sys.executable, "-u", "-m", "http.server", "--bind", "::", "--directory", folder, str(port)]
        self.uplink.spawn(command, ready="Serving HTTP")

    def start_dns(self) -> None:
        """A name server on the uplink that knows every name: all resolve to the first of the web addresses."""
        self.uplink.spawn([sys.executable, "-u", str(DNS_SERVER), WEB_V4[0], WEB_V6[0]], ready="ready")

    def start_iperf3(self) -> None:
        """An iperf3 server on the uplink, port 5201."""
        self.uplink.spawn(["iperf3", "--server", "--forceflush"], ready="Server listening")

    def department_port_counters(self) -> tuple[int, int]:
        """Bytes (received, sent) that the appliance's eth1 must show, counted at the other end of its cable."""
        received, sent = self.switch.counters("appliance")
        return sent, received

    def add_host(self, name: str, number: int) -> Host:
        """One more host in the department, with the addresses `10.20.0.<number>` and `fd20::<number>`."""
        host = self.make_end(name)
        self.cable(host, "eth0", self.switch, name)
        self.switch.run(["ip", "link", "set", name, "master", "br0"])
        host.ipv4, host.ipv6 = f"{DEPARTMENT_V4}{number}", f"{DEPARTMENT_V6}{number}"
        host.address("eth0", f"{host.ipv4}/24", f"{host.ipv6}/64")
        self.hosts.append(host)
        return host

    def cable_department(self) -> None:
        """Create the appliance's eth1 and its cable, at the start or after a test deleted it."""
        self.cable(self.appliance, "eth1", self.switch, "appliance")
        if self.position == "mirror":
            self.appliance.sysctl({"net/ipv6/conf/eth1/disable_ipv6": 1})  # a mirror port only listens
            _mirror_to_appliance(self)
            return
        self.switch.run(["ip", "link", "set", "appliance", "master", "br0"])
        if self.position == "bridge":
            self.appliance.run(["ip", "link", "set", "eth1", "master", "br0"])
        else:
            self.appliance.address("eth1", f"{DEPARTMENT_V4}1/24", f"{DEPARTMENT_V6}1/64")

    def make(self, name: str) -> Host:
        """An empty namespace of this network, gone when the network closes."""
        namespace = f"{self.prefix}-{name}"
        _ip("netns", "add", namespace)
        self.closing.callback(_ip, "netns", "del", namespace)
        host = Host(name, namespace)
        self.closing.callback(host.stop_all)
        host.sysctl(QUIET)
        _ip("-n", namespace, "link", "set", "lo", "up")
        return host

    def make_end(self, name: str) -> Host:
        """An empty namespace for a host at an end of the network, which sends nothing by itself."""
        host = self.make(name)
        host.run(["nft", "-f", "-"], given=UNREPORTED)
        return host

    def cable(self, one: Host, one_interface: str, other: Host, other_interface: str) -> None:
        """A cable between two hosts, both ends up."""
        near = ["link", "add", "name", one_interface, "netns", one.namespace, "type", "veth"]
        _ip(*near, "peer", "name", other_interface, "netns", other.namespace)
        for host, interface in ((one, one_interface), (other, other_interface)):
            _ip("-n", host.namespace, "link", "set", interface, "up")


@contextmanager
def network(position: str, *, hosts: int = 3, nat: bool = False) -> Iterator[Network]:
    """A network with the appliance in this position (gateway, bridge, mirror), taken down at the end."""
    if not BRIDGE_FILTER.exists():
        subprocess.run(["modprobe", "br_netfilter"], check=True)
    with ExitStack() as closing:
        lab = Network(position, f"lab{os.getpid()}-{next(_serial)}", closing)
        lab.switch, lab.appliance, lab.uplink = lab.make("switch"), lab.make("appliance"), lab.make_end("uplink")
        lab.switch.sysctl(SWITCHING)
        _bridge(lab.switch, [])
        _POSITIONS[position](lab)
        for number in range(1, hosts + 1):
            host = lab.add_host(f"pc{number}", 10 + number)
            host.route_by(_default_of(lab))
        for v4, v6 in zip(WEB_V4, WEB_V6, strict=True):
            lab.uplink.address("lo", f"{v4}/32", f"{v6}/128")
        if nat:
            lab.appliance.run(["nft", "-f", "-"], given=MASQUERADE)
        yield lab


def _default_of(lab: Network) -> Sequence[str]:
    last = "1" if lab.position == "gateway" else "254"
    return f"{DEPARTMENT_V4}{last}", f"{DEPARTMENT_V6}{last}"


def _gateway(lab: Network) -> None:
    lab.cable(lab.appliance, "eth0", lab.uplink, "eth0")
    lab.appliance.sysctl(ROUTING)
    lab.cable_department()
    lab.appliance.address("eth0", f"{TRANSIT_V4}1/24", f"{TRANSIT_V6}1/64")
    lab.appliance.ipv4, lab.appliance.ipv6 = f"{DEPARTMENT_V4}1", f"{DEPARTMENT_V6}1"
    lab.uplink.ipv4, lab.uplink.ipv6 = f"{TRANSIT_V4}2", f"{TRANSIT_V6}2"
    lab.uplink.address("eth0", f"{TRANSIT_V4}2/24", f"{TRANSIT_V6}2/64")
    for host, hop in ((lab.uplink, "1"), (lab.appliance, "2")):
        host.route_by((f"{TRANSIT_V4}{hop}", f"{TRANSIT_V6}{hop}"))


def _in_one_subnet(lab: Network, appliance_interface: str) -> None:
    lab.uplink.ipv4, lab.uplink.ipv6 = f"{DEPARTMENT_V4}254", f"{DEPARTMENT_V6}254"
    lab.uplink.address("eth0", f"{lab.uplink.ipv4}/24", f"{lab.uplink.ipv6}/64")
    lab.appliance.ipv4, lab.appliance.ipv6 = f"{DEPARTMENT_V4}1", f"{DEPARTMENT_V6}1"
    lab.appliance.address(appliance_interface, f"{DEPARTMENT_V4}1/24", f"{DEPARTMENT_V6}1/64")
    lab.appliance.route_by(_default_of(lab))


def _inline(lab: Network) -> None:
    lab.cable(lab.appliance, "eth0", lab.uplink, "eth0")
    _bridge(lab.appliance, ["eth0"])
    lab.cable_department()
    lab.appliance.sysctl(TRACKED_BRIDGE)
    _in_one_subnet(lab, "br0")


def _mirrored(lab: Network) -> None:
    lab.cable(lab.uplink, "eth0", lab.switch, "uplink")
    lab.cable(lab.appliance, "eth0", lab.switch, "management")
    for port in ("uplink", "management"):
        lab.switch.run(["ip", "link", "set", port, "master", "br0"])
    lab.switch.run(["tc", "qdisc", "add", "dev", "uplink", "clsact"])
    lab.cable_department()
    _in_one_subnet(lab, "eth0")


def _mirror_to_appliance(lab: Network) -> None:
    for direction in ("ingress", "egress"):
        everything = ["tc", "filter", "replace", "dev", "uplink", direction, "prio", "1", "protocol", "all", "u32"]
        copied = ["match", "u32", "0", "0", "action", "mirred", "egress", "mirror", "dev", "appliance"]
        lab.switch.run([*everything, *copied])


_POSITIONS = {"gateway": _gateway, "bridge": _inline, "mirror": _mirrored}


def _bridge(host: Host, ports: Sequence[str]) -> None:
    host.run(["ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0"])
    for port in ports:
        host.run(["ip", "link", "set", port, "master", "br0"])
    host.run(["ip", "link", "set", "br0", "up"])


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=30)
