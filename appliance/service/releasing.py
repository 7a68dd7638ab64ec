"""Releasing: all that this appliance holds in the kernel is taken out, with or without a service that runs."""

import socket
from collections.abc import Sequence
from time import monotonic, sleep

from appliance.system.nftables import FirewallUnavailable, Nftables

END_WITHIN_S = 20.0  # to save everything on a slow card
LOOK_S = 0.1


def wait_for_end(host: str, port: int) -> bool:
    """Wait until nobody listens there any more; false: that takes too long."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  names what the server is bound to
    deadline_s = monotonic() + END_WITHIN_S
    while monotonic() < deadline_s:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            return True
        sleep(LOOK_S)
    return False


def release_kernel() -> tuple[Sequence[str], str | None]:
    """Take all of our tables out of this network namespace: their names, and why that is impossible."""
    try:
        return Nftables().release()
    except FirewallUnavailable as error:
        return (), str(error)
