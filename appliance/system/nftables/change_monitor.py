"""What others do to a table of the packet filter: the kernel's notices, read when it suits.

After the notices of one transaction comes one that names the process that made it. So a transaction of this program is
told from another's, and another's that concerns our table from the many that do not.
"""

import errno
import socket

from appliance.core.kernel.netlink import (
    FAMILY,
    NETLINK_NETFILTER,
    NFTABLES,
    REQUEST,
    attribute,
    attributes,
    message,
    messages,
    name_in,
    number,
    text,
)

NEW_GENERATION, GET_GENERATION = 15, 16  # NFT_MSG_*
GROUP = 7  # NFNLGRP_NFTABLES
SOL_NETLINK, ADD_MEMBERSHIP, DROP_MEMBERSHIP = 270, 1, 2  # linux/socket.h, linux/netlink.h
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
BUFFER_BYTES = 1 << 20  # a few thousand notices; where there are more, all is looked at
LARGEST_BYTES = 1 << 16
# NFTA_GEN_*
PROCESS, PROCESS_NAME = 2, 3
UNKNOWN = "somebody"


class ChangeMonitor:
    """Listens for changes of the tables of this name, in the network namespace in which it was made."""

    def __init__(self, table: str) -> None:
        self._named = attribute(1, text(table))
        self._concerned = False
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        self._own = self._own_process()
        self.listen()

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()

    def listen(self) -> None:
        """Take notice from now on."""
        self._socket.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, GROUP)

    def pause(self) -> None:
        """Take no notice for a while; what happens until `listen` is not told."""
        self._socket.setsockopt(SOL_NETLINK, DROP_MEMBERSHIP, GROUP)

    def disturber(self) -> str | None:
        """Who has changed the table since the previous call, this program aside; `None`: nobody."""
        found: str | None = None
        while True:
            try:
                received = self._socket.recv(LARGEST_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                found = UNKNOWN  # there were more notices than the socket holds
                continue
            found = self._disturber_in(received) or found

    def _disturber_in(self, received: bytes) -> str | None:
        found: str | None = None
        for kind, _, _, body in messages(received):
            if kind != NFTABLES << 8 | NEW_GENERATION:
                self._concerned |= self._named in body
                continue
            told = attributes(body[FAMILY.size :])
            if self._concerned and number(told, PROCESS) != self._own:
                found = f"{name_in(told[PROCESS_NAME])} (process {number(told, PROCESS)})"
            self._concerned = False
        return found

    def _own_process(self) -> int:
        # The kernel's number for this process, which in a container is not the one that the process knows.
        self._socket.send(message(NFTABLES << 8 | GET_GENERATION, REQUEST, 0, b""))
        [(_, _, _, body)] = messages(self._socket.recv(LARGEST_BYTES))
        return number(attributes(body[FAMILY.size :]), PROCESS)
