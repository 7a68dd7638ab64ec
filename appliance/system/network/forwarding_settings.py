"""Reads from `/proc/sys/net` whether the kernel forwards packets, and whether it shows bridged ones to iptables.

Source: Documentation/networking/ip-sysctl.rst of the kernel, `forwarding` and `bridge-nf-call-iptables`.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from appliance.core.operations.foreign_rules import Listing

SETTINGS = Path("/proc/sys/net")
BRIDGED = ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables")  # there where br_netfilter is loaded


class KernelForwarding:
    """`ports.Forwarding` of the network namespace that the process is in.

    `list_rules`: asks the packet filter. `offload`: keeps its flow table.
    """

    def __init__(
        self,
        list_rules: Callable[[], Listing],
        offload: Callable[[Collection[str], Mapping[str, int]], None] = lambda *_: None,
    ) -> None:
        self.foreign_rules = list_rules
        self.offload = offload

    def versions(self, interface: str) -> frozenset[int]:
        """The IP versions that are forwarded from this interface. For IPv6 one setting decides for all of them."""
        # A name with a dot (eth1.20) is one folder here, because it is no sysctl(8) name.
        settings = {4: SETTINGS / "ipv4/conf" / interface / "forwarding", 6: SETTINGS / "ipv6/conf/all/forwarding"}
        return frozenset(version for version, path in settings.items() if _is_on(path))

    def filters_bridged(self) -> bool:
        """Whether bridged packets pass the forward chains for routed ones too."""
        return any(_is_on(SETTINGS / "bridge" / name) for name in BRIDGED)


def _is_on(path: Path) -> bool:
    try:
        return path.read_text().strip() not in {"", "0"}
    except OSError:  # no such protocol, or the interface has just vanished
        return False
