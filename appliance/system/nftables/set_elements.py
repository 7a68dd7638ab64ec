"""The sets' elements, changed and read by netlink itself: one transaction for any number of them.

libnftables reads a whole interval set before it adds one element to it, and takes six times as long for many.
"""

import errno
import os
import socket
import sys
from collections.abc import Iterable, Sequence

from appliance.core.kernel.netlink import ACK, CREATE, ERROR, REQUEST, message, messages

NETLINK_NETFILTER = 12  # linux/netlink.h
NFPROTO_NETDEV = 5  # linux/netfilter.h
NFTABLES = 10  # linux/netfilter/nfnetlink.h: NFNL_SUBSYS_NFTABLES
SUBSYSTEM = NFTABLES << 8
BEGIN, END = 0x10, 0x11  # NFNL_MSG_BATCH_*
# NFT_MSG_*SETELEM. `DESTROY` (since kernel 6.3) takes away what may have ended a moment ago.
NEW_ELEMENTS, DELETE_ELEMENTS, DESTROY_ELEMENTS = 12, 14, 30
SO_SNDBUFFORCE = 32  # asm-generic/socket.h: beyond net.core.wmem_max, which is 208 KiB
LARGEST_BATCH_BYTES = 1 << 26  # a transaction is one datagram; 200,000 IPv6 prefixes take a third of it
LARGEST_ANSWER_BYTES = 1 << 16


class SetElements:
    """Changes elements of sets of the `netdev` family, in the network namespace in which it was made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, LARGEST_BATCH_BYTES)
        self._takes_away = DESTROY_ELEMENTS

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def change(self, removed: Iterable[bytes], added: Iterable[bytes]) -> str | None:
        """Take some elements away and add others (`core.kernel.nftables.elements.lists`), all or none.

        Returns `None`, or the reason why the kernel refused.
        """
        gone, new = list(removed), list(added)
        refusal = self._transact(gone, new)
        if refusal == INVALID and gone and self._takes_away == DESTROY_ELEMENTS:
            self._takes_away = DELETE_ELEMENTS
            refusal = self._transact(gone, new)
        return refusal

    def _transact(self, removed: Sequence[bytes], added: Sequence[bytes]) -> str | None:
        parts = [message(SUBSYSTEM | self._takes_away, REQUEST | ACK, NFPROTO_NETDEV, body) for body in removed]
        parts += [message(SUBSYSTEM | NEW_ELEMENTS, REQUEST | ACK | CREATE, NFPROTO_NETDEV, body) for body in added]
        if not parts:
            return None
        resource = socket.htons(NFTABLES)
        batch = [
            message(BEGIN, REQUEST, 0, b"", resource=resource),
            *parts,
            message(END, REQUEST, 0, b"", resource=resource),
        ]
        try:
            self._socket.send(b"".join(batch))
        except OSError as error:
            return f"the transaction cannot be sent: {error.strerror}"
        return self._refusal(len(parts))

    def _refusal(self, expected: int) -> str | None:
        """The first error among the answers, of which there is one for each message, unless all was given up before.

        The kernel has answered before `send` returns.
        """
        refusal: str | None = None
        while True:
            try:
                received = self._socket.recv(LARGEST_ANSWER_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return refusal if refusal or not expected else "the transaction was given up halfway"
            for kind, _, _, body in messages(received):
                if kind == ERROR:
                    expected -= 1
                    code = -int.from_bytes(body[:4], sys.byteorder, signed=True)
                    if code:
                        refusal = refusal or _reason(code)


def _reason(code: int) -> str:
    return f"{os.strerror(code)} ({errno.errorcode.get(code, code)})"


INVALID = _reason(errno.EINVAL)  # what an older kernel says of a message that it does not know
