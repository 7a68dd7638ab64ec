"""Compiles what hosts that are cut off still reach: this computer, what a link needs, and the notice.

They must be able to come back: to renew their address (DHCP), find their neighbours, look a name up, read the notice,
open the dashboard and ping this computer. None of that is counted. What others could answer is paced, for each device
and for the department together, so that it is no way around a quota; a flood of false devices fills the set of paces,
and then all share the department's.

NAT leads HTTP that the meters' rules marked to the notice on this computer. The meters mark packets where they come in,
before the kernel knows of connections. Answers need the mark too, or the same quota would stop them. A marked packet
whose connection is older than the cut still goes to its old destination, and is dropped here: the mark is no way around
a quota. For a bridge, `br_netfilter` must be loaded, as for tracking.

NAT costs every packet that passes, so there are marks and NAT only while somebody is cut off. Of a host that the kernel
has just cut off HTTP is refused, until the program, which serves the notice too, learns of it a second or two later.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from appliance.core.kernel.marks import UNCOUNTED_MARK
from appliance.core.kernel.nftables import ruleset as nft
from appliance.core.kernel.nftables.table import Objects
from appliance.core.machine import Facing
from appliance.core.metering.host_room import MOST_HOSTS
from appliance.core.metering.meter import Plan

NOTICE = {"family": "inet", "table": "appliance_notice"}
OWN: nft.Command = {"table": {"family": NOTICE["family"], "name": NOTICE["table"]}}
# linux/netfilter_ipv4.h: NF_IP_PRI_NAT_DST, NF_IP_PRI_MANGLE, NF_IP_PRI_FILTER
NAT_PRIORITY, MANGLE_PRIORITY, FILTER_PRIORITY = -100, -150, 0

MARK: dict[str, Any] = {"mangle": {"key": {"meta": {"key": "mark"}}, "value": UNCOUNTED_MARK}}
IS_MARKED = nft.match({"meta": {"key": "mark"}}, UNCOUNTED_MARK)
LEADING = "leading"
IS_HTTP = nft.match(nft.field("tcp", "dport"), nft.HTTP)

# Of a device, each way: a page asks for some dozens of names, a computer that starts for one address.
PACE = {"rate": 5, "per": "second", "burst": 20, "inv": True}
# Of a department, each way: 130 kbit/s, which are 200 look-ups a second. A tunnel through it is slower than a modem.
SUM = {"rate": 16, "rate_unit": "kbytes", "per": "second", "burst": 64, "burst_unit": "kbytes", "inv": True}
# ICMP refusals that this computer sends to a department: two dozen browsers that ask as fast as they can.
REFUSALS = {"rate": 200, "per": "second", "burst": 200, "inv": True}
LONGEST_BYTES = 1500  # of a UDP datagram: an answer of DNS or DHCP that needs no fragments
FORGOTTEN_S = 60  # a device that asks nothing for this long has its burst again anyway
# DNS, DHCP, DHCPv6, multicast DNS: the ports of the answering end, and of DHCP's asking end (RFC 2131, RFC 8415)
SERVICES = [53, 67, 68, 546, 547, 5353]
FAR_PORTS = {"up": "dport", "down": "sport"}
# Reports of multicast groups (RFC 3810, RFC 3376), which stay on their link: without them switches stop sending.
IS_REPORT = [
    [nft.match(nft.field("icmpv6", "type"), {"set": [130, 131, 132, 143]}), nft.match(nft.field("ip6", "hoplimit"), 1)],
    [nft.match(nft.field("ip", "protocol"), 2), nft.match(nft.field("ip", "ttl"), 1)],
]
# include/uapi/linux/if_packet.h, PACKET_HOST: what the kernel made itself, or routes. What a bridge forwards was
# addressed to another computer, and is never a refusal of this one, however alike.
IS_NOT_BRIDGED = nft.match({"meta": {"key": "pkttype"}}, "host")
# net/ipv4/netfilter/nf_reject_ipv4.c: what the kernel writes into its own refusals; a reset has headers only.
OWN_TTL, RESET4_BYTES, RESET6_BYTES = 64, 40, 20
# With the headers of Ethernet, of a VLAN and of IPv6, which has the longest.
LONGEST_RESET_BYTES = 14 + 4 + 40 + RESET6_BYTES


def cut_off_objects(plan: Plan) -> Objects:
    """The department's paces, and the sets of devices' paces, which all departments share."""
    paces: Any = {"type": "ether_addr", "flags": ["timeout"], "size": MOST_HOSTS, "timeout": FORGOTTEN_S}
    return {
        **{_paces(direction): ("set", paces) for direction in nft.HOST_ENDS},
        **{_sum(direction, plan): ("limit", SUM) for direction in nft.HOST_ENDS},
        _refusals(plan): ("limit", REFUSALS),
    }


def leading_rules(*, leads: bool) -> list[nft.Expression]:
    """The rules of the chain `LEADING` for HTTP of whoever is cut off: it is led to the notice, or comes back.

    Only where `notice_table` is in force may it be led, or marked packets would just pass.
    """
    return [[MARK, nft.ACCEPT]] if leads else []


def cut_off_chains(plan: Plan, ports: Sequence[int]) -> Iterator[tuple[str, list[nft.Expression]]]:
    """The department's chains for packets beyond a quota, by name. `ports`: of this computer's own pages."""
    for direction, end in nft.HOST_ENDS.items():
        faces_department = plan.facing is Facing.DEPARTMENT
        # A refusal can be sent only where packets come in (net/netfilter/nft_reject_netdev.c).
        refused = nft.goto(nft.REFUSE if faces_department and direction == "up" else nft.WITHHOLD)
        paced = nft.identifier(f"paced{direction}", plan.department)
        own_pace = nft.update(_paces(direction), nft.field("ether", end), {"limit": PACE})
        yield paced, [[own_pace, refused], [{"limit": _sum(direction, plan)}, refused], [nft.ACCEPT]]
        asks = nft.match(nft.field("udp", FAR_PORTS[direction]), {"set": SERVICES})
        is_short = nft.match(nft.field("udp", "length"), LONGEST_BYTES, "<=")
        rules: list[nft.Expression] = [
            *(own_refusals(plan) if faces_department and direction == "down" else ()),
            *_own_pages(ports, comes_in=faces_department is (direction == "up")),
            *([[IS_HTTP, nft.jump(LEADING)]] if direction == "up" else []),
            [asks, is_short, nft.goto(paced)],
            *([*report, nft.goto(paced)] for report in IS_REPORT),
            [refused],
        ]
        yield cut_off_chain(plan, direction), rules


def cut_off_chain(plan: Plan, direction: str) -> str:
    """The name of the department's chain for packets beyond a quota."""
    return nft.identifier(f"beyond{direction}", plan.department)


