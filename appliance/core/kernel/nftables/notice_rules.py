"""The way to the notice: HTTP that the meters' rules have marked is led to this computer, by NAT.

The meters mark where packets come in, before the kernel knows of connections. What goes back must bear the mark too,
or the same quota would stop it. What is marked and goes on to somewhere else all the same, because its connection is
older than the cut, ends here: the mark lets nobody pass. For a bridge, `br_netfilter` must be loaded, as for tracking.

Nobody asks for a page whose server's name he cannot look up. So look-ups of who is cut off go on, uncounted and so few
that they are no way around a quota.
"""

from typing import Any

from appliance.core.kernel.nftables.meter_names import MOST_HOSTS
from appliance.core.kernel.nftables.ruleset import (
    ADDRESS_TYPES,
    HOST_ENDS,
    HTTP,
    NOTICE_MARK,
    PROTOCOLS,
    Command,
    Expression,
    add,
    add_rule,
    match,
)
from appliance.core.kernel.nftables.ruleset import field as header

NOTICE = {"family": "inet", "table": "appliance_notice"}
# linux/netfilter_ipv4.h: NF_IP_PRI_NAT_DST, NF_IP_PRI_MANGLE, NF_IP_PRI_FILTER
NAT_PRIORITY, MANGLE_PRIORITY, FILTER_PRIORITY = -100, -150, 0

MARK: dict[str, Any] = {"mangle": {"key": {"meta": {"key": "mark"}}, "value": NOTICE_MARK}}
IS_MARKED = match({"meta": {"key": "mark"}}, NOTICE_MARK)
# For the chain that cuts a department off. Only where something leads what is marked: else it would pass.
LEAD: Expression = [match(header("tcp", "dport"), HTTP), MARK, {"accept": None}]


LOOKUPS = {"rate": 5, "per": "second", "burst": 20}  # of a host, each way; a page asks for some dozens of names
LONGEST_LOOKUP_BYTES = 1500  # an answer of DNS over UDP that needs no fragments; with 5 a second that is 60 kbit/s
FORGOTTEN_S = 60  # a host that asks nothing for so long has its burst again anyway
DNS = 53


def lookup_objects() -> dict[str, tuple[str, dict[str, Any]]]:
    """What paces the look-ups of each host, by name: kind and properties."""
    return {
        _paced(direction, version): (
            "set",
            {"type": kind, "flags": ["timeout"], "size": MOST_HOSTS, "timeout": FORGOTTEN_S},
        )
        for direction in HOST_ENDS
        for version, kind in ADDRESS_TYPES.items()
    }


def lookup_rules(direction: str) -> list[Expression]:
    """Let look-ups and their answers pass, for the chains that cut off."""
    port = {"up": "dport", "down": "sport"}[direction]
    return [
        [
            match(header("udp", port), DNS),
            match(header("udp", "length"), LONGEST_LOOKUP_BYTES, "<="),
            {
                "set": {
                    "op": "update",
                    "elem": header(protocol, HOST_ENDS[direction]),
                    "set": f"@{_paced(direction, version)}",
                    "stmt": [{"limit": LOOKUPS}],
                }
            },
            {"accept": None},
        ]
        for version, protocol in PROTOCOLS.items()
    ]


def _paced(direction: str, version: int) -> str:
    return f"lookups-{direction}{version}"


def notice_table(port: int) -> list[Command]:
    """The table that leads marked HTTP to this port of the appliance, made anew."""
    own: Command = {"table": {"family": "inet", "name": NOTICE["table"]}}
    translated = match({"ct": {"key": "status"}}, "dnat", "in")
    return [
        *({action: own} for action in ("add", "delete", "add")),  # deleting what does not exist would be an error
        add("chain", NOTICE, "arriving", type="nat", hook="prerouting", prio=NAT_PRIORITY, policy="accept"),
        add("chain", NOTICE, "passing", type="filter", hook="forward", prio=FILTER_PRIORITY, policy="accept"),
        add("chain", NOTICE, "leaving", type="filter", hook="output", prio=MANGLE_PRIORITY, policy="accept"),
        add_rule(NOTICE, "arriving", [IS_MARKED, match(header("tcp", "dport"), HTTP), {"redirect": {"port": port}}]),
        add_rule(NOTICE, "passing", [IS_MARKED, {"drop": None}]),
        add_rule(NOTICE, "leaving", [match(header("tcp", "sport"), port), translated, MARK]),
    ]
