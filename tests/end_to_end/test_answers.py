"""What the installed service learns from the DNS answers that hosts get, and what it does not believe."""

import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import dns.message
import dns.rrset

from tests.client.node import NodeClient
from tests.end_to_end.installed import DEPARTMENT, Installed
from tests.lab.lookups import FOUND, NONE, ask
from tests.lab.network import WEB_V4, WEB_V6, Network

ANSWERED, REFUSED = 0, 7  # exit codes of curl
VICTIM = WEB_V4[1]


def seen(client: NodeClient, lab: Network, name: str, *options: str) -> None:
    """Look a name up, and wait until the service has seen the answer: a site that is visited then is told."""
    client.call("analytics:subscribe", DEPARTMENT)
    host, later = lab.hosts[0], f"after-{name.partition('.')[2]}"
    assert ask(host, name, lab.uplink.ipv4, *options) == FOUND
    assert ask(host, f"www.{later}", lab.uplink.ipv4) == FOUND
    assert host.fetch(WEB_V4[0]).returncode == ANSWERED
    client.wait_for("analytics:update", lambda data: later in str(data))


def resolved(client: NodeClient, name: str) -> dict[str, Any]:
    [block] = client.call("ip:list", {"contains": name})["blocks"]
    found: dict[str, Any] = block["resolved"]
    return found


def addresses(client: NodeClient, name: str) -> set[str]:
    return {one["address"] for one in resolved(client, name)["addresses"] if "spared" not in one}


def forged(name: str, identity: int) -> bytes:
    message = dns.message.make_response(dns.message.make_query(name, "A", id=identity))
    message.answer.append(dns.rrset.from_text(f"{name}.", 86_400, "IN", "A", VICTIM))
    return message.to_wire()


def test_forged_answers_block_nobody(gateway: Network, tmp_path: Path) -> None:
    gateway.start_dns()
    gateway.start_web()
    host, uplink = gateway.hosts[0], gateway.uplink
    with Installed(gateway, tmp_path) as appliance, appliance.client() as client:
        assert client.call("ip:block", {"address": "blocked.test", "departmentId": DEPARTMENT})["success"]
        with uplink.entered(), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as line:
            for identity in range(20):
                message = forged("blocked.test", identity)
                header = b"\0\x35\x9c\x40" + (8 + len(message)).to_bytes(2, "big") + b"\0\0"
                line.sendto(header + message, (host.ipv4, 0))
        with host.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(5)
            asking.connect((uplink.ipv4, 53))  # a question that is refused teaches nothing either
            with suppress(ConnectionRefusedError):
                asking.send(dns.message.make_query("blocked.test", "A", id=7).to_wire())
                asking.recv(4096)
            port = asking.getsockname()[1]
        with uplink.entered(), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as line:
            message = forged("blocked.test", 7)
            header = b"\0\x35" + port.to_bytes(2, "big") + (8 + len(message)).to_bytes(2, "big") + b"\0\0"
            line.sendto(header + message, (host.ipv4, 0))
        seen(client, gateway, "www.other.org")
        assert resolved(client, "blocked.test") == {"blocked": 0, "spared": 0, "addresses": []}
        assert host.fetch(VICTIM).returncode == ANSWERED


def test_an_alias_of_a_blocked_name_is_refused_and_its_address_cannot_be_reached(
    inline: Network, tmp_path: Path, until
) -> None:
    inline.start_dns()
    inline.start_web()
    host, server, alias = inline.hosts[0], inline.uplink.ipv4, "www.blocked.test.aliased"
    with Installed(inline, tmp_path) as appliance, appliance.client() as client:
        assert client.call("ip:block", {"address": "blocked.test", "departmentId": DEPARTMENT})["success"]
        assert ask(host, "www.other.test.aliased", server) == FOUND
        assert host.fetch(WEB_V4[0]).returncode == ANSWERED
        assert ask(host, alias, server) == FOUND  # nobody knew yet that it is one
        until(lambda: ask(host, alias, server) == NONE)
        assert ask(host, "www.other.test.aliased", server) == FOUND
        assert host.fetch(WEB_V4[0], wait_s=5).returncode == REFUSED
        assert addresses(client, "blocked.test") == {alias, WEB_V4[0]}
        shown = {one["address"]: one for one in resolved(client, "blocked.test")["addresses"]}
        assert shown[alias]["why"] == f"it leads to www.blocked.test, as the name server {server} said"
        assert shown[WEB_V4[0]]["shared"] == "hosts visit www.other.test.aliased there too"


def test_what_hosts_were_told_survives_a_restart(gateway: Network, tmp_path: Path) -> None:
    gateway.start_dns()
    gateway.start_web()
    host = gateway.hosts[0]
    with Installed(gateway, tmp_path) as appliance:
        with appliance.client() as client:
            seen(client, gateway, "www.hinted.com", "HTTPS")
            seen(client, gateway, "www.early.org")
        appliance.stop()
        appliance.start()
        with appliance.client() as client:
            for name in ("hinted.com", "early.org"):
                assert client.call("ip:block", {"address": name, "departmentId": DEPARTMENT})["success"]
            assert addresses(client, "hinted.com") == {WEB_V4[0], WEB_V6[0]}
            assert addresses(client, "early.org") == {WEB_V4[0]}
            assert host.fetch(WEB_V4[0], wait_s=5).returncode == REFUSED
