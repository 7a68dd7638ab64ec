"""The peer for blocks: Debian's fail2ban with its nftables action, in the lab, with files of its own."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.host import Host

CONFIG = Path("/etc/fail2ban")  # its filters and actions as the package brings them
JAIL = """\
[DEFAULT]
allowipv6 = auto
[lab]
enabled = true
backend = auto
filter = lab
logpath = {log}
maxretry = 1
findtime = 10m
bantime = 1h
ignoreself = false
action = nftables[type=allports, name=lab, protocol=udp]
"""
FILTER = """\
[Definition]
failregex = ^.* attack from <HOST>$
"""
MAIN = """\
[Definition]
loglevel = INFO
logtarget = {folder}/fail2ban.log
syslogsocket = auto
socket = {folder}/fail2ban.sock
pidfile = {folder}/fail2ban.pid
dbfile = {folder}/fail2ban.sqlite3
dbpurgeage = 1d
"""


class Fail2ban:
    """A server that bans who is named in a log."""

    def __init__(self, host: Host, folder: Path) -> None:
        self._host, self._folder = host, folder
        self.log = folder / "attacks.log"

    def say(self, *words: str, timeout_s: float = 600) -> str:
        """Tell the server something."""
        return self._host.run(["fail2ban-client", "-c", str(self._folder), *words], timeout_s=timeout_s).stdout

    def attack(self, address: str) -> None:
        """An attack is logged."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        with self.log.open("a") as log:
            log.write(f"{stamp} attack from {address}\n")


@contextmanager
def running(host: Host, folder: Path) -> Iterator[Fail2ban]:
    """It runs on this host of the lab, and ends with it."""
    for name in ("action.d", "filter.d"):
        (folder / name).mkdir()
        for file in (CONFIG / name).glob("*.conf"):
            (folder / name / file.name).symlink_to(file)
    made = Fail2ban(host, folder)
    made.log.touch()
    (folder / "filter.d" / "lab.conf").write_text(FILTER)
    (folder / "jail.conf").write_text(JAIL.format(log=made.log))
    (folder / "fail2ban.conf").write_text(MAIN.format(folder=folder))
    program = host.spawn(["fail2ban-server", "-f", "-x", "-c", str(folder), "start"])
    try:
        while (
            not (folder / "fail2ban.sock").exists()
            or "lab" not in host.run(["fail2ban-client", "-c", str(folder), "status"], check=False).stdout
        ):
            assert program.process.poll() is None, program.output
            time.sleep(0.1)
        yield made
    finally:
        program.stop()