def own_refusals(plan: Plan) -> Iterator[nft.Expression]:
    """Judge packets to the department that may be refusals of this computer; the rest comes back.

    Comparisons cost a packet half of a look-up of its protocol, and the length spares most of TCP the others.
    """
    protocol = {"meta": {"key": "l4proto"}}
    is_short = nft.match({"meta": {"key": "length"}}, LONGEST_RESET_BYTES, "<=")
    yield [nft.match(protocol, "tcp"), is_short, IS_NOT_BRIDGED, nft.jump(_own_resets(plan))]
    for icmp in ("icmp", "icmpv6"):
        yield [nft.match(protocol, icmp), IS_NOT_BRIDGED, nft.jump(_own_prohibitions(plan))]


def own_refusal_chains(plan: Plan) -> Iterator[tuple[str, list[nft.Expression]]]:
    """The chains that let this computer's own refusals pass uncounted, by name.

    The kernel gives them no mark. A router has taken one from the time to live of those from outside; one that began
    with `OWN_TTL` and one more looks alike, and has no data, or is one of few.
    """
    is_reset = nft.match(nft.field("tcp", "flags"), "rst", "in")
    own4 = [nft.match(nft.field("ip", "id"), 0), nft.match(nft.field("ip", "ttl"), OWN_TTL)]
    own6 = [nft.match(nft.field("ip6", "hoplimit"), OWN_TTL)]
    yield (
        _own_resets(plan),
        [
            [nft.match(nft.field("ip", "length"), RESET4_BYTES), is_reset, *own4, nft.ACCEPT],
            [nft.match(nft.field("ip6", "length"), RESET6_BYTES), is_reset, *own6, nft.ACCEPT],
        ],
    )
    # Destination unreachable, administratively prohibited: RFC 1812 5.2.7.1 and RFC 4443 3.1.
    prohibited4 = [nft.match(nft.field("icmp", "type"), 3), nft.match(nft.field("icmp", "code"), 13), *own4]
    prohibited6 = [nft.match(nft.field("icmpv6", "type"), 1), nft.match(nft.field("icmpv6", "code"), 1), *own6]
    yield (
        _own_prohibitions(plan),
        [
            rule
            for one in (prohibited4, prohibited6)
            for rule in ([*one, {"limit": _refusals(plan)}, nft.DROP], [*one, nft.ACCEPT])
        ],
    )


def _own_pages(ports: Sequence[int], *, comes_in: bool) -> Iterator[nft.Expression]:
    """Accept what goes to this computer's pages and what comes from them, and the same with its echo."""
    end, port, echo = ("daddr", "dport", "echo-request") if comes_in else ("saddr", "sport", "echo-reply")
    is_own = nft.match({"fib": {"result": "type", "flags": [end]}}, "local")
    if ports:
        yield [nft.match(nft.field("tcp", port), {"set": sorted({*ports})}), is_own, nft.ACCEPT]
    for protocol in ("icmp", "icmpv6"):
        yield [nft.match(nft.field(protocol, "type"), echo), is_own, nft.ACCEPT]


def _paces(direction: str) -> str:
    return nft.identifier("paces", direction)


def _sum(direction: str, plan: Plan) -> str:
    return nft.identifier(f"sum{direction}", plan.department)


def _refusals(plan: Plan) -> str:
    return nft.identifier("refusals", plan.department)


def _own_resets(plan: Plan) -> str:
    return nft.identifier("ownresets", plan.department)


def _own_prohibitions(plan: Plan) -> str:
    return nft.identifier("ownprohibitions", plan.department)


def notice_table(port: int) -> list[nft.Command]:
    """The commands that make the table, or replace it. It leads marked HTTP to this port of the appliance."""
    translated = nft.match({"ct": {"key": "status"}}, "dnat", "in")
    return [
        *removal(),
        {"add": OWN},
        nft.add("chain", NOTICE, "arriving", type="nat", hook="prerouting", prio=NAT_PRIORITY, policy="accept"),
        nft.add("chain", NOTICE, "passing", type="filter", hook="forward", prio=FILTER_PRIORITY, policy="accept"),
        nft.add("chain", NOTICE, "leaving", type="filter", hook="output", prio=MANGLE_PRIORITY, policy="accept"),
        nft.add_rule(NOTICE, "arriving", [IS_MARKED, IS_HTTP, {"redirect": {"port": port}}]),
        nft.add_rule(NOTICE, "passing", [IS_MARKED, nft.DROP]),
        nft.add_rule(NOTICE, "leaving", [nft.match(nft.field("tcp", "sport"), port), translated, MARK]),
    ]


def removal() -> list[nft.Command]:
    """The commands after which there is no such table."""
    return [{"add": OWN}, {"delete": OWN}]  # deleting what does not exist would be an error
