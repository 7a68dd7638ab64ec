"""The IT team's office in the lab: a browser on a computer of the network, in front of the page of the real service.

The computer is the uplink's, so that what it asks is no department's traffic. The page comes over plain HTTP from an
address that is not the browser's own: to a browser that is an insecure context, as at most of those who plug it in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.client.browser import CHROMIUM
from tests.dashboard.window import Windows, chromium
from tests.end_to_end.installed import Installed
from tests.lab.host import Host
from tests.lab.network import TRANSIT_V4, Network

PORT = 5001
SERVER = 'host = "0.0.0.0"\n'  # keys of `[server]`: the page is for other computers too
URL = f"http://{TRANSIT_V4}1:{PORT}"


@contextmanager
def office(lab: Network, folder: Path, host: Host | None = None, url: str = URL) -> Iterator[Windows]:
    """Windows on the page of the service in this network of position `gateway`. `host`: of the browser."""
    with chromium(executable=str(wrapper(host or lab.uplink, folder))) as browser:
        yield Windows(browser, url)


def wrapper(host: Host, folder: Path) -> Path:
    """A program that is Chromium on this host."""
    program = folder / f"chromium-{host.namespace}"
    program.write_text(f'#!/bin/sh\nexec ip netns exec {host.namespace} {CHROMIUM} "$@"\n')
    program.chmod(0o755)
    return program


def pairing_code(appliance: Installed) -> str:
    """The code that the log shows while nobody can log in."""
    assert appliance.program is not None
    said = "and one person: "
    appliance.program.wait_for(said)
    return appliance.program.output.partition(said)[2].split()[0]
