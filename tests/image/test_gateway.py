"""The gateway with real traffic, in QEMU: two cables lead from the computer into network namespaces, an uplink with a
DHCP server, a name server and a web server, and a department with one client.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.client.node import NodeClient
from tests.image.conftest import Note
from tests.image.networkd import Network, addresses, network
from tests.image.test_network_files import configuration
from tests.image.virtual import PATIENCE_S, UNWATCHED, Virtual
from tests.lab import dns_server

pytestmark = pytest.mark.slow

# The first is where the uplink's own programs ask from, which cannot be blocked by their own call.
OUTSIDE, OTHER, APPLIANCE = "10.99.0.1", "10.99.0.9", "10.99.0.2"
BIG_BYTES = 3_000_000
UPLINK = f"""
[Match]
Name=uplink
[Network]
Address={OUTSIDE}/24
Address={OTHER}/32
DHCPServer=yes
ConfigureWithoutCarrier=yes
[DHCPServer]
DNS={OUTSIDE}
[DHCPServerStaticLease]
MACAddress=52:54:00:12:34:56
Address={APPLIANCE}
"""
CLIENT = "[Match]\nName=port\n[Network]\nDHCP=ipv4\n"
# Says from which address it is asked, or sends much.
SERVER = f"""
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"x" * {BIG_BYTES} if self.path == "/big" else self.client_address[0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""
GATEWAY = configuration("gateway", "eth1")
DEAF = configuration("mirror", "eth0")  # listens where everybody comes from
ON_TRIAL = "The network changes to that of /var/lib/appliance/trial.toml"
TAKEN_BACK = "The network changes to that of /etc/appliance/appliance.toml"


class Site:
    """The computer between its two cables."""

    def __init__(self, computer: Virtual, uplink: Network, department: Network, cables: tuple[str, str]) -> None:
        self.computer, self.uplink, self.department = computer, uplink, department
        self._cables = cables
        computer.reach_from(uplink.name, APPLIANCE)

    def power_on(self, *files: Path) -> None:
        """Start it, and plug its cables in: QEMU makes their ends."""
        self.computer.power_on(*files)
        for cable, where, name in zip(self._cables, (self.uplink, self.department), ("uplink", "port"), strict=True):
            deadline_s = time.monotonic() + PATIENCE_S
            move = ["ip", "link", "set", cable, "netns", where.name, "name", name, "up"]
            while subprocess.run(move, capture_output=True, check=False).returncode:
                assert time.monotonic() < deadline_s
                time.sleep(0.2)

    def try_out(self, text: str) -> None:
        """Put this configuration on trial; the answer may be lost with the network."""
        self.computer.run(f"cat >/tmp/new.toml <<'END'\n{text}\nEND\nappliance apply /tmp/new.toml", check=False)

    def ask(self, address: str, path: str = "/") -> str | None:
        """What the web server answers to the department's client; `None`: nothing."""
        command = self.department.command("curl", "-s", "--max-time", "30", f"http://{address}:8000{path}")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else None

    def wait_for_answer(self) -> None:
        """Wait until the department's client has an address and reaches the server."""
        self.department.wait_for(lambda links: addresses(links.get("port", {"addr_info": []})), within_s=PATIENCE_S)
        deadline_s = time.monotonic() + PATIENCE_S
        while self.ask(OTHER) != APPLIANCE:
            assert time.monotonic() < deadline_s, self.computer.serial[-3000:]


@pytest.fixture(scope="module")
def site(built: Path, settled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    work = tmp_path_factory.mktemp("gateway")
    cables = (f"image{os.getpid()}u", f"image{os.getpid()}d")
    tap = "tap,ifname={},script=no,downscript=no"
    ends = {"APPLIANCE_UPLINK": tap.format(cables[0]), "APPLIANCE_DEPARTMENT": tap.format(cables[1])}
    with ExitStack() as open_parts:
        uplink = open_parts.enter_context(network("image-uplink", work / "uplink", ports=()))
        department = open_parts.enter_context(network("image-department", work / "department", ports=()))
        for where, text in ((uplink, UPLINK), (department, CLIENT)):
            files = where.work / "files"
            files.mkdir()
            (files / "port.network").write_text(text)
            where.start(files)
        for words in (["-c", SERVER], [dns_server.__file__, OTHER, "::1"]):
            program = subprocess.Popen(uplink.command(sys.executable, *words), stderr=subprocess.DEVNULL)
            open_parts.callback(program.wait)
            open_parts.callback(program.kill)
        computer = open_parts.enter_context(Virtual(built, work, card=settled, environment=UNWATCHED | ends))
        made = Site(computer, uplink, department, cables)
        (work / "appliance.toml").write_text(GATEWAY)
        made.power_on(work / "appliance.toml")
        yield made


def test_a_gateway_gives_addresses_names_and_a_way_out(site: Site, note: Note) -> None:
    site.wait_for_answer()
    lease = site.department.run("sh", "-c", "cat /run/systemd/netif/leases/*")
    assert "DNS=10.42.1.1\n" in lease
    asked = site.department.run("dig", "+short", "+tries=10", "@10.42.1.1", "server.example.com")
    assert asked == f"{OTHER}\n"
    note(
        "a gateway with real traffic", "a department's client gets address and name server, and reaches a server by NAT"
    )


def test_a_gateway_counts_and_blocks(site: Site, note: Note) -> None:
    token = json.loads(site.computer.run("appliance token --role operator --departments '*' --json"))["token"]
    prefix = ("ip", "netns", "exec", site.uplink.name)
    with NodeClient(site.computer.url, token, prefix=prefix) as client:
        client.wait_for("connect", within_s=PATIENCE_S)
        before = client.wait_for("usage:update", within_s=PATIENCE_S)["metrics"]["bytesTransferred"]
        assert len(site.ask(OTHER, "/big") or "") == BIG_BYTES
        counted = client.wait_for(
            "usage:update",
            where=lambda one: one["metrics"]["bytesTransferred"] - before >= BIG_BYTES,
            within_s=PATIENCE_S,
        )["metrics"]["bytesTransferred"]
        answer = client.call("ip:block", {"address": OTHER, "reason": "test"}, within_s=PATIENCE_S)
        assert answer["success"], answer
        assert site.ask(OTHER) is None
        assert site.ask(OUTSIDE) == APPLIANCE
        assert client.call("ip:unblock", {"address": OTHER}, within_s=PATIENCE_S)["success"]
        assert site.ask(OTHER) == APPLIANCE
    seen = f"{BIG_BYTES / 1e6:.0f} MB counted as {(counted - before) / 1e6:.2f} MB; a block stops it, and only it"
    note("a download behind a gateway", seen)


def test_a_network_that_cuts_everybody_off_is_taken_back_by_itself(site: Site, note: Note) -> None:
    site.try_out(DEAF)
    site.computer.wait_for(ON_TRIAL)
    site.computer.wait_for(TAKEN_BACK)
    site.wait_for_answer()
    assert 'position = "gateway"' in site.computer.run("cat /etc/appliance/appliance.toml")
    note("a network on trial that cuts everybody off", "the former one is back by itself")


def test_a_power_cut_takes_a_network_on_trial_back(site: Site, note: Note) -> None:
    site.try_out(DEAF)
    site.computer.wait_for(ON_TRIAL, times=2)
    site.computer.power_off()
    site.power_on()
    site.wait_for_answer()
    assert not re.findall(ON_TRIAL, site.computer.serial)
    note("a power cut in the middle of such a trial", "the former network from the start on")
