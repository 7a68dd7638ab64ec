import socket
from pathlib import Path

from appliance.system.network.upstream import LinuxUpstream
from tests.lab.network import Network

RESOLVER = """\
# made by hand
nameserver 192.0.2.53
nameserver fe80::1%eth0
nameserver nonsense
search Lan. corp.example.org
domain
"""


def test_the_name_servers_that_are_asked_are_essential_and_garbage_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(RESOLVER)
    found = LinuxUpstream([file, tmp_path / "absent"]).essentials()
    servers = {str(one.network) for one in found if "name server" in one.rule}
    assert servers == {"192.0.2.53/32", "fe80::1/128"}


def test_the_gateways_of_both_families_are_essential(gateway: Network) -> None:
    with gateway.appliance.entered():
        found = {str(one.network) for one in LinuxUpstream([]).essentials()}
    assert found == {"10.30.0.2/32", "fd30::2/128"}


def test_the_interfaces_of_the_default_routes_are_the_uplinks(gateway: Network) -> None:
    with gateway.appliance.entered():
        assert {*LinuxUpstream([]).uplinks()} == {"eth0"}
    gateway.appliance.run(["ip", "route", "replace", "default", "dev", "eth1"])  # without a next hop
    gateway.appliance.run(["ip", "-6", "route", "delete", "default"])
    with gateway.appliance.entered():
        assert {*LinuxUpstream([]).uplinks()} == {"eth1"}
    gateway.appliance.run(["ip", "route", "delete", "default"])
    with gateway.appliance.entered():
        assert [*LinuxUpstream([]).uplinks()] == []


def test_its_names_are_the_host_s_in_each_domain_that_it_may_be_looked_for_in(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(RESOLVER)
    name = socket.gethostname().lower()
    host = name.partition(".")[0]
    assert LinuxUpstream([file]).names() == [name, f"{host}.local", f"{host}.lan", f"{host}.corp.example.org"]
