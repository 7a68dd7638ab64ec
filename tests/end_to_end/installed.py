"""The installed service on the lab's appliance, as a person uses it: start, connect, press the button, kill."""

import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from appliance.core.metering.usage import ETHERNET_BYTES
from tests.client.node import NodeClient
from tests.lab.host import Program
from tests.lab.network import Network
from tests.tokens import issued

COMMAND = str(Path(sys.executable).with_name("appliance"))
DEPARTMENT = "dept123"


SHORT_PERIODS = """
[periods]
metering = 0.5
analytics = 1
health = 1
"""  # for a test's patience


def config_text(
    position: str, quota: str = "", extra: str = "", periods: str = SHORT_PERIODS, server: str = 'host = "127.0.0.1"'
) -> str:
    """A configuration for the lab's department. `server`: the keys of `[server]`."""
    return f"""
[appliance]
position = "{position}"
timezone = "Europe/Berlin"
[server]
{server}
{periods}
[[departments]]
id = "{DEPARTMENT}"
name = "Radiology"
interface = "eth1"
line_rate = "1 Gbit"
{quota}
{extra}
[panel]
hold = 0.5
"""


class Installed:
    """An appliance of the lab with its configuration and state."""

    def __init__(
        self,
        lab: Network,
        folder: Path,
        quota: str = "",
        extra: str = "",
        periods: str = SHORT_PERIODS,
        server: str = 'host = "127.0.0.1"',
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`server`: the keys of `[server]`; `environment`: of the process."""
        self._lab = lab
        self._config = folder / "appliance.toml"
        self._config.write_text(config_text(lab.position, quota, extra, periods, server))
        self._environment = environment
        self.state = folder / "state"
        self.program: Program | None = None

    def start(self) -> Program:
        """Start the service; returns when it answers."""
        self.program = self._lab.appliance.spawn(
            [COMMAND, "run", *self._place()], ready="Page: http", environment=self._environment
        )
        return self.program

    def launch(self) -> Program:
        """Start the service and do not wait for it."""
        self.program = self._lab.appliance.spawn([COMMAND, "run", *self._place()])
        return self.program

    def __enter__(self) -> "Installed":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it, and print its log for the report of a failed test."""
        assert self.program is not None
        print(self.program.stop())

    def kill(self) -> None:
        """Kill it, as a crash does."""
        assert self.program is not None
        self.program.process.kill()
        self.program.process.wait()

    def stop(self) -> int:
        """Stop it as systemd does; returns the exit code."""
        assert self.program is not None
        self.program.process.terminate()
        return self.program.process.wait(timeout=20)

    def hold_button(self) -> None:
        """Hold the mock button."""
        assert self.program is not None
        self.program.process.send_signal(signal.SIGUSR1)

    def cli(self, *words: str, check: bool = True) -> str:
        """Run a command on the appliance and return what it prints."""
        return self._lab.appliance.run([COMMAND, *words, *self._place()], check=check).stdout.strip()

    @contextmanager
    def client(self, token: str | None = None, **options: Any) -> Iterator[NodeClient]:
        """A `socket.io-client` on the appliance, with an administrator's token, once it is connected."""
        prefix = ("ip", "netns", "exec", self._lab.appliance.namespace)
        with NodeClient("http://127.0.0.1:5001", token or self.token, options=options, prefix=prefix) as client:
            client.wait_for("connect")
            yield client

    def page(self, path: str) -> str:
        """The web server's answer to an administrator."""
        asked = ["curl", "--silent", "--fail", "--header", f"Authorization: Bearer {self.token}"]
        return self._lab.appliance.run([*asked, f"http://127.0.0.1:5001{path}"]).stdout

    @cached_property
    def token(self) -> str:
        """An administrator's."""
        return issued(self.state)

    def _place(self) -> list[str]:
        return ["--config", str(self._config), "--state-dir", str(self.state)]


# Counts, beside the appliance, the frames that no IP meter may claim (ARP, spanning tree).
OTHER_FRAMES = """
table netdev lab_others {
    counter others_in { }
    counter others_out { }
    chain seen_in {
        type filter hook ingress device "eth1" priority -500;
        meta protocol != { ip, ip6 } counter name "others_in";
    }
    chain seen_out {
        type filter hook egress device "eth1" priority -500;
        meta protocol != { ip, ip6 } counter name "others_out";
    }
}
"""


class IpBytes:
    """The IP bytes at the appliance's department port, by its interface counters: L2 without the headers."""

    def __init__(self, lab: Network) -> None:
        self._lab = lab
        lab.appliance.run(["nft", "-f", "-"], given=OTHER_FRAMES)

    def at_rest(self, pause_s: float = 1) -> int:
        """Bytes of IP packets, both directions, once the counters are still for this time."""
        before = -1
        for _ in range(30):
            now = self._now()
            if now == before:
                return now
            before = now
            time.sleep(pause_s)
        raise AssertionError("the line does not come to rest")

    def in_step_with(self, client: NodeClient) -> tuple[int, int]:
        """Bytes of the line, and bytes that the appliance reports, at a moment without traffic."""
        carried = self.at_rest()
        client.wait_for("usage:update", count=len(client.named("usage:update")) + 2)
        return carried, client.named("usage:update")[-1]["metrics"]["bytesTransferred"]

    def _now(self) -> int:
        shown = self._lab.appliance.run(["ip", "-s", "-j", "link", "show", "eth1"]).stdout
        stats = json.loads(shown)[0]["stats64"]
        frames = stats["rx"]["packets"] + stats["tx"]["packets"]
        listed = self._lab.appliance.run(["nft", "-j", "list", "counters", "table", "netdev", "lab_others"]).stdout
        others = {one["counter"]["name"]: one["counter"] for one in json.loads(listed)["nftables"] if "counter" in one}
        # The kernel counts an incoming frame without its Ethernet header, and an outgoing one with it.
        other_bytes = sum(one["bytes"] for one in others.values()) - ETHERNET_BYTES * others["others_out"]["packets"]
        return stats["rx"]["bytes"] + stats["tx"]["bytes"] - ETHERNET_BYTES * frames - other_bytes


def visited(update: dict[str, Any]) -> dict[str, int]:
    """The visits by site in an `analytics:update`."""
    return {one["domain"]: one["visits"] for one in update["metrics"]["topWebsites"]}
