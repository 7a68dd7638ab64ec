"""How each figure grows with what the appliance has to do, as tables and a picture.

One thing grows at a time: departments with ten hosts each, hosts of 16 departments, blocks, and clients. A figure that
grows has a part that is there anyway and one that follows the number. The exponent is of the latter: the slope, on
logarithmic scales, of what the figure has above its value at the smallest number. 1 is linear growth.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from appliance.core.blocking.block import BlockRequest
from appliance.core.blocking.cover import Range
from appliance.core.blocking.sets import BlockSet
from appliance.core.kernel.nftables.meter_rules import DEFAULT
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.meters import TABLE, NftablesMeters
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements
from tests.bench.blocking import RECONCILED_S, _enforcement, _listed, _now, _save
from tests.bench.forwarding import _networks, _plans, _show_hosts
from tests.bench.metering import _rig
from tests.bench.packets import LOADS, Rules, _measured, _quiet
from tests.bench.report import Growth, table
from tests.bench.rivals import LOAD_CORE, SERVERS, running
from tests.bench.server import _steadily
from tests.end_to_end.installed import Installed
from tests.lab.blocks import firewall, pieces, place
from tests.lab.network import Network, network

DEPARTMENTS, HOSTS = (1, 4, 16, 64), (10, 100, 1000, 4000)
BLOCKS, CLIENTS = (10, 100, 1000, 10_000, 100_000), (1, 10, 100, 1000)
HOSTS_EACH = 10  # of a department, where departments grow
OTHERWISE = 16  # departments, where something else grows
FLOWS = 4000
BOOTS = 3  # of which the least counts: whatever disturbs one makes it longer
ORDERS = 40  # of one block each
SECONDS = 3.0  # of events to clients, ten a second
AT_ONCE = 250  # clients that connect: more would wait for their turn longer than the server waits for them

Values = Mapping[str, float]  # by figure


def run() -> Iterator[str]:
    """The tables in Markdown, by lines."""
    axes: tuple[tuple[str, Sequence[int], Callable[[Sequence[int]], Sequence[Values]]], ...] = (
        (f"departments, of {HOSTS_EACH} hosts each", DEPARTMENTS, _by_departments),
        (f"hosts, of {OTHERWISE} departments", HOSTS, _by_hosts),
        ("blocks", BLOCKS, _by_blocks),
        ("clients", CLIENTS, _by_clients),
    )
    for axis, numbers, measure in axes:
        yield from table([*_growths(axis, numbers, measure(numbers))])


def _growths(axis: str, numbers: Sequence[int], found: Sequence[Values]) -> Iterator[Growth]:
    for name in found[0]:
        figure, unit = name.rsplit(", ", 1)
        yield Growth(axis, figure, unit, numbers, [one[name] for one in found])


def _by_departments(numbers: Sequence[int]) -> list[Values]:
    packets = _packets({n: partial(_metered, departments=n, hosts=HOSTS_EACH * n) for n in numbers})
    return [_metering(n, HOSTS_EACH * n) | packets[n] for n in numbers]


def _by_hosts(numbers: Sequence[int]) -> list[Values]:
    packets = _packets({n: partial(_metered, departments=OTHERWISE, hosts=n) for n in numbers})
    return [_metering(OTHERWISE, n) | packets[n] for n in numbers]


def _by_blocks(numbers: Sequence[int]) -> list[Values]:
    packets = _packets({n: partial(_blocked, _pieces(n)) for n in numbers})
    return [_blocking(n) | packets[n] for n in numbers]


def _by_clients(numbers: Sequence[int]) -> list[Values]:
    """The server is on one core, and this process on the other."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {LOAD_CORE})
    try:
        return [_serving(n) for n in numbers]
    finally:
        os.sched_setaffinity(0, cores)


