"""A list on the LAN, imported by the appliance in the lab, stops its entries on every path."""

import gzip
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

from tests.client.node import NodeClient
from tests.end_to_end.installed import Installed
from tests.lab.network import Network


def listing(client: NodeClient) -> dict[str, Any]:
    """The list, as the service tells it."""
    return client.call("list:get")["lists"][0]


def wait_for_trouble(client: NodeClient, trouble: str) -> None:
    """Wait until the list has this trouble."""
    for _ in range(40):
        if trouble in (listing(client)["trouble"] or ""):
            return
        client.wait_for("usage:update", count=len(client.named("usage:update")) + 1)
    raise AssertionError(f"the list never says: {trouble}")


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


def test_a_list_whose_server_breaks_keeps_its_blocks_and_says_so(gateway: Network, tmp_path: Path) -> None:
    blocked = gateway.hosts[1]
    served = tmp_path / "served"
    served.mkdir()
    whole = "".join(f"{one}\n" for one in (blocked.ipv4, *(f"203.0.113.{n}" for n in range(1, 40))))
    (served / "bad.txt").write_text(whole)
    gateway.uplink.spawn(["python3", "-m", "http.server", "8080", "--directory", str(served)])
    extra = f'[[block_lists]]\nname = "bad"\nsource = "http://{gateway.uplink.ipv4}:8080/bad.txt"\nrefresh = 1\n'
    with Installed(gateway, tmp_path, extra=extra) as appliance, appliance.client() as client:
        wait_for_total(client, 40)
        for content, trouble in (
            (b"<!DOCTYPE html><html><body>Sign in</body></html>", "HTML"),
            (b"", "it has no entry any more, and had 40"),
            (gzip.compress(whole.encode())[:-5], "ends in the middle"),
            (whole.encode()[: len(whole) // 2], "it has lost"),
            (b"Too many requests\nPlease try again\n", "none of its lines is an entry"),
            (whole.encode("utf-16")[:-1], "middle of a character"),
        ):
            (served / "bad.txt").write_bytes(content)
            wait_for_trouble(client, trouble)
            assert client.call("ip:list", {"origin": "list:bad"})["total"] == 40
            assert not blocked.ping(gateway.uplink.ipv4, wait_s=0.5)
        (served / "bad.txt").write_bytes(gzip.compress(whole.replace(f"{blocked.ipv4}\n", "").encode()))
        wait_for_total(client, 39)
        assert listing(client)["trouble"] is None
        assert blocked.ping(gateway.uplink.ipv4)


def test_a_list_of_unused_addresses_leaves_the_department_and_the_appliances_later_address_open(
    gateway: Network, tmp_path: Path
) -> None:
    pc = gateway.hosts[0]
    own = ip_interface(f"{pc.ipv4}/24").network
    served = tmp_path / "served"
    served.mkdir()
    (served / "bad.txt").write_text(f"{own.supernet(8)}\n192.0.2.0/24\n192.0.2.77\nfe80::/10\n::/1\n8000::/1\n")
    gateway.uplink.spawn(["python3", "-m", "http.server", "8080", "--directory", str(served)])
    extra = f'[[block_lists]]\nname = "bad"\nsource = "http://{gateway.uplink.ipv4}:8080/bad.txt"\nrefresh = 1\n'
    with Installed(gateway, tmp_path, extra=extra) as appliance, appliance.client() as client:
        wait_for_total(client, 4)
        told = {one["address"]: one["why"] for one in listing(client)["objections"]}
        assert told.keys() == {f"{own.supernet(8)}", "::/1", "8000::/1", "fe80::/10"}
        assert "without a part" in told["8000::/1"]
        assert pc.ping(gateway.appliance.ipv4)
        assert pc.ping(gateway.uplink.ipv6)
        assert not pc.ping("192.0.2.77", wait_s=0.5)
        gateway.appliance.run(["ip", "address", "add", "192.0.2.77/32", "dev", "eth1"])
        for _ in range(40):
            if pc.ping("192.0.2.77", wait_s=0.5):
                break
            client.wait_for("usage:update", count=len(client.named("usage:update")) + 1)
        else:
            raise AssertionError("the appliance's new address stays blocked")
        assert not pc.ping("192.0.2.78", wait_s=0.5)
        told = {one["address"]: one["why"] for one in listing(client)["objections"]}
        assert "own address on eth1" in told["192.0.2.77"]
        assert "without a part of it: it is the appliance's own address on eth1" in told["192.0.2.0/24"]
