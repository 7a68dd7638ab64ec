"""What a packet of an established connection costs with the flow table and without, beside a router without any rules.

Measured under this kernel where it has flow tables, else under Debian's in QEMU (`tests/kernel/run`). There a process's
time counts instructions, the same in each run, so that one round is enough. The sender's process pays for all of a
packet's way, as in the bench of single packets.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from statistics import median

from appliance.core.kernel.flow_offload import flow_table, probing
from appliance.system.nftables.libnftables import Nftables
from tests.bench.packets import OFFLOADS, TRACKING, _all, _arrived, _clear, _departments, _translated
from tests.lab.network import WEB_V4, Network, network

RUNNER = Path(__file__).parents[1] / "kernel" / "run"
SIZES = (64, 1400)  # bytes of a frame
PAYLOADS = tuple(size - 14 - 20 - 8 - 4 for size in SIZES)  # Ethernet, IPv4, UDP, and the checksum of the frame
FLOWS = 32
PACKETS = 4_000
ROUNDS_HERE = 9
FIRST_PORT = 20_000
# The uplink answers greetings, so that connections last; what is measured it counts and drops.
RECEIVE = """\
table ip lab {
    counter arrived { }
    chain in {
        type filter hook prerouting priority raw
        udp dport 9 udp length > 10 counter name "arrived" drop
    }
}
"""
GREET = """
import socket, sys
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.bind((sys.argv[1], 9))
print("ready", flush=True)
while True:
    own.sendto(*own.recvfrom(10))
"""
# UDP lasts, for the kernel, when both ends have sent for more than two seconds.
SEND = """
import json, socket, sys, time
sending = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(int(sys.argv[3]))]
for number, one in enumerate(sending):
    one.bind(("", int(sys.argv[5]) + number))
    one.connect((sys.argv[1], 9))
    one.settimeout(20)
for pause in (2.5, 0, 0):
    for one in sending:
        one.send(b"x")
        one.recv(1)
    time.sleep(pause)
spent = []
for payload in json.loads(sys.argv[2]):
    data = bytes(payload)
    sends = [one.send for one in sending] * (int(sys.argv[4]) // len(sending))
    before = time.process_time()
    for send in sends:
        send(data)
    spent.append((time.process_time() - before) / len(sends) * 1e6)
print(json.dumps(spent))
"""

PutInForce = Callable[[Network], None]


def run() -> Iterator[str]:
    """A row of a table for each setting: the cost of a packet of each size, and its ratio to that of a router."""
    if _can_offload():
        yield from _rows("us of CPU", ROUNDS_HERE)
        return
    counted = subprocess.run(
        [RUNNER, "--count", sys.executable, "-m", "tests.bench.offload"],
        cwd=RUNNER.parents[2],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    yield from (line for line in counted.stdout.splitlines() if line.startswith("|"))


def _can_offload() -> bool:
    with network("gateway", hosts=1) as lab, lab.appliance.entered():
        return Nftables().run(probing())[1] is None


def _rows(unit: str, rounds: int) -> Iterator[str]:
    found = _measured(rounds)
    sizes = " | ".join(f"{size:,} B, {unit} | to a router | to one with NAT" for size in SIZES)
    yield f"| a packet through a gateway | {sizes} |"
    yield f"|{'---|' * (1 + 3 * len(SIZES))}"
    for name, own in found.items():
        cells = [
            f"{cost:.1f} | {base / cost:.2f} | {nat / cost:.2f}"
            for cost, base, nat in zip(own, found[ROUTER], found[NAT], strict=True)
        ]
        yield f"| {name} | {' | '.join(cells)} |"


def _measured(rounds: int) -> Mapping[str, list[float]]:
    found: dict[str, list[list[float]]] = {name: [] for name in SETTINGS}
    ports = count(FIRST_PORT, FLOWS)  # the kernel remembers translated connections when nothing is translated any more
    with network("gateway", hosts=1) as lab:
        lab.uplink.run(["nft", "-f", "-"], given=RECEIVE)
        lab.uplink.spawn(["python3", "-u", "-c", GREET, WEB_V4[0]], ready="ready")
        ends = ((lab.hosts[0], "eth0"), (lab.switch, "pc1"), (lab.switch, "appliance"), (lab.uplink, "eth0"))
        for host, link in (*ends, (lab.appliance, "eth0"), (lab.appliance, "eth1")):
            host.run(["ethtool", "-K", link, *(word for name in OFFLOADS for word in (name, "off"))], check=False)
        for _ in range(rounds):
            for name, (puts, offloads) in SETTINGS.items():
                found[name].append(_once(lab, puts, next(ports), offloads=offloads))
    return {name: [median(costs) for costs in zip(*one, strict=True)] for name, one in found.items()}


def _once(lab: Network, puts: Sequence[PutInForce], port: int, *, offloads: bool) -> list[float]:
    _clear(lab)
    for put in puts:
        put(lab)
    if offloads:
        with lab.appliance.entered(), closing(Nftables()) as nftables:
            _, refusal = nftables.run(flow_table(["eth1"], ["eth0", "eth1"]))
        assert refusal is None, refusal
    before = _arrived(lab)
    send = ["python3", "-c", SEND, WEB_V4[0], json.dumps(PAYLOADS), str(FLOWS), str(PACKETS), str(port)]
    spent: list[float] = json.loads(lab.hosts[0].run(send).stdout)
    sent = len(SIZES) * PACKETS // FLOWS * FLOWS
    assert _arrived(lab) - before == sent, "one was dropped"
    offloaded = lab.appliance.run(["grep", "-c", "OFFLOAD", "/proc/net/nf_conntrack"], check=False).stdout.strip()
    assert int(offloaded or 0) >= FLOWS or not offloads, "connections took the long way"
    return spent


def _tracked(lab: Network) -> None:
    lab.appliance.run(["nft", "-f", "-"], given=TRACKING)


ROUTER, NAT = "a router without any rules", "a router with NAT (what the image's gateway is)"
# Setting -> what puts it in force, and whether connections are offloaded.
SETTINGS: Mapping[str, tuple[tuple[PutInForce, ...], bool]] = {
    ROUTER: ((), False),
    NAT: ((_translated,), False),
    "8 departments with quotas": ((_tracked, _departments), False),
    "the same, offloaded": ((_departments,), True),
    "8 departments with quotas, NAT": ((_translated, _departments), False),
    "the same with NAT, offloaded": ((_translated, _departments), True),
    "all that can be configured, 1,000 blocks, NAT": ((_translated, _all), False),
    "all of it, offloaded": ((_translated, _all), True),
}


if __name__ == "__main__":
    for row in _rows("thousand instructions", rounds=1):
        print(row, flush=True)