def _metering(departments: int, hosts: int) -> Values:
    with _rig(hosts, departments, max(1, FLOWS // hosts) * hosts) as rig:
        return {"CPU of metering for a second, ms": rig.minute() * 1000}


def _packets(settings: Mapping[int, Callable[[Network], None]]) -> Mapping[int, Values]:
    """The cost of a small packet in each setting, of its whole way through the lab."""
    with _quiet("gateway") as lab:
        found = _measured(lab, {str(n): Rules(put) for n, put in settings.items()}, loads=LOADS[:1])
    return {int(n): {"CPU of a packet of 64 bytes, us": one.microseconds[0]} for n, one in found.items()}


def _metered(lab: Network, *, departments: int, hosts: int) -> None:
    """Departments with quotas, of which so many hosts are known, each with its own quota."""
    # The forged hosts have one MAC address: that of a router, behind which each address is a host.
    router = lab.hosts[0].mac()
    plans = [replace(plan, routers=(router,), host_limit_bytes=1 << 50) for plan in _plans(departments)]
    with lab.appliance.entered():
        parts = Nftables(), Nfnetlink(TABLE), SetElements()
        refusal = NftablesMeters(*parts, "boot", DEFAULT).apply(plans)
        for part in parts:
            part.close()
    assert refusal is None, refusal
    _show_hosts(lab, hosts, departments=departments)


def _pieces(blocks: int) -> Mapping[BlockSet, Sequence[Range]]:
    return pieces(*(one.target for one in _listed(blocks)))


def _blocked(found: Mapping[BlockSet, Sequence[Range]], lab: Network) -> None:
    """Blocks for all departments."""
    places = [place("eth1", f"d{number}", str(one)) for number, one in enumerate(_networks(OTHERWISE))]
    with firewall(lab, tracks_connections=False) as blocks:
        assert blocks.install_rules(places) is None
        assert blocks.replace_elements(found, 0.0) is None


def _blocking(blocks: int) -> Values:
    """A boot, an order of one more, and seeing second by second that all are in force."""
    known = _listed(blocks)
    with network("gateway", hosts=1) as lab, TemporaryDirectory() as scratch:
        appliance = Installed(lab, Path(scratch), periods="")
        appliance.state.mkdir()
        _save(appliance.state / "appliance.sqlite3", known)
        restored_s = [_boot_s(lab, appliance) for _ in range(BOOTS)]
    with (
        network("gateway", hosts=1) as lab,
        TemporaryDirectory() as scratch,
        _enforcement(lab, Path(scratch) / "state.sqlite3", known) as enforcement,
    ):
        ordered_s = []
        for number in range(ORDERS):
            order = BlockRequest(f"198.18.0.{number}", "one more", 0, None, "me", "manual")
            begun_s = time.process_time()
            enforcement.block([order], _now(0))
            ordered_s.append(time.process_time() - begun_s)
        begun_s = time.process_time()
        for second in range(RECONCILED_S):
            enforcement.step(_now(second))
            enforcement.audit(_now(second), lambda: None)
        watched_s = (time.process_time() - begun_s) / RECONCILED_S
    return {
        "CPU of a boot that restores them, s": min(restored_s),
        "CPU of an order of one more, ms": median(ordered_s) * 1000,
        "CPU of watching them for a second, ms": watched_s * 1000,
    }


def _boot_s(lab: Network, appliance: Installed) -> float:
    """CPU seconds of the program that a boot runs."""
    lab.appliance.run(["nft", "flush", "ruleset"])
    before = getrusage(RUSAGE_CHILDREN)
    appliance.cli("restore")
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _serving(clients: int) -> Values:
    with running(SERVERS["ours"]) as one:
        before_s = one.cpu_s()
        for begun in range(0, clients, AT_ONCE):
            one.connect(min(AT_ONCE, clients - begun))
        connected_s = one.cpu_s() - before_s
        delivery_us, _ = _steadily(one, seconds=SECONDS)
        assert one.load.lost == 0
        return {
            "CPU of an event to all, ms": delivery_us * clients / 1000,
            "CPU of connecting all, ms": connected_s * 1000,
            "memory of the server, MB": one.resident_bytes() / 1e6,
        }
