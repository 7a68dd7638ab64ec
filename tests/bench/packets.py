"""What the rules cost a single packet: CPU time through the lab's appliance, beside the same network without rules.

Offloads are off, so each packet passes every rule alone. The sender's process pays for all of a packet's way: the
kernel carries it through the whole lab within the call. The rounds take turns among the settings, so that what else the
machine does falls on all alike; lower quartiles are compared, because whatever disturbs a measurement makes it longer.
The receiver counts: a packet that the rules dropped would look cheap. All packets are of one pair of addresses, which
has passed before; a setting in which no pair is remembered shows what the first packet of each costs.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from statistics import quantiles

from appliance.core.blocking.cover import Range
from appliance.core.blocking.sets import BlockSet, mark_of, set_and_range
from appliance.core.kernel.nftables.meter_rules import Setting
from appliance.core.machine import Facing
from appliance.core.metering.meter import Plan
from appliance.system.nftables.firewall import TABLE as BLOCKS_TABLE
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.meters import TABLE, NftablesMeters
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements
from tests.lab.blocks import firewall, place
from tests.lab.lookups import denials, dns_filter
from tests.lab.network import MASQUERADE, TRACKED_BRIDGE, WEB_V4, Network, network

HEADERS_BYTES = 14 + 20 + 8 + 4  # Ethernet, IPv4, UDP, and the checksum of the frame
LOADS = tuple((size - HEADERS_BYTES, flows) for size in (64, 1400) for flows in (1, 32))  # payload bytes, flows
LOAD_NAMES = ("64 B, 1 flow", "64 B, 32", "1,400 B, 1", "1,400 B, 32")
PACKETS = 32_000  # of each load and round: a tenth of a second and more
ROUNDS = 9
OFFLOADS = ("gro", "gso", "tso", "tx", "rx")
DEPARTMENTS, MANY_DEPARTMENTS = 8, 64
BLOCKS, MANY_BLOCKS = 1000, 20_000
SETTING = Setting(notice_port=5080, server_port=5001)
RECEIVE = "table ip lab { counter arrived { }; chain in { type filter hook prerouting priority raw; \
udp dport 9 counter name arrived drop; }; }"
TRACKING = "table inet tracked { chain c { type filter hook forward priority 0; ct state invalid drop; }; }"
SEND = """
import json, socket, sys, time
spent = []
for payload, flows in json.loads(sys.argv[2]):
    sending = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(flows)]
    data = bytes(payload)
    for one in sending:
        one.connect((sys.argv[1], 9))
        one.send(data)
    sends = [one.send for one in sending] * (int(sys.argv[3]) // flows)
    before = time.process_time()
    for send in sends:
        send(data)
    spent.append((time.process_time() - before) / len(sends))
print(json.dumps(spent))
"""

PutInForce = Callable[[Network], None]


@dataclass(frozen=True)
class Rules:
    """What is in force in a setting. `bases`: the settings that it is compared with."""

    put: PutInForce
    bases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """CPU microseconds of a packet in one setting, by load: of each round."""

    rounds: list[list[float]]

    @property
    def microseconds(self) -> list[float]:
        """By load, the lower quartile."""
        return [quantiles(found, n=4)[0] * 1e6 for found in zip(*self.rounds, strict=True)]


Settings = Mapping[str, Rules]


def run() -> Iterator[str]:
    """A row for each position and setting, then where the time goes."""
    for position, settings in (("gateway", GATEWAY), ("bridge", BRIDGE)):
        with _quiet(position) as lab:
            yield from _rows(position, _measured(lab, settings), settings)
    with _quiet("gateway") as lab:
        yield from _parts(lab)


def _rows(position: str, found: Mapping[str, Measured], settings: Settings) -> Iterator[str]:
    for name, one in found.items():
        figures = ", ".join(f"{load}: {own:.2f} us" for load, own in zip(LOAD_NAMES, one.microseconds, strict=True))
        yield f"{position}, {name}: {figures}"
        for base in settings[name].bases:
            pairs = zip(found[base].microseconds, one.microseconds, strict=True)
            yield f"    ratio to {base}: {', '.join(f'{without / own:.2f}' for without, own in pairs)}"


def _parts(lab: Network) -> Iterator[str]:
    """Rows for what a packet saves when one chain, or one table, is emptied."""
    _all(lab)
    listed = json.loads(lab.appliance.run(["nft", "-j", "list", "chains"]).stdout)["nftables"]
    chains = [one["chain"] for one in listed if "chain" in one]
    others = tuple(f"d{number}" for number in range(1, DEPARTMENTS))
    concerned = [one for one in chains if not one["name"].endswith(others)]
    tables = sorted({(one["family"], one["table"]) for one in chains})
    deeds = {"nothing": ""}
    deeds |= {f"table {family} {table}": f"delete table {family} {table}" for family, table in tables}
    deeds |= {
        f"chain {one['table']} {one['name']}": f"flush chain {one['family']} {one['table']} {one['name']}"
        for one in concerned
        if one["family"] == "netdev" and not one["name"].startswith("made_")
    }
    settings = {name: Rules(_without(deed)) for name, deed in deeds.items()}
    found = _measured(lab, settings, loads=LOADS[1:2])
    [whole] = found["nothing"].microseconds
    saved = sorted(
        ((whole - one.microseconds[0], name) for name, one in found.items() if name != "nothing"), reverse=True
    )
    yield f"gateway, where the time goes ({LOAD_NAMES[1]}): all rules {whole:.2f} us; without each part, less by"
    yield from (f"    {name}: {less:.2f} us" for less, name in saved if less >= 0.05)


def _without(deed: str) -> PutInForce:
    def put(lab: Network) -> None:
        _all(lab)
        if deed:
            lab.appliance.run(["nft", *deed.split()])

    return put


@contextmanager
def _quiet(position: str) -> Iterator[Network]:
    """A network with one host, of which no interface joins packets, and whose uplink counts and drops them."""
    with network(position, hosts=1) as lab:
        lab.uplink.run(["nft", "-f", "-"], given=RECEIVE)
        ends = ((lab.hosts[0], "eth0"), (lab.switch, "pc1"), (lab.switch, "appliance"), (lab.uplink, "eth0"))
        for host, link in (*ends, (lab.appliance, "eth0"), (lab.appliance, "eth1")):
            host.run(["ethtool", "-K", link, *(word for name in OFFLOADS for word in (name, "off"))], check=False)
        yield lab


def _measured(lab: Network, settings: Settings, loads: Sequence[tuple[int, int]] = LOADS) -> dict[str, Measured]:
    found: dict[str, Measured] = {name: Measured([]) for name in settings}
    for _ in range(ROUNDS):
        for name, rules in settings.items():
            _clear(lab)
            rules.put(lab)
            before = _arrived(lab)
            send = ["python3", "-c", SEND, WEB_V4[0], json.dumps(loads), str(PACKETS)]
            found[name].rounds.append(json.loads(lab.hosts[0].run(send).stdout))
            sent = sum(PACKETS // flows * flows + flows for _, flows in loads)
            assert _arrived(lab) - before >= sent, name
    return found


def _arrived(lab: Network) -> int:
    listed = json.loads(lab.uplink.run(["nft", "-j", "list", "counters"]).stdout)["nftables"]
    return next(int(one["counter"]["packets"]) for one in listed if "counter" in one)


def _clear(lab: Network) -> None:
    lab.appliance.run(["nft", "flush", "ruleset"])
    lab.appliance.run(["tc", "qdisc", "del", "dev", "eth1", "clsact"], check=False)
    if lab.position == "bridge":
        lab.appliance.sysctl(dict.fromkeys(TRACKED_BRIDGE, 0))


def _nothing(_lab: Network) -> None:
    pass


def _tracked(lab: Network) -> None:
    _track_bridge(lab)
    lab.appliance.run(["nft", "-f", "-"], given=TRACKING)


def _translated(lab: Network) -> None:
    lab.appliance.run(["nft", "-f", "-"], given=MASQUERADE)


def _departments(lab: Network) -> None:
    """The product's rules as they are before the first block, connections not tracked."""
    _meter(lab, DEPARTMENTS, None, Setting())
    _block(lab, DEPARTMENTS, {}, tracks=False)


def _untracked(lab: Network) -> None:
    """All that can be configured, but for what makes the kernel track connections."""
    _meter(lab, DEPARTMENTS, 1 << 50, Setting())
    _block(lab, DEPARTMENTS, _blocks(BLOCKS), tracks=False)


def _untracked_many(lab: Network) -> None:
    _meter(lab, MANY_DEPARTMENTS, 1 << 50, Setting())
    _block(lab, MANY_DEPARTMENTS, _blocks(MANY_BLOCKS), tracks=False)


def _unremembered(lab: Network) -> None:
    """The same, and each packet is judged as if it were the first of its pair."""
    _untracked(lab)
    lab.appliance.run(["nft", "flush", "map", "netdev", BLOCKS_TABLE, "turn_in_up"])


def _all(lab: Network) -> None:
    _track_bridge(lab)
    _meter(lab, DEPARTMENTS, 1 << 50, SETTING)
    _block(lab, DEPARTMENTS, _blocks(BLOCKS), tracks=True)


def _all_translated(lab: Network) -> None:
    _translated(lab)
    _all(lab)


def _track_bridge(lab: Network) -> None:
    if lab.position == "bridge":
        lab.appliance.sysctl(TRACKED_BRIDGE)


def _meter(lab: Network, departments: int, host_limit_bytes: int | None, setting: Setting) -> None:
    networks = [ip_network(f"10.{20 + number}.0.0/24") for number in range(departments)]
    is_gateway = lab.position == "gateway"
    plans = [
        Plan(
            f"d{number}",
            "eth1",
            Facing.DEPARTMENT,
            (own,),
            stop_at_bytes=1 << 60,
            host_limit_bytes=host_limit_bytes,
            checks_sources=is_gateway,
            near=(*networks, ip_network("fd20::/64")) if is_gateway else (),
        )
        for number, own in enumerate(networks)
    ]
    with lab.appliance.entered():
        parts = Nftables(), Nfnetlink(TABLE), SetElements()
        refusal = NftablesMeters(*parts, "boot", setting).apply(plans)
        for part in parts:
            part.close()
    assert refusal is None, refusal


def _block(lab: Network, departments: int, pieces: Mapping[BlockSet, Sequence[Range]], *, tracks: bool) -> None:
    places = [place("eth1", f"d{number}", f"10.{20 + number}.0.0/24") for number in range(departments)]
    with firewall(lab, tracks_connections=tracks) as blocks:
        assert blocks.install_rules(places) is None
        assert blocks.replace_elements(pieces, 0.0) is None
    if pieces:
        with dns_filter(lab) as names:
            assert names.replace_denials(places, denials("blocked.example.com"), 0.0) is None


def _blocks(number: int) -> dict[BlockSet, list[Range]]:
    """So many, of all kinds: for all departments, and for the department of the sender."""
    general = [f"203.{n // 62_500}.{n // 250 % 250}.{n % 250}" for n in range(number - 310)]
    general += [f"192.0.{n}.0/25" for n in range(200)] + ["100.64.0.0/10"]
    general += [f"2001:db8:9::{n:x}" for n in range(60)] + [f"2001:db8:{n + 16:x}::/48" for n in range(29)]
    general += [f"02:00:5e:00:00:{n:02x}" for n in range(10)]
    own = [f"203.9.0.{n}" for n in range(10)]
    found: dict[BlockSet, list[Range]] = {}
    for at, (target, department) in enumerate([(one, None) for one in general] + [(one, "d0") for one in own], 1):
        family, first, last = set_and_range(target)
        piece = Range(first, last, float("inf"), mark_of("manual", at), target)
        found.setdefault(BlockSet(family, department), []).append(piece)
    return found


WITHOUT, TRACKED = "without any table", "connection tracking alone"
TRANSLATED = "connection tracking and NAT alone"
BRIDGE: Settings = {
    WITHOUT: Rules(_nothing),
    TRACKED: Rules(_tracked, (WITHOUT,)),
    f"{DEPARTMENTS} departments with quotas": Rules(_departments, (WITHOUT,)),
    "all rules but tracking": Rules(_untracked, (WITHOUT,)),
    "the same, no pair remembered": Rules(_unremembered, (WITHOUT,)),
    f"the same, {MANY_DEPARTMENTS} departments and {MANY_BLOCKS} blocks": Rules(_untracked_many, (WITHOUT,)),
    "all rules": Rules(_all, (WITHOUT, TRACKED)),
}
GATEWAY: Settings = {
    **BRIDGE,
    TRANSLATED: Rules(_translated, (WITHOUT,)),
    "all rules and NAT": Rules(_all_translated, (TRANSLATED,)),
}
