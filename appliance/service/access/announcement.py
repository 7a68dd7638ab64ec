"""Announces at the start, to the person or the program at the console, where the service is and how to get in."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from socket import AF_INET, AF_INET6
from threading import Thread
from typing import Any

from appliance.server.http.address import reachable_url
from appliance.service.composition import Appliance
from appliance.service.machines import Machine
from appliance.system.network.own_address import own_address

# page, otherPages, simulated, configuration, state, certificate, buttonMocked, pairing
Announcement = dict[str, Any]
# In a process of its own: the library would keep 1.2 MB of this one. Level L of error correction makes the smallest
# code, and nothing covers a console.
QR_PROGRAM = "import sys, segno; segno.make_qr(sys.argv[1], error='l').terminal(compact=True)"


def announcement(appliance: Appliance, origin: str, state_dir: Path) -> Announcement:
    """What is announced. `origin`: where the configuration comes from, in words."""
    server, machine, tls = appliance.config.server, appliance.machine, appliance.authentication.tls
    pages = [f"{reachable_url(host, server.port, tls=server.tls)}/" for host in _reachable_hosts(server.host, machine)]
    return {
        "page": pages[0],
        "otherPages": pages[1:],
        "simulated": machine.is_simulated,
        "configuration": origin,
        "state": str(state_dir),
        "certificate": tls.fingerprint if tls else None,
        "buttonMocked": machine.press is not None,
        "pairing": appliance.authentication.pairing.may_be_needed(),
    }


def _reachable_hosts(host: str, machine: Machine) -> list[str]:
    """The addresses by which dashboards on the LAN reach a server that is bound to `host`, the likeliest first."""
    families = {"0.0.0.0": [AF_INET], "::": [AF_INET, AF_INET6]}.get(host)  # noqa: S104  the server's own address
    if families is None:
        return [host]
    links = () if machine.is_simulated else machine.interfaces.links().values()  # simulated ones lead nowhere
    present = [one.ip for link in links for one in link.addresses]
    versions = [4 if family is AF_INET else 6 for family in families]
    others = [str(ip) for ip in present if ip.version in versions and not ip.is_loopback and not ip.is_link_local]
    preferred = [address for address in map(own_address, families) if address]
    return list(dict.fromkeys([*preferred, *others])) or [host]


def print_announcement(facts: Announcement) -> None:
    """Tell the person at the console where the service is; the log is for later."""
    simulated = "\n*** SIMULATED: nothing that this appliance reports is real. ***\n" if facts["simulated"] else ""
    seal = f"Certificate's SHA-256: {facts['certificate']}\n" if facts["certificate"] else ""
    button = "The button is mocked: kill -USR1 of this process holds it, -USR2 presses it.\n"
    button = button if facts["buttonMocked"] else ""
    pages = "".join(f"Page: {page}\n" for page in (facts["page"], *facts["otherPages"]))
    state = facts["state"]
    token = f"Token: {sys.argv[0]} token --state-dir {state} --role viewer --departments '*'\n"
    way = "with the pairing code below, as the first administrator"
    way = way if facts["pairing"] else "with a name and a password, or with a token"
    told = f"{simulated}{facts['configuration']}\nState: {state}\n{button}{seal}{token}Log in: {way}\n{pages}"
    print(told, end="", flush=True)
    if facts["pairing"] and sys.stdout.encoding.lower().startswith("utf"):
        # The code takes as long as a sixth of a start; clients are served meanwhile.
        Thread(target=_print_code, args=(facts["page"],), name="QR code", daemon=True).start()


def _print_code(page: str) -> None:
    """Print the address at which the first administrator pairs, as a QR code for a telephone."""
    command = [sys.executable, "-P", "-X", "utf8", "-c", QR_PROGRAM, f"{page}first"]
    with suppress(OSError):  # nobody reads it any more, or there is no room for another process
        done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=False)  # noqa: S603  our own program
        print(f"\n{done.stdout}", end="", flush=True)
