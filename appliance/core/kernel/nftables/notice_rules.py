"""Compiles the way to the notice: NAT leads HTTP that the meters' rules marked to this computer.

The meters mark packets where they come in, before the kernel knows of connections. Answers need the mark too, or the
same quota would stop them. A marked packet whose connection is older than the cut still goes to its old destination,
and is dropped here: the mark is no way around a quota. For a bridge, `br_netfilter` must be loaded, as for tracking.

A browser asks for a page only after it looked up the server's name. So look-ups of hosts that are cut off still pass,
uncounted, and too few to be a way around a quota.
"""

from typing import Any

from appliance.core.kernel.nftables import ruleset as nft
from appliance.core.kernel.nftables.meter_names import host_set
from appliance.core.kernel.nftables.table import Objects

NOTICE = {"family": "inet", "table": "appliance_notice"}
# linux/netfilter_ipv4.h: NF_IP_PRI_NAT_DST, NF_IP_PRI_MANGLE, NF_IP_PRI_FILTER
NAT_PRIORITY, MANGLE_PRIORITY, FILTER_PRIORITY = -100, -150, 0

MARK: dict[str, Any] = {"mangle": {"key": {"meta": {"key": "mark"}}, "value": nft.NOTICE_MARK}}
IS_MARKED = nft.match({"meta": {"key": "mark"}}, nft.NOTICE_MARK)
IS_HTTP = nft.match(nft.field("tcp", "dport"), nft.HTTP)
# For the chain that cuts a department off; only where `notice_table` is in force, or marked packets would just pass.
LEAD: nft.Expression = [IS_HTTP, MARK, nft.ACCEPT]

LOOKUPS = {"rate": 5, "per": "second", "burst": 20}  # of a host, each way; a page asks for some dozens of names
LONGEST_LOOKUP_BYTES = 1500  # an answer of DNS over UDP that needs no fragments; with 5 a second that is 60 kbit/s
FORGOTTEN_S = 60  # a host that asks nothing for this long has its burst again anyway
DNS = 53


def lookup_objects() -> Objects:
    """The sets that pace the look-ups of each host."""
    return {
        _paced(direction, version): host_set(version, FORGOTTEN_S)
        for direction in nft.HOST_ENDS
        for version in nft.PROTOCOLS
    }


def lookup_rules(direction: str) -> list[nft.Expression]:
    """The rules that let look-ups and their answers pass, for the chains that cut off."""
    port = {"up": "dport", "down": "sport"}[direction]
    return [
        [
            nft.match(nft.field("udp", port), DNS),
            nft.match(nft.field("udp", "length"), LONGEST_LOOKUP_BYTES, "<="),
            nft.update(_paced(direction, version), nft.host(direction, version), {"limit": LOOKUPS}),
            nft.ACCEPT,
        ]
        for version in nft.PROTOCOLS
    ]


def _paced(direction: str, version: int) -> str:
    return nft.identifier("lookups", f"{direction}{version}")


def notice_table(port: int) -> list[nft.Command]:
    """The commands that make the table, or replace it. It leads marked HTTP to this port of the appliance."""
    own: nft.Command = {"table": {"family": "inet", "name": NOTICE["table"]}}
    translated = nft.match({"ct": {"key": "status"}}, "dnat", "in")
    return [
        *({action: own} for action in ("add", "delete", "add")),  # deleting what does not exist would be an error
        nft.add("chain", NOTICE, "arriving", type="nat", hook="prerouting", prio=NAT_PRIORITY, policy="accept"),
        nft.add("chain", NOTICE, "passing", type="filter", hook="forward", prio=FILTER_PRIORITY, policy="accept"),
        nft.add("chain", NOTICE, "leaving", type="filter", hook="output", prio=MANGLE_PRIORITY, policy="accept"),
        nft.add_rule(NOTICE, "arriving", [IS_MARKED, IS_HTTP, {"redirect": {"port": port}}]),
        nft.add_rule(NOTICE, "passing", [IS_MARKED, nft.DROP]),
        nft.add_rule(NOTICE, "leaving", [nft.match(nft.field("tcp", "sport"), port), translated, MARK]),
    ]
