"""A computer's network for tests of the image: two ports in a namespace, where systemd-networkd reads files of /run."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NETWORKD = "/lib/systemd/systemd-networkd"
PATIENCE_S = 60
PORTS = ("eth0", "eth1")

# Its own /run; a /sys that is read-only, so that networkd does not wait for udev.
HOLD = """
mount -t tmpfs tmpfs /run && mount -o remount,ro,bind /sys
mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
chown -R systemd-network /run/systemd/netif
echo ready; exec cat
"""

# In place of systemctl, which would ask the first process of this computer.
SYSTEMCTL = f"""#!/bin/sh
[ "$1" = restart ] || exit 1
if [ -e /run/networkd.pid ]; then
    kill "$(cat /run/networkd.pid)"
    tail --pid="$(cat /run/networkd.pid)" -f /dev/null
fi
echo "networkd starts"
setsid {NETWORKD} >/run/networkd.log 2>&1 </dev/null &
echo $! >/run/networkd.pid
"""


class Network:
    """One namespace with ports, whose other ends are up. A lab's port is a veth, which files call no port."""

    def __init__(self, name: str, holder: int, work: Path) -> None:
        self.name, self.work = name, work
        self._enter = ["nsenter", f"--target={holder}", "--mount", "--net"]

    def command(self, *words: str | Path) -> list[str]:
        """A command, run inside."""
        return [*self._enter, "env", f"PATH={self.work}:{os.environ['PATH']}", *map(str, words)]

    def run(self, *words: str | Path) -> str:
        """Run a command inside, and return what it prints."""
        return subprocess.run(self.command(*words), capture_output=True, text=True, check=True).stdout

    def start(self, files: Path) -> None:
        """Start networkd with these files."""
        for path in files.iterdir():
            (self.work / path.name).write_text(as_veth(path.read_text()))
            self.run("cp", self.work / path.name, "/run/systemd/network/")
        self.run("systemctl", "restart")

    def connect(self, port: str, other: "Network", its_port: str) -> None:
        """Put a cable from a port to another computer's."""
        self.run("ip", "link", "del", port)
        other.run("ip", "link", "del", its_port)
        cable = ["link", "add", port, "type", "veth", "peer", "name", its_port, "netns", other.name]
        subprocess.run(["ip", "-n", self.name, *cable], check=True)

    def ip(self, *words: str) -> Any:
        """What `ip` shows."""
        return json.loads(self.run("ip", "-j", *words) or "[]")

    def links(self) -> dict[str, Any]:
        """All links with their addresses, by name."""
        return {one["ifname"]: one for one in self.ip("-d", "addr")}

    def wait_for(self, holds: Callable[[dict[str, Any]], Any], *, within_s: float = PATIENCE_S) -> None:
        """Wait until the links are as they should be."""
        deadline_s = time.monotonic() + within_s
        while not holds(seen := self.links()):
            assert time.monotonic() < deadline_s, (
                f"{json.dumps(seen, indent=1)}\n{self.run('cat', '/run/networkd.log')}"
            )
            time.sleep(0.1)

    def close(self) -> None:
        """End networkd."""
        self.run("sh", "-c", 'p=$(cat /run/networkd.pid) || exit 0; kill "$p"; tail --pid="$p" -f /dev/null')


@contextmanager
def network(name: str, work: Path, ports: Sequence[str] = PORTS) -> Iterator[Network]:
    """A computer's network, which ends with its programs. `name`: of this use, different from others'."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "systemctl").write_text(SYSTEMCTL)
    (work / "systemctl").chmod(0o755)
    namespace = f"{name}-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    try:
        holder = subprocess.Popen(
            ["ip", "netns", "exec", namespace, "unshare", "--mount", "sh", "-ec", HOLD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with holder:  # it ends with its input
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"ready\n"
            made = Network(namespace, holder.pid, work)
            try:
                for port in ports:
                    made.run("ip", "link", "add", port, "type", "veth", "peer", "name", f"{port}peer")
                    made.run("ip", "link", "set", f"{port}peer", "up")
                yield made
            finally:
                made.close()
    finally:
        subprocess.run(["ip", "netns", "del", namespace], check=True)


def as_veth(text: str) -> str:
    """A file of networkd that takes a lab's ports for the computer's."""
    return text.replace("Kind=!*", f"Kind=veth\nName={' '.join(PORTS)}")


def addresses(link: dict[str, Any]) -> list[str]:
    """The IPv4 addresses of a link."""
    return [f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one["family"] == "inet"]


def is_up(link: dict[str, Any]) -> bool:
    """Whether a link is up."""
    return "UP" in link["flags"]
