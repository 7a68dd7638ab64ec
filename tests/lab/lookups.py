"""Denials for the DNS filter, and look-ups by hosts."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

from appliance.core.blocking.denials import Denial, Question
from appliance.core.blocking.sets import mark_of
from appliance.system.network.bpf import Bpf
from appliance.system.network.dns_filter import BpfDnsFilter
from appliance.system.network.traffic_control import TrafficControl
from tests.lab.host import Host
from tests.lab.network import Network

FOREVER = float("inf")
FOUND, NONE, RESET, SILENCE = "NOERROR", "NXDOMAIN", "reset", "silence"


def denials(*names: str, department: str | None = None, seconds: float = FOREVER) -> list[Denial]:
    """The denials of these names."""
    return [
        Denial(Question(name, department), seconds, mark_of("manual", number)) for number, name in enumerate(names, 1)
    ]


@contextmanager
def dns_filter(lab: Network) -> Iterator[BpfDnsFilter]:
    """The DNS filter of the lab's appliance."""
    with lab.appliance.entered():
        classifier = TrafficControl()
    with closing(classifier), closing(BpfDnsFilter(Bpf(), classifier)) as made:
        yield made


def ask(host: Host, name: str, server: str, *options: str) -> str:
    """The status of a look-up by dig, or how it failed."""
    command = ["dig", "+tries=1", "+time=5", *options, f"@{server}", name]
    done = host.run(command, check=False)
    status = re.search(r"status: (\w+)", done.stdout)
    if status:
        return status[1]
    return RESET if "connection reset" in done.stdout + done.stderr else SILENCE
