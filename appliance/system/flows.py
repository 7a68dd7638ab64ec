"""The kernel's connection tracking: every connection with the addresses of its first packet.

`/proc/net/nf_conntrack` is read where the kernel has it, 3 us for a connection; elsewhere netlink is asked through
pyroute2, 100 us for one. The file appears when the tracking is loaded, so it is looked for at each reading.

The kernel tracks only where a rule of the packet filter speaks of `ct` (the firewall's table has one), for a bridge
only with `br_netfilter` loaded and `net.bridge.bridge-nf-call-iptables` and `-ip6tables` at 1, and on a mirror port
never: what nothing forwards is no connection. Counters are left alone, for whoever else reads them.
"""

import re
import socket
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from typing import Any

from pyroute2 import NFCTSocket
from pyroute2.netlink.exceptions import NetlinkError

from appliance.core.machine import Connection

PROC_TABLE = Path("/proc/net/nf_conntrack")

# At 3 us each, 0.2 s of a reading; a Pi's own limit (nf_conntrack_max) is 65,536 with 2 GiB of memory.
MOST_CONNECTIONS = 65_536

# The first pair of addresses in a line is that of the first packet; the second is the answer's.
_ADDRESSES = re.compile(r"^.*? src=(\S+) dst=(\S+) ", re.MULTILINE)
CHUNK_BYTES = 1 << 18  # of lines that are searched at once, in C; the whole table may be 10 MB


class ConntrackFlows:
    """`ports.Flows` of the network namespace in which it was made. `table`: the kernel's file, if it has one."""

    def __init__(self, table: Path = PROC_TABLE) -> None:
        self._table = table
        self._netlink = NFCTSocket(nfgen_family=socket.AF_UNSPEC)

    def connections(self) -> Iterable[Connection]:
        """The connections tracked now, at most `MOST_CONNECTIONS`; empty where the kernel tracks none."""
        try:
            return _read(self._table)
        except FileNotFoundError:
            return _ask(self._netlink)

    def close(self) -> None:
        """Give the socket back."""
        self._netlink.close()


def _read(table: Path) -> list[Connection]:
    found: list[Connection] = []
    with table.open(encoding="ascii", errors="replace") as file:
        while len(found) < MOST_CONNECTIONS and (lines := file.readlines(CHUNK_BYTES)):
            pairs = _ADDRESSES.findall("".join(lines))
            found += [Connection(_short(source), _short(destination)) for source, destination in pairs]
    return found[:MOST_CONNECTIONS]


def _ask(netlink: Any) -> list[Connection]:
    try:
        answers = islice(netlink.dump(), MOST_CONNECTIONS)
        return [connection for answer in answers for connection in _connection(answer)]
    except NetlinkError:  # this kernel has no connection tracking, or not over netlink
        return []


def _connection(answer: Any) -> Iterator[Connection]:
    addresses = answer.get_attr("CTA_TUPLE_ORIG").get_attr("CTA_TUPLE_IP")
    for version in ("V4", "V6"):
        source = addresses.get_attr(f"CTA_IP_{version}_SRC")
        if source is not None:
            yield Connection(source, addresses.get_attr(f"CTA_IP_{version}_DST"))


@lru_cache(maxsize=4096)  # a department's addresses and those it speaks to; spares the parsing, 2 us
def _short(address: str) -> str:
    # The file writes IPv6 in full, 39 characters; everything else here writes it short.
    return str(ip_address(address)) if ":" in address else address
