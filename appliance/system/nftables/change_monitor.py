"""Notices the changes that other programs make to a table of the packet filter.

After the notices of one transaction the kernel sends one that names the process. This distinguishes transactions of
this program from those of others, and among those the ones that concern our table.
"""

import errno
import socket

from appliance.core.kernel import netlink
from appliance.core.kernel.netlink import attribute, attributes, message, messages, name_in, number, text

NEW_GENERATION, GET_GENERATION = 15, 16  # NFT_MSG_*
GROUP = 7  # NFNLGRP_NFTABLES
SOL_NETLINK, ADD_MEMBERSHIP, DROP_MEMBERSHIP = 270, 1, 2  # linux/socket.h, linux/netlink.h
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
BUFFER_BYTES = 1 << 20  # a few thousand notices; after more, the whole table is looked at
LARGEST_BYTES = 1 << 16
PROCESS, PROCESS_NAME = 2, 3  # NFTA_GEN_*
UNKNOWN = "somebody"  # there were more notices than the socket holds


class ChangeMonitor:
    """Listens for changes of the tables of this name, in the network namespace in which it was made."""

    def __init__(self, table: str) -> None:
        self._named = attribute(1, text(table))
        self._concerned = False
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink.NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        self._own = self._own_process()
        self.listen()

    def close(self) -> None:
        self._socket.close()

    def listen(self) -> None:
        """Begin to receive notices."""
        self._socket.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, GROUP)

    def pause(self) -> None:
        """Receive no notices until `listen`; those of the meantime are lost."""
        self._socket.setsockopt(SOL_NETLINK, DROP_MEMBERSHIP, GROUP)

    def disturber(self) -> str | None:
        """Name of another process that changed the table since the previous call; `None`: none did."""
        found: str | None = None
        while True:
            try:
                received = self._socket.recv(LARGEST_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                found = UNKNOWN
                continue
            found = self._disturber_in(received) or found

    def _disturber_in(self, received: bytes) -> str | None:
        found: str | None = None
        for kind, _, _, body in messages(received):
            if kind != netlink.NFTABLES << 8 | NEW_GENERATION:
                self._concerned |= self._named in body
                continue
            shown = attributes(body[netlink.FAMILY.size :])
            if self._concerned and number(shown, PROCESS) != self._own:
                found = f"{name_in(shown[PROCESS_NAME])} (process {number(shown, PROCESS)})"
            self._concerned = False
        return found

    def _own_process(self) -> int:
        # The kernel's number for this process; in a container the process itself knows another.
        self._socket.send(message(netlink.NFTABLES << 8 | GET_GENERATION, netlink.REQUEST, 0, b""))
        [(_, _, _, body)] = messages(self._socket.recv(LARGEST_BYTES))
        return number(attributes(body[netlink.FAMILY.size :]), PROCESS)
