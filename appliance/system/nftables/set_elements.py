"""Changes elements of the packet filter's sets by netlink: one transaction for any number of them.

libnftables reads a whole interval set before it adds one element to it, takes six times as long for many, and its
releases before 1.1 cannot express an element with a quota of its own.
"""

import errno
import os
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import starmap

from appliance.core.kernel import netlink
from appliance.core.kernel.netlink import attribute, error_number, message, messages, text
from appliance.core.kernel.nftables import elements as encoding

BEGIN, END = 0x10, 0x11  # linux/netfilter/nfnetlink.h: NFNL_MSG_BATCH_*
# NFT_MSG_*SETELEM. `DESTROY` (since kernel 6.3) removes an element that may have expired a moment ago.
NEW_ELEMENTS, DELETE_ELEMENTS, DESTROY_ELEMENTS = 12, 14, 30
UNTIL = 0  # without NFT_QUOTA_F_INV: the quota matches what is within it
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33  # asm-generic/socket.h: beyond net.core.wmem_max, which is 208 KiB
LARGEST_BATCH_BYTES = 1 << 26  # a transaction is one datagram; 200,000 IPv6 prefixes take a third of it
LARGEST_ANSWER_BYTES = 1 << 16
# The errors of all messages of a transaction wait at once, a KiB each in the kernel's memory, where something has taken
# the table away: emptying the sets of 64 departments takes 600 messages, and the lists of 100,000 elements 100.
ANSWERS_BYTES = 1 << 22


class SetElements:
    """Changes elements of sets of the `netdev` family, in the network namespace in which it was made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink.NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, LARGEST_BATCH_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ANSWERS_BYTES)
        self._removal = DESTROY_ELEMENTS

    def close(self) -> None:
        self._socket.close()

    def update(self, removed: Iterable[bytes], added: Iterable[bytes]) -> str | None:
        """Remove some elements and add others (bodies of `core.kernel.nftables.elements.lists`), all or none.

        Returns `None`, or the reason why the kernel refused.
        """
        gone, new = list(removed), list(added)
        refusal = self._commit(gone, new)
        if refusal == INVALID and gone and self._removal == DESTROY_ELEMENTS:
            self._removal = DELETE_ELEMENTS
            refusal = self._commit(gone, new)
        return refusal

    def replace_quotas(
        self, table: str, name: str, limits_bytes: Mapping[bytes, int], former: Mapping[str, Collection[bytes]]
    ) -> str | None:
        """Give elements of a set new quotas, by key the bytes, in one transaction.

        `former`: by set, the keys in it; where they get a new quota, their element there is removed, that of the set
        itself too. Returns `None`, or the reason why the kernel refused.
        """
        removed = (
            body
            for own, keys in former.items()
            for body in encoding.lists(table, own, [_element(key) for key in limits_bytes if key in keys])
        )
        quotas = [_element(key, _quota(limit_bytes)) for key, limit_bytes in limits_bytes.items()]
        return self.update(removed, encoding.lists(table, name, quotas))

    def remove(self, table: str, keys: Mapping[str, Collection[bytes]]) -> str | None:
        """Remove elements, by set their keys, in one transaction; returns `None`, or why the kernel refused."""
        removed = (body for name, own in keys.items() for body in encoding.lists(table, name, map(_element, own)))
        return self.update(removed, ())

    def _commit(self, removed: Sequence[bytes], added: Sequence[bytes]) -> str | None:
        """One transaction. Its last message is acknowledged; the kernel tells an error of each of them."""
        wanted = [(self._removal, netlink.REQUEST, body) for body in removed]
        wanted += [(NEW_ELEMENTS, netlink.REQUEST | netlink.CREATE, body) for body in added]
        if not wanted:
            return None
        kind, flags, body = wanted.pop()
        parts = [*starmap(_message, wanted), _message(kind, flags | netlink.ACK, body)]
        resource = socket.htons(netlink.NFTABLES)
        begin, end = (message(kind, netlink.REQUEST, 0, b"", resource=resource) for kind in (BEGIN, END))
        try:
            self._socket.send(b"".join([begin, *parts, end]))
        except OSError as error:
            return f"the transaction cannot be sent: {error.strerror}"
        return self._refusal()

    def _refusal(self) -> str | None:
        """The first error among the answers; `None`: there is nothing but the acknowledgement.

        The kernel has answered before `send` returns.
        """
        refusal, is_acknowledged = None, False
        while True:
            try:
                received = self._socket.recv(LARGEST_ANSWER_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return refusal if refusal or is_acknowledged else "the transaction was given up halfway"
            for kind, _, _, body in messages(received):
                if kind == netlink.ERROR:
                    code = error_number(body)
                    if code:
                        refusal = refusal or _reason(code)
                    else:
                        is_acknowledged = True


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return message(netlink.NFTABLES << 8 | kind, flags, netlink.NFPROTO_NETDEV, body)


def _element(key: bytes, expression: bytes = b"") -> bytes:
    return attribute(encoding.MEMBER, attribute(encoding.KEY | netlink.NESTED, attribute(1, key)) + expression)


def _quota(limit_bytes: int) -> bytes:
    quota = attribute(1, limit_bytes.to_bytes(8, "big")) + attribute(2, UNTIL.to_bytes(4, "big"))
    return attribute(7 | netlink.NESTED, attribute(1, text("quota")) + attribute(2 | netlink.NESTED, quota))


def _reason(code: int) -> str:
    return f"{os.strerror(code)} ({errno.errorcode.get(code, code)})"


INVALID = _reason(errno.EINVAL)  # an older kernel's answer to a message that it does not know
