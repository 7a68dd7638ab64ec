"""A list on the LAN, imported by the appliance in the lab, stops its entries on every path."""

from pathlib import Path

from tests.client.node import NodeClient
from tests.end_to_end.installed import Installed
from tests.lab.network import Network


def wait_for_total(client: NodeClient, total: int) -> None:
    """Wait until the list has this many blocks; a metering period passes between two looks."""
    for _ in range(40):
        if client.call("ip:list", {"origin": "list:bad"})["total"] == total:
            return
        client.wait_for("usage:update", count=len(client.named("usage:update")) + 1)
    raise AssertionError(f"the list never has {total} blocks")


def test_what_a_list_names_does_not_pass_and_passes_again_when_it_is_dropped(gateway: Network, tmp_path: Path) -> None:
    pc, blocked = gateway.hosts[0], gateway.hosts[1]
    served = tmp_path / "served"
    served.mkdir()
    (served / "bad.txt").write_text(
        f"# by host\n{blocked.ipv4}\n{blocked.ipv6}\n{gateway.appliance.ipv4}\nno entry here\n"
    )
    gateway.uplink.spawn(["python3", "-m", "http.server", "8080", "--directory", str(served)])
    extra = f'[[block_lists]]\nname = "bad"\nsource = "http://{gateway.uplink.ipv4}:8080/bad.txt"\nrefresh = 1\n'
    with Installed(gateway, tmp_path, extra=extra) as appliance, appliance.client() as client:
        wait_for_total(client, 2)
        assert not blocked.ping(gateway.uplink.ipv4, wait_s=0.5)
        assert not blocked.ping(gateway.uplink.ipv6, wait_s=0.5)
        assert pc.ping(gateway.uplink.ipv4)
        [listed] = client.call("list:get")["lists"]
        assert [one["address"] for one in listed["objections"]] == [gateway.appliance.ipv4]
        assert [one["line"] for one in listed["faults"]] == [5]
        (served / "bad.txt").write_text(f"{blocked.ipv6}\n")
        wait_for_total(client, 1)
        assert blocked.ping(gateway.uplink.ipv4)
        assert not blocked.ping(gateway.uplink.ipv6, wait_s=0.5)
