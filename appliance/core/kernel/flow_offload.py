"""Compiles the table that shortens the way of established connections through a gateway.

The kernel's flow table takes a connection's packets where they come in, and sends them out at the other end, without
connection tracking, the route's look-up and the chains between (Documentation/networking/nf_flowtable.rst). What judges
each packet here is in the chains of interfaces: it comes in by those of blocks and meters before the flow table has it,
and goes out by them afterwards. So each byte of such a connection is counted, a quota ends it to the packet and a block
at once. Two things are elsewhere, and stay on the long way:

- plain HTTP, which a used-up quota leads to the notice in the chains between (`notice_rules`)
- everything, where another program has rules there: those are to see each packet

Only what has lasted is worth an entry: TCP that is established, and UDP that both ends have used for two seconds, which
the kernel calls assured; not each look-up of a name.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from appliance.core.kernel.nftables import ruleset as nft
from appliance.core.machine import Link

TABLE = {"family": "inet", "table": "appliance_flows"}
SHORT_WAY = "short"
# Behind the chains of all programs at an interface (the meters' are at 10): none of them is to miss a packet.
INGRESS_PRIORITY = 1 << 20
FORWARD_PRIORITY = 100  # behind the chain that drops marked packets (`notice_rules`)
FAMILIES = ("ip", "ip6", "inet")  # whose chains routed packets pass
PASSED_HOOKS = frozenset({"prerouting", "forward", "postrouting"})
# By the kernel's name of a link's kind; hardware has none. Of others it is not known what their packets pass.
KINDS = frozenset({"", "bridge", "veth", "vlan"})

OWN: nft.Command = {"table": {"family": TABLE["family"], "name": TABLE["table"]}}
PROBE = {"family": "inet", "table": "appliance_probe"}


def carriers(departments: Collection[str], links: Mapping[str, Link]) -> Mapping[str, int]:
    """The interfaces whose packets may take the short way, by name, with their index; none without a department's.

    An interface that carries others' frames, such as the trunk of VLANs or a bridge's port, is none: its packets would
    be taken before the others' chains have seen them. Where a department's interface is of an unknown kind, any other
    may carry its frames.
    """
    if any(link.kind not in KINDS for name, link in links.items() if name in departments):
        return {}
    trunks = {link.vlan.trunk for link in links.values() if link.vlan}
    able = {
        name: link.index
        for name, link in links.items()
        if link.kind in KINDS and link.master is None and name not in trunks and link.mac.strip("0:")
    }
    return able if able.keys() & set(departments) else {}


def flow_table(departments: Iterable[str], devices: Iterable[str]) -> list[nft.Command]:
    """The commands that make the table, or replace it; connections that it had go the long way for a packet.

    `departments`: their interfaces. `devices`: the interfaces whose packets are taken; all have to exist.
    """
    return [*removal(), {"add": OWN}, *_content(TABLE, sorted(departments), sorted(devices))]


def removal() -> list[nft.Command]:
    """The commands after which there is no such table."""
    return [{"add": OWN}, {"delete": OWN}]  # deleting what does not exist would be an error


def probing() -> list[nft.Command]:
    """A transaction that only a kernel with flow tables takes, and that leaves nothing."""
    table: nft.Command = {"table": {"family": PROBE["family"], "name": PROBE["table"]}}
    return [{"add": table}, *_content(PROBE, ["lo"], ["lo"]), {"delete": table}]


def judges_each_packet(chain: Mapping[str, Any]) -> bool:
    """Whether a chain of another program, in nft's JSON, may judge each routed packet.

    One that only translates addresses (`nat`) sees a connection's first packet alone, and the flow table goes by it.
    """
    return chain.get("hook") in PASSED_HOOKS and chain.get("type") != "nat"


def _content(table: Mapping[str, str], departments: Sequence[str], devices: Sequence[str]) -> list[nft.Command]:
    lasts = nft.match({"ct": {"key": "status"}}, "assured", "in")
    take = {"flow": {"op": "add", "flowtable": f"@{SHORT_WAY}"}}
    protocols = nft.match({"meta": {"key": "l4proto"}}, {"set": ["tcp", "udp"]})
    is_http = [nft.match(nft.field("th", port), nft.HTTP) for port in ("sport", "dport")]
    ends = [nft.match({"meta": {"key": end}}, {"set": [*departments]}) for end in ("iifname", "oifname")]
    return [
        nft.add("flowtable", table, SHORT_WAY, hook="ingress", prio=INGRESS_PRIORITY, dev=[*devices]),
        nft.add("chain", table, "passing", type="filter", hook="forward", prio=FORWARD_PRIORITY, policy="accept"),
        *(nft.add_rule(table, "passing", [protocols, one, nft.ACCEPT]) for one in is_http),
        *(nft.add_rule(table, "passing", [lasts, protocols, one, take]) for one in ends),
    ]
