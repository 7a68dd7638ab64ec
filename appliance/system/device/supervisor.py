"""Reports the service's state to systemd by the protocol of sd_notify(3): a datagram to the socket that it names.

Under another supervisor, or none, there is no such socket and nothing is sent.
"""

import socket
from contextlib import suppress

VARIABLE = "NOTIFY_SOCKET"
READY = "READY=1"  # units that come after the service may start
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"  # missing for longer than the unit's WatchdogSec, it ends in a restart
LONGEST_S = 0.2  # systemd reads at once; another that does not must not delay the metering


class Supervisor:
    """The supervisor that started the service. `address`: value of `VARIABLE`; empty: there is none."""

    def __init__(self, address: str) -> None:
        # unix(7): an abstract name begins with a zero byte, which an environment variable cannot contain.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def tell(self, state: str) -> None:
        """Send a state; a supervisor that does not listen is no reason to stop."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
            sender.settimeout(LONGEST_S)
            sender.sendto(state.encode(), self._address)
