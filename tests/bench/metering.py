"""What metering costs the computer: CPU seconds of each part, by the default periods, as a share of a core.

No peer does the same work; the figure is set against the core's own second.
"""

import time
from collections.abc import Callable
from ipaddress import ip_address

from appliance.core.usage import count_connections
from appliance.monitor.metering import FLOWS_S, HOSTS_S
from appliance.system.flows import ConntrackFlows
from appliance.system.interfaces import RtnetlinkInterfaces
from appliance.system.meters import TABLE, NftablesMeters
from appliance.system.nfnetlink import Nfnetlink
from appliance.system.nftables import Nftables
from tests.bench.forwarding import DEPARTMENTS, HOSTS, _plans, _show_hosts
from tests.lab.network import network

FLOWS = 50_000
REPEATS = 10


def run() -> list[str]:
    """A row for each part, and their sum."""
    with network("gateway") as lab:
        with lab.appliance.entered():
            nftables, shown = Nftables(), Nfnetlink(TABLE)
            meters, interfaces = NftablesMeters(nftables.run, shown), RtnetlinkInterfaces()
            plans = _plans()
            assert meters.apply(plans) is None
        _show_hosts(lab)
        flows = _tracked_flows()
        networks = {plan.department: plan.networks for plan in plans}
        with lab.appliance.entered():
            parts = [
                _share("read the departments' meters", 1.0, meters.read),
                _share("compare the plans with the kernel", 1.0, lambda: meters.apply(plans)),
                _share("read the interfaces", 1.0, interfaces.links),
                _share("read the hosts' meters", HOSTS_S, meters.hosts),
                _share(
                    "read and count the connections", FLOWS_S, lambda: count_connections(flows.connections(), networks)
                ),
            ]
            interfaces.close()
            shown.close()
    total = sum(share for _, share in parts)
    rows = [f"metering: {name}: {share:.2%} of a core" for name, share in parts]
    return [
        *rows,
        f"metering, {DEPARTMENTS} departments, {HOSTS} hosts, {FLOWS} flows: {total:.2%} of a core (below 5 %)",
    ]


def _share(name: str, period_s: float, work: Callable[[], object]) -> tuple[str, float]:
    before_s = time.process_time()
    for _ in range(REPEATS):
        work()
    return name, (time.process_time() - before_s) / REPEATS / period_s


def _tracked_flows() -> ConntrackFlows:
    """A table as the kernel writes it, because 50,000 real connections would need as many sockets."""
    import tempfile
    from pathlib import Path

    line = (
        "ipv4     2 tcp      6 431999 ESTABLISHED src={} dst=198.51.100.10 sport=40000 dport=443 "
        "src=198.51.100.10 dst={} sport=443 dport=40000 [ASSURED] mark=0 zone=0 use=2\n"
    )
    hosts = [str(ip_address(0x0A150000 + number % 16000)) for number in range(FLOWS)]
    table = Path(tempfile.mkdtemp()) / "nf_conntrack"
    table.write_text("".join(line.format(host, host) for host in hosts))
    return ConntrackFlows(table)
