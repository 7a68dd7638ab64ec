"""Writes the files of systemd-networkd and systemd-resolved for a position: `network_files.py CONFIGURATION FOLDER`.

Without a configuration, or with one that has faults, it writes those of the position `host`: the appliance gets an
address and its page can be reached. The service itself refuses a configuration with faults, and says so.
"""

import sys
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path

PORTS = "Type=ether\nKind=!*"  # a port of the computer: neither a bridge nor a VLAN

# The address of a computer whose card is copied differs by its MAC address: systemd's own id is made from the machine's
# id, which a read-only root has anew at each boot.
BY_DHCP = """DHCP=yes
MulticastDNS=yes
IPv6AcceptRA=yes

[DHCPv4]
ClientIdentifier=mac

[DHCPv6]
DUIDType=link-layer
"""

# systemd-resolved answers a department by the servers that the uplink's DHCP named. Those themselves in a department's
# lease would be missing where its computers start first, and wrong after a change of the uplink, for an hour each.
RESOLVER = "resolved.conf"

Files = dict[str, str]


def of_host(_departments: Mapping[str, Sequence[IPv4Network]]) -> Files:
    """Return the files of a computer that asks for its address at each port."""
    return {"50-uplink.network": _network(PORTS, BY_DHCP)}


def of_mirror(departments: Mapping[str, Sequence[IPv4Network]]) -> Files:
    """Return the files of a listener: no address where the mirrored traffic arrives, and not a frame goes out there."""
    listening = "LinkLocalAddressing=no\nDHCP=no\nIPv6AcceptRA=no\n"
    files = {
        f"20-{name}.network": _network(f"Name={name}", listening, link="ARP=no\nMulticast=no")
        for name in sorted({_port(name) for name in departments})
    }
    return files | of_host(departments)


def of_bridge(_departments: Mapping[str, Sequence[IPv4Network]]) -> Files:
    """Return the files of a bridge of all ports, which has one address."""
    # No spanning tree: its first 30 s would cut off the department at each start. Two ports cannot make a circle.
    # Neither systemd-networkd nor udev gives it a MAC address, so that the kernel takes the lowest of the ports. One of
    # theirs is made from the id of the machine, and the router would see another computer at each start.
    return {
        "20-br0.link": "[Match]\nOriginalName=br0\n\n[Link]\nMACAddressPolicy=none\n",
        "20-br0.netdev": "[NetDev]\nName=br0\nKind=bridge\nMACAddress=none\n\n[Bridge]\nSTP=no\nMulticastSnooping=no\n",
        "30-ports.network": _network(PORTS, "Bridge=br0\nLinkLocalAddressing=no\n"),
        "50-br0.network": _network("Name=br0", BY_DHCP),
    }


def of_gateway(departments: Mapping[str, Sequence[IPv4Network]]) -> Files:
    """Return the files of a router with NAT, which gives the department its addresses and answers its look-ups.

    A department's interface has the first address of its first subnet, or of 10.42.N.0/24.
    """
    files: Files = {}
    vlans: dict[str, list[str]] = {}
    resolvers: list[str] = []
    for number, (name, subnets) in enumerate(sorted(departments.items()), start=1):
        subnet = subnets[0] if subnets else IPv4Network(f"10.42.{number}.0/24")
        files[f"20-{name}.network"] = _network(f"Name={name}", _of_department(subnet))
        resolvers.append(f"DNSStubListenerExtra={next(subnet.hosts())}\n")
        port, dot, vlan = name.partition(".")
        if dot:
            vlans.setdefault(port, []).append(name)
            files[f"10-{name}.netdev"] = f"[NetDev]\nName={name}\nKind=vlan\n\n[VLAN]\nId={vlan}\n"
    for port, names in vlans.items():
        carried = "".join(f"VLAN={name}\n" for name in names)
        if port in departments:
            files[f"20-{port}.network"] = files[f"20-{port}.network"].replace("[Network]\n", f"[Network]\n{carried}")
        else:
            files[f"20-{port}.network"] = _network(f"Name={port}", carried + BY_DHCP)
    return files | {RESOLVER: f"[Resolve]\n{''.join(resolvers)}"} | of_host(departments)


def _of_department(subnet: IPv4Network) -> str:
    address = next(subnet.hosts())
    return f"""Address={address}/{subnet.prefixlen}
ConfigureWithoutCarrier=yes
DHCPServer=yes
IPForward=ipv4
IPMasquerade=ipv4
MulticastDNS=yes

[DHCPServer]
DNS=_server_address
EmitRouter=yes
PoolOffset=10
"""


def _port(name: str) -> str:
    return name.partition(".")[0]


def _network(match: str, network: str, *, link: str = "") -> str:
    of_link = f"[Link]\n{link}\n\n" if link else ""
    return f"[Match]\n{match}\n\n{of_link}[Network]\n{network}"


POSITIONS = {"host": of_host, "mirror": of_mirror, "bridge": of_bridge, "gateway": of_gateway}


def _configured(path: Path) -> tuple[str, dict[str, list[IPv4Network]]]:
    from appliance.config import ConfigError, load

    try:
        config = load(path)
    except (ConfigError, OSError) as fault:
        print(f"The network is that of an ordinary host: {fault}", file=sys.stderr)
        return "host", {}
    departments: dict[str, list[IPv4Network]] = {}
    for one in config.departments:
        departments.setdefault(one.interface, []).extend(
            subnet.network for subnet in one.subnets if isinstance(subnet.network, IPv4Network)
        )
    return config.position.value, departments


def main(configuration: Path, folder: Path) -> None:
    """Write the files of the configured position into a new folder."""
    position, departments = _configured(configuration)
    folder.mkdir(parents=True)
    for name, text in POSITIONS[position](departments).items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
