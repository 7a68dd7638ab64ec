"""What 100,000 blocks cost and how soon one more holds, beside fail2ban on the same machine in the same run."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from appliance.client import CallFailed, Client
from appliance.config import parse
from appliance.core.blocking.block import Block, BlockRequest
from appliance.core.kernel.nftables.block_rules import TABLE
from appliance.core.machine import Counters, Link
from appliance.core.moment import Moment
from appliance.monitor.blocking.enforcement import Enforcement
from appliance.service.access.own_token import own_token
from appliance.service.monitors import build_blocking
from appliance.simulator.dns_filter import SimulatedDnsFilter
from appliance.simulator.firewall import SimulatedUpstream
from appliance.system.storage.store import SqliteStore
from tests.bench import fail2ban
from tests.end_to_end.installed import Installed
from tests.lab.blocks import FakeInterfaces, firewall
from tests.lab.network import WEB_V4, Network, network

BLOCKS = 100_000
BATCH = 20_000
PEER_BATCH = 1_000  # fail2ban takes milliseconds for each: 20,000 would take minutes
ROUNDS = 2000  # that a 99th percentile is of twenty, not of the five that met something rare
PEER_ROUNDS = 20
TURNS = 15  # the scheduler puts sender and receiver on other cores from turn to turn
# Throughput sways by a tenth: the upper quartiles of so many looks at one connection are within a hundredth or two.
FORWARDING_TURNS = 40
CARRIED_S, SETTLED_S = 0.5, 0.2
LONGEST_S = 900  # of all turns, and of the rules being put in force between them
FLOOD_S = 2.0
PORT = 9
PATIENCE_S = 30.0
LOST_S = 5.0  # a call that was not obeyed by then counts as this, and its client connects again
RECONCILED_S = 600  # that pass by argument, with a step in each second
LINKS = {"eth1": Link("eth1", 2, "02:00:00:00:00:01", "boot", True, Counters(0, 0))}


def run() -> Iterator[str]:
    """A row for each promise."""
    with TemporaryDirectory() as scratch:
        yield from _soon(Path(scratch))
        yield from _many(Path(scratch))
    yield from _forwarding()
    yield from _flood()
    yield from _reconciled()


def _listed(count: int, *, prefixes: bool = False, begins: int = 20) -> list[Block]:
    """Blocks of so many addresses or prefixes, one in each /24 from there on, with and without an end."""
    now = datetime.now(UTC)
    ends = [None, now + timedelta(days=7)]
    texts = (f"{begins + n // 65536}.{n // 256 % 256}.{n % 256}." for n in range(count))
    targets = (f"{text}128/25" if prefixes else f"{text}{n % 250}" for n, text in enumerate(texts))
    return [
        Block(target, "because", "me", "manual", now, None, ends[n % 2], announced=True, number=n + 1)
        for n, target in enumerate(targets)
    ]


def _save(path: Path, blocks: list[Block]) -> None:
    store = SqliteStore(path)
    store.save_blocks(blocks, [])
    store.close()


def _soon(scratch: Path) -> Iterator[str]:
    """From the start to 100,000 that hold, and from a call to the first packet that is refused."""
    with network("gateway", hosts=1) as lab:
        appliance = Installed(lab, scratch, periods="")
        appliance.state.mkdir()
        blocks = _listed(BLOCKS)
        _save(appliance.state / "appliance.sqlite3", blocks)
        del blocks
        begun_s, begun = time.monotonic(), getrusage(RUSAGE_CHILDREN)
        said = appliance.cli("restore")
        restored_s, ended = time.monotonic() - begun_s, getrusage(RUSAGE_CHILDREN)
        kernel_s = ended.ru_stime - begun.ru_stime
        cpu_s = kernel_s + ended.ru_utime - begun.ru_utime
        yield (
            f"blocks restored at boot, {BLOCKS}: {restored_s:.2f} s, of it CPU {cpu_s:.2f} s (below 3), the kernel's "
            f"own share {kernel_s:.2f} s; {said}"
        )
        appliance.start()
        lab.uplink.run(["ip", "route", "add", "blackhole", "198.18.0.0/15"])
        called_ms = list(_called(lab, appliance))
        appliance.stop()
    with network("gateway", hosts=1) as lab, TemporaryDirectory() as folder:
        peers_ms = _banned(lab, Path(folder))
    ours, peers = (_median_and_p99(took_ms) for took_ms in (called_ms, peers_ms))
    yield (
        f"ip:block by a client to the first refused packet, {BLOCKS} blocks present: p99 {ours[1]:.2f} ms (below 5), "
        f"median {ours[0]:.2f} ms; fail2ban with one address, from the log line: p99 {peers[1]:.0f} ms, median "
        f"{peers[0]:.0f} ms; ratio of the p99 {peers[1] / ours[1]:.0f} (at least 100), of the medians "
        f"{peers[0] / ours[0]:.0f}"
    )


def _median_and_p99(took_ms: list[float]) -> tuple[float, float]:
    return median(took_ms), quantiles(took_ms, n=100, method="inclusive")[98]


def _called(lab: Network, appliance: Installed) -> Iterator[float]:
    """Milliseconds from a client's call to the first refused packet, of each round."""
    with lab.appliance.entered():
        client = _connected(appliance)
    for number in range(ROUNDS):
        target = f"198.18.{number // 250}.{number % 250 + 1}"  # RFC 2544: addresses for benches
        with _probe(lab, target) as is_refused:
            assert not is_refused()
            begun_s = time.perf_counter()
            client.emit("ip:block", {"address": target})
            while not is_refused() and time.perf_counter() - begun_s < LOST_S:
                time.sleep(0.0001)  # the client's own thread has to send
            yield (time.perf_counter() - begun_s) * 1000
            if time.perf_counter() - begun_s >= LOST_S:
                with lab.appliance.entered():
                    client = _connected(appliance)
        time.sleep(0.07)  # a host gets 50 refusals a second, and a client 20 calls
    client.close()


