"""What systemd is told of the service, by the protocol of sd_notify(3): a datagram to the socket that it names.

Under another supervisor, or none, there is no such socket and nothing is told.
"""

import socket
from contextlib import suppress

VARIABLE = "NOTIFY_SOCKET"
READY = "READY=1"  # what comes after the service may start
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"  # missing for longer than the unit's WatchdogSec, it ends in a restart
LONGEST_S = 0.2  # systemd reads at once; one that does not must not hold up the metering


class Supervisor:
    """Who started the service and waits for its word. `address`: as the environment names it; empty: nobody."""

    def __init__(self, address: str) -> None:
        # unix(7): a name that no file stands for begins with a zero byte, which no environment can hold.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def tell(self, state: str) -> None:
        """Tell a state; that nobody listens is no reason to stop."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
            sender.settimeout(LONGEST_S)
            sender.sendto(state.encode(), self._address)
