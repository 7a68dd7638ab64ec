"""Compiles the way to the notice: NAT leads HTTP that the meters' rules marked to this computer.

The meters mark packets where they come in, before the kernel knows of connections. Answers need the mark too, or the
same quota would stop them. A marked packet whose connection is older than the cut still goes to its old destination,
and is dropped here: the mark is no way around a quota. For a bridge, `br_netfilter` must be loaded, as for tracking.

A browser asks for a page only after it looked up the server's name. So look-ups of hosts that are cut off still pass,
uncounted, and too few to be a way around a quota.
"""

from typing import Any

from appliance.core.kernel.nftables.meter_names import MOST_HOSTS
from appliance.core.kernel.nftables.ruleset import (
    ACCEPT,
    ADDRESS_TYPES,
    DROP,
    HOST_ENDS,
    HTTP,
    NOTICE_MARK,
    PROTOCOLS,
    Command,
    Expression,
    add,
    add_rule,
    match,
    update,
)
from appliance.core.kernel.nftables.ruleset import field as header
from appliance.core.kernel.nftables.table import Objects

NOTICE = {"family": "inet", "table": "appliance_notice"}
# linux/netfilter_ipv4.h: NF_IP_PRI_NAT_DST, NF_IP_PRI_MANGLE, NF_IP_PRI_FILTER
NAT_PRIORITY, MANGLE_PRIORITY, FILTER_PRIORITY = -100, -150, 0

MARK: dict[str, Any] = {"mangle": {"key": {"meta": {"key": "mark"}}, "value": NOTICE_MARK}}
IS_MARKED = match({"meta": {"key": "mark"}}, NOTICE_MARK)
# For the chain that cuts a department off; only where `notice_table` is in force, or marked packets would just pass.
LEAD: Expression = [match(header("tcp", "dport"), HTTP), MARK, ACCEPT]

LOOKUPS = {"rate": 5, "per": "second", "burst": 20}  # of a host, each way; a page asks for some dozens of names
LONGEST_LOOKUP_BYTES = 1500  # an answer of DNS over UDP that needs no fragments; with 5 a second that is 60 kbit/s
FORGOTTEN_S = 60  # a host that asks nothing for this long has its burst again anyway
DNS = 53


def lookup_objects() -> Objects:
    """The sets that pace the look-ups of each host."""
    return {
        _paced(direction, version): (
            "set",
            {"type": kind, "flags": ["timeout"], "size": MOST_HOSTS, "timeout": FORGOTTEN_S},
        )
        for direction in HOST_ENDS
        for version, kind in ADDRESS_TYPES.items()
    }


def lookup_rules(direction: str) -> list[Expression]:
    """The rules that let look-ups and their answers pass, for the chains that cut off."""
    port = {"up": "dport", "down": "sport"}[direction]
    return [
        [
            match(header("udp", port), DNS),
            match(header("udp", "length"), LONGEST_LOOKUP_BYTES, "<="),
            update(_paced(direction, version), header(protocol, HOST_ENDS[direction]), {"limit": LOOKUPS}),
            ACCEPT,
        ]
        for version, protocol in PROTOCOLS.items()
    ]


def _paced(direction: str, version: int) -> str:
    return f"lookups-{direction}{version}"


def notice_table(port: int) -> list[Command]:
    """The commands that make the table, or replace it. It leads marked HTTP to this port of the appliance."""
    own: Command = {"table": {"family": "inet", "name": NOTICE["table"]}}
    translated = match({"ct": {"key": "status"}}, "dnat", "in")
    return [
        *({action: own} for action in ("add", "delete", "add")),  # deleting what does not exist would be an error
        add("chain", NOTICE, "arriving", type="nat", hook="prerouting", prio=NAT_PRIORITY, policy="accept"),
        add("chain", NOTICE, "passing", type="filter", hook="forward", prio=FILTER_PRIORITY, policy="accept"),
        add("chain", NOTICE, "leaving", type="filter", hook="output", prio=MANGLE_PRIORITY, policy="accept"),
        add_rule(NOTICE, "arriving", [IS_MARKED, match(header("tcp", "dport"), HTTP), {"redirect": {"port": port}}]),
        add_rule(NOTICE, "passing", [IS_MARKED, DROP]),
        add_rule(NOTICE, "leaving", [match(header("tcp", "sport"), port), translated, MARK]),
    ]