def _connected(appliance: Installed) -> Client:
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        client = Client("http://127.0.0.1:5001", lambda: own_token(appliance.state), None)
        try:
            client.connect()
        except CallFailed:
            if time.monotonic() > deadline_s:
                raise
        else:
            return client


def _banned(lab: Network, folder: Path) -> list[float]:
    """Milliseconds from a log line to the first packet that fail2ban's rule refuses."""
    took = []
    host = lab.hosts[0]
    with fail2ban.running(lab.appliance, folder) as peer:
        for number in range(PEER_ROUNDS):
            address = f"10.20.0.{100 + number}"
            host.address("eth0", f"{address}/24")
            with _probe(lab, lab.appliance.ipv4, PORT, source=address, closed=True) as is_refused:
                time.sleep(1)  # it looks at its log every so often
                begun_s = time.monotonic()
                peer.attack(address)
                while not is_refused():
                    time.sleep(0.0005)
                took.append((time.monotonic() - begun_s) * 1000)
    return took


@contextmanager
def _probe(
    lab: Network, target: str, port: int = PORT, *, source: str | None = None, closed: bool = False
) -> Iterator[Callable[[], bool]]:
    """Whether a packet from the department's host to the target is refused. `closed`: the port itself answers so."""
    if closed:  # a socket that takes all, so that a refusal is the packet filter's
        with lab.appliance.entered():
            taking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        taking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taking.bind((target, port))
    with lab.hosts[0].entered():
        sending = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if source is not None:
        sending.bind((source, 0))
    sending.connect((target, port))

    def is_refused() -> bool:
        try:
            sending.send(b"x")
        except OSError:
            return True
        return False

    try:
        yield is_refused
    finally:
        sending.close()
        if closed:
            taking.close()


def _many(scratch: Path) -> Iterator[str]:
    """Thousands at once."""
    with network("gateway", hosts=1) as lab, _enforcement(lab, scratch / "many.sqlite3", []) as enforcement:
        asked = [BlockRequest(one.target, "on a list", 0, None, "me", "manual") for one in _listed(BATCH)]
        begun_s = time.monotonic()
        enforcement.block(asked, _now(0))
        ours_s = time.monotonic() - begun_s
    with (
        network("gateway", hosts=1) as lab,
        TemporaryDirectory() as folder,
        fail2ban.running(lab.appliance, Path(folder)) as peer,
    ):
        addresses = [one.target for one in _listed(PEER_BATCH)]
        begun_s = time.monotonic()
        peer.say("set", "lab", "banip", *addresses)
        while lab.appliance.run(["nft", "list", "ruleset"]).stdout.count("20.") < PEER_BATCH:
            time.sleep(0.2)
        peer_s = (time.monotonic() - begun_s) * BATCH / PEER_BATCH
    yield (
        f"blocks at once, {BATCH}, saved and in force: {ours_s:.2f} s; fail2ban {peer_s:.0f} s (by its time for "
        f"{PEER_BATCH}), ratio {ours_s / peer_s:.4f} (below 0.1)"
    )


@contextmanager
def _enforcement(lab: Network, path: Path, blocks: list[Block]) -> Iterator[Enforcement]:
    """The engine over the lab's kernel, with these blocks restored."""
    _save(path, blocks)
    store = SqliteStore(path)
    with firewall(lab) as made:
        parts = SimpleNamespace(
            interfaces=FakeInterfaces(LINKS),
            upstream=SimulatedUpstream(),
            firewall=made,
            dns_filter=SimulatedDnsFilter(["eth1"], lambda: 0.0),
        )
        enforcement = build_blocking(
            config=parse(CONFIG, "the bench's configuration"),
            packet_filter=parts,
            store=store,
            publish=lambda _: None,
            require_writable=lambda: None,
        )
        enforcement.restore(_now(0))
        yield enforcement
    store.close()


def _now(second: float) -> Moment:
    return Moment(START + timedelta(seconds=second), second, is_trusted=True)


START = datetime.now(UTC)
CONFIG = b'[appliance]\nposition = "gateway"\n\n[[departments]]\nid = "dept"\ninterface = "eth1"\n'


