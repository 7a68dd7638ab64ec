"""Proposes a first configuration for a computer, from what its network looks like: position, interfaces, departments.

The text is written to be read and changed: each guess has its reason, and each key that people look for stands there,
commented out. A guess is careful: where nothing says that the computer forwards, it only watches itself.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from appliance.core.machine import Link, Position

# The beginnings of names that programs give to interfaces of containers, virtual machines and tunnels.
VIRTUAL = ("veth", "docker", "br-", "virbr", "vnet", "tap", "tun", "wg", "ifb", "dummy", "lxc", "lxd", "cni", "flannel")
ONLY_LINK = 1  # the ports that a bridge needs beside this to be in a line


class NothingToWatch(Exception):
    """The computer has no network interface for a configuration; the text says what to do."""


class Surroundings(Struct, frozen=True, kw_only=True):
    """What is known of the computer. `uplink`: the interface of the default route; `uplink_port`: of a bridge, the port
    behind which the gateway is; both `None` where nothing shows it. `forwards`: the kernel routes between interfaces.
    """

    links: Mapping[str, Link]
    uplink: str | None
    uplink_port: str | None
    forwards: bool
    timezone: str
    host_name: str


class Proposal(Struct, frozen=True):
    """A first configuration. `interfaces`: one for each department; `why`: a sentence for a person."""

    position: Position
    interfaces: tuple[str, ...]
    why: str


def propose(around: Surroundings) -> Proposal:
    """The configuration that fits best. Raises `NothingToWatch`."""
    usable = {
        name: link
        for name, link in around.links.items()
        if not name.startswith(VIRTUAL) and not any(one.is_loopback for one in link.addresses) and name != "lo"
    }
    for guess in (_bridge, _gateway, _mirror, _host):
        proposal = guess(around, usable)
        if proposal is not None:
            return proposal
    raise NothingToWatch("this computer has no network interface but the loopback; plug one in, and run this again")


def _bridge(around: Surroundings, usable: Mapping[str, Link]) -> Proposal | None:
    masters = sorted({link.master for link in usable.values() if link.master} & around.links.keys())
    for bridge in masters:
        ports = sorted(name for name, link in usable.items() if link.master == bridge)
        if len(ports) > ONLY_LINK and not bridge.startswith("bond"):
            uplink = around.uplink_port if around.uplink_port in ports else ports[0]
            sure = "the gateway is behind" if uplink == around.uplink_port else "perhaps the gateway is behind"
            others = tuple(port for port in ports if port != uplink)
            why = f"{', '.join(ports)} are the ports of the bridge {bridge}, and {sure} {uplink}"
            return Proposal(Position.BRIDGE, others, why)
    return None


def _gateway(around: Surroundings, usable: Mapping[str, Link]) -> Proposal | None:
    behind = tuple(sorted(name for name, link in usable.items() if name != around.uplink and _is_routed(link)))
    if not around.forwards or around.uplink is None or not behind:
        return None
    why = f"this computer forwards between {', '.join(behind)} and {around.uplink}, which has the default route"
    return Proposal(Position.GATEWAY, behind, why)


def _mirror(around: Surroundings, usable: Mapping[str, Link]) -> Proposal | None:
    silent = sorted(name for name, link in usable.items() if link.up and not link.master and not _is_routed(link))
    silent = [name for name in silent if not any(other.startswith(f"{name}.") for other in usable)]
    if around.uplink is None or not silent or around.uplink in silent:
        return None
    why = f"{silent[0]} is up and has no address, as at a switch's mirror port"
    return Proposal(Position.MIRROR, (silent[0],), why)


def _host(around: Surroundings, usable: Mapping[str, Link]) -> Proposal | None:
    order: Callable[[Link], tuple[bool, bool, int]] = lambda link: (  # noqa: E731
        link.name == around.uplink,
        link.up,
        link.counters.rx_bytes + link.counters.tx_bytes,
    )
    best = max(usable.values(), key=order, default=None)
    if best is None:
        return None
    how = "has the default route" if best.name == around.uplink else "has carried the most"
    why = f"nothing shows that this computer forwards for others; {best.name} {how}"
    return Proposal(Position.HOST, (best.name,), why)


def _is_routed(link: Link) -> bool:
    return any(not one.is_link_local for one in link.addresses)


def proposal_text(proposal: Proposal, around: Surroundings) -> str:
    """The configuration as TOML, with comments. It is good as it is, and also with all keys in force."""
    departments = "\n".join(_department_text(name, proposal, around) for name in proposal.interfaces)
    others = sorted(set(around.links) - set(proposal.interfaces) - {"lo"})
    return _FILE.format(
        position=proposal.position.value,
        why=proposal.why,
        timezone=around.timezone,
        departments=departments,
        others=", ".join(others) or "none",
    )


def _department_text(interface: str, proposal: Proposal, around: Surroundings) -> str:
    link = around.links[interface]
    networks = [str(one.network) for one in link.addresses if one.version == 4 and not one.is_link_local]
    is_self = proposal.position is Position.HOST
    return _DEPARTMENT.format(
        id="local" if is_self else interface,
        name=around.host_name if is_self else f"Department at {interface}",
        interface=interface,
        faces="carries this computer's traffic" if is_self else "faces the department",
        networks=_quoted(networks or ["192.168.1.0/24"]),
    )


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


_FILE = """\
# The appliance's configuration, written by "appliance init" for this computer.
#
# After a change: appliance check-config, and sudo systemctl restart appliance. To try one first: appliance apply NEW
# A line that begins with "# " and a key is off; without the "# " it is in force. Durations are seconds, or texts such
# as "90s", "30m", "2h", "1d".

[appliance]
# gateway: it routes between department and uplink. bridge: it is in the line, between two ports of one bridge.
# mirror: at a switch's mirror port; it sees and cannot block. host: it watches only itself.
# Chosen because {why}.
position = "{position}"
timezone = "{timezone}"                # whose midnight begins a quota day

[server]
# host = "0.0.0.0"                 # where dashboards connect: here at every address of this computer
# port = 5001
# tls = true                       # HTTPS, with a certificate of the appliance's own

# One [[departments]] table for each department. Other interfaces of this computer: {others}.
{departments}
[protection]
# addresses = ["192.168.1.2"]      # never blocked, beside the appliance itself

[detection]
# block_from = "critical"          # low | medium | high | critical: blocks who scans; off: it only tells
# block_duration = "10m"

[notice]
# contact = "your IT team"         # the page for people who are cut off names it
"""

_DEPARTMENT = """\
[[departments]]
id = "{id}"                      # the name of its books: a department with another id begins with empty ones
name = "{name}"
interface = "{interface}"                 # {faces}
# subnets = [{networks}]    # only these are the department's, where others share the interface
# exempt = ["192.168.9.10"]        # neither counted nor limited
# line_rate = "1 Gbit"             # off: the speed that the link negotiated

[departments.quota]
# daily = "5 GiB"
# weekly = "30 GiB"
# monthly = "100 GiB"
# on_exceeded = "block"            # alert (the default) | throttle | block

[departments.quota.hosts]          # the same for each host by itself
# daily = "1 GiB"
"""
