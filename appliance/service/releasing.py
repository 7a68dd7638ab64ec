"""Releases the kernel: takes out every table and filter of this appliance, with or without a running service."""

import logging
import socket
from collections.abc import Sequence
from contextlib import closing
from time import monotonic, sleep

from appliance.core.kernel.bpf.dns_maps import FILTER_NAME
from appliance.system.network.traffic_control import TrafficControl
from appliance.system.nftables.libnftables import FirewallUnavailable, Nftables

log = logging.getLogger("appliance")

END_WITHIN_S = 20.0  # to save everything on a slow card
LOOK_S = 0.1


class ReleaseRequest:
    """Whether a client has asked to open everything, which the service does as it ends."""

    def __init__(self) -> None:
        self.is_requested = False

    def request(self, subject: str) -> None:
        """End the service, and take everything of the appliance out of the kernel."""
        log.warning("%s opens everything: the service ends, and nothing is metered, held or blocked any more", subject)
        self.is_requested = True


def wait_for_end(host: str, port: int) -> bool:
    """Wait until no program listens on the port; false: one still does after `END_WITHIN_S`."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  the server's address
    deadline_s = monotonic() + END_WITHIN_S
    while monotonic() < deadline_s:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            return True
        sleep(LOOK_S)
    return False


def release_kernel() -> tuple[Sequence[str], str | None]:
    """Take everything of the appliance out of this network namespace; returns its names, and why something stayed."""
    try:
        with closing(Nftables()) as nftables:
            tables, refusal = nftables.release()
    except FirewallUnavailable as error:
        return (), str(error)
    with closing(TrafficControl()) as traffic_control:
        spots = traffic_control.attached(FILTER_NAME)
        for spot in spots:
            traffic_control.detach(spot)
        if traffic_control.attached(FILTER_NAME):
            return tables, refusal or "the kernel keeps the filter of look-ups; run this as root"
    return [*tables, *([f"filter {FILTER_NAME}"] if spots else [])], refusal