def _forwarding() -> Iterator[str]:
    """Throughput of one connection through the gateway: with the blocks, with no block, and without any table."""
    server = ip_network(f"{WEB_V4[0]}/24", strict=False)
    worst = _listed(BLOCKS, prefixes=True, begins=198)
    around = [one for one in worst if not ip_network(one.target).subnet_of(server)]
    for what, family, blocks, bound in (
        ("addresses", "hosts4", _listed(BLOCKS), "at least 0.95"),
        ("prefixes, in each /24 around the server's,", "prefixes4", around, "at least 0.95"),
        ("prefixes, in the server's /24 too,", "prefixes4", worst, "the worst case"),
    ):
        with network("gateway", hosts=1) as lab, TemporaryDirectory() as folder:
            lab.start_iperf3()
            lab.hosts[0].spawn(["iperf3", "--forceflush", "-c", WEB_V4[0], "-t", str(LONGEST_S)], ready="bits/sec")
            blocked, none, nothing = [], [], []
            with _enforcement(lab, Path(folder) / "state.sqlite3", blocks) as enforcement:
                for turn in range(FORWARDING_TURNS):
                    enforcement.step(_now(turn))  # which puts in force what was taken away
                    blocked.append(_carried_bps(lab))
                    lab.appliance.run(
                        ["nft", f"flush map netdev {TABLE} {family}; flush set netdev {TABLE} near_prefixes4"]
                    )
                    none.append(_carried_bps(lab))
                    lab.appliance.run(["nft", "flush", "ruleset"])
                    nothing.append(_carried_bps(lab))
        carried, free, bare = map(_undisturbed, (blocked, none, nothing))
        yield (
            f"forwarding, {BLOCKS} {what} blocked: {carried / 1e9:.2f} Gbit/s, to that with no block "
            f"{carried / free:.3f} ({bound}), without any rule or connection tracking {carried / bare:.3f}"
        )


def _undisturbed(carried_bps: list[float]) -> float:
    """The upper quartile: what else the machine does, and TCP's losses, can only slow it."""
    return quantiles(carried_bps, n=4)[2]


def _carried_bps(lab: Network) -> float:
    """What passes from the department now."""
    time.sleep(SETTLED_S)
    before, begun_s = lab.department_port_counters()[0], time.perf_counter()
    time.sleep(CARRIED_S)
    after, ended_s = lab.department_port_counters()[0], time.perf_counter()
    return (after - before) * 8 / (ended_s - begun_s)


def _flood() -> Iterator[str]:
    """Packets of a blocked host that are dropped for each CPU-second, here and by the same set in `forward`."""
    source = "10.20.0.11"
    with network("gateway", hosts=1) as lab, TemporaryDirectory() as folder:
        blocks = [*_listed(BLOCKS - 1), Block(source, "floods", "me", "manual", START, number=BLOCKS)]
        ours, theirs = [], []
        elements = ", ".join(one.target for one in blocks)
        peer = (
            "table inet peer { set s { type ipv4_addr; elements = { " + elements + " }; };"
            "chain c { type filter hook forward priority 0; ip saddr @s counter drop; }; }"
        )
        with _enforcement(lab, Path(folder) / "state.sqlite3", blocks) as enforcement:
            for turn in range(TURNS):
                lab.appliance.run(["nft", "flush", "ruleset"])
                enforcement.step(_now(turn))
                ours.append(_flooded(lab))
                lab.appliance.run(["nft", "delete", "table", "netdev", TABLE])
                lab.appliance.run(["nft", "-f", "-"], given=peer)
                theirs.append(_flooded(lab))
    yield (
        f"flood of a blocked host, {BLOCKS} blocks: {median(ours) / 1e3:.0f}k packets dropped a CPU-second of sender "
        f"and receiver, in the forward hook {median(theirs) / 1e3:.0f}k, ratio {median(ours) / median(theirs):.2f} "
        "(above 1)"
    )


def _flooded(lab: Network) -> float:
    """Packets sent and dropped for each second of CPU that both took: a cable of the lab is one CPU's work."""
    with lab.hosts[0].entered():
        sending = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    address = (WEB_V4[0], PORT)
    sent = 0
    begun_s, ends_s = time.process_time(), time.monotonic() + FLOOD_S
    while time.monotonic() < ends_s:
        for _ in range(200):
            sending.sendto(b"x", address)
        sent += 200
    took_s = time.process_time() - begun_s
    sending.close()
    return sent / took_s


def _reconciled() -> Iterator[str]:
    """What it costs to see, second by second, that the kernel still has everything."""
    for what, blocks in (("addresses", _listed(BLOCKS)), ("prefixes", _listed(BLOCKS, prefixes=True))):
        with (
            network("gateway", hosts=1) as lab,
            TemporaryDirectory() as folder,
            _enforcement(lab, Path(folder) / "state.sqlite3", blocks) as enforcement,
        ):
            begun_s = time.process_time()
            for second in range(RECONCILED_S):
                enforcement.step(_now(second))
                enforcement.audit(_now(second), lambda: None)
            share = (time.process_time() - begun_s) / RECONCILED_S
        yield f"reconciliation of {BLOCKS} {what}: {share:.2%} of a core (below 1 %)"
