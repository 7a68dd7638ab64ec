"""Which hosts' figures in the kernel to correct, and which hosts leave its sets before these are full.

A host's figure can only be replaced, not moved, so the bytes that pass between reading and writing are given away. That
is why it is left alone while it is about right: a host that is stopped early, because the kernel counts the Ethernet
headers of outgoing packets, gets the rest while it is stopped and nothing passes.

Sets age by use: whoever fills them with false addresses, of which each has sent a packet or two, is the first to leave
them. What a host that left has used is still in its books, and comes back to the kernel with its next correction.
"""

from collections.abc import Collection, Mapping
from heapq import nlargest, nsmallest

MOST_HOSTS = 4096  # in a set of a department: twice the largest that is asked for; it bounds a spoofer's flood
WORTH = 1 / 1000  # an error above this part of what is left is worth a correction
CROWDED = MOST_HOSTS * 3 // 4  # hosts of a set, above which the least used leave it, before newcomers have to share
COMFORTABLE = MOST_HOSTS // 2  # so many stay: all devices of the largest department that is asked for

Left = Mapping[bytes, int]  # by a host's key, bytes; below 0: more was used than it should
Shown = Mapping[bytes, tuple[int, int]]  # by a host's key, bytes seen, but no more than the limit, and the limit


def due(left: Left, before: Left, shown: Shown, newcomer_bytes: int) -> dict[bytes, int]:
    """The hosts whose figure has to be replaced, and the bytes that each has left.

    `before`: bytes left at the previous look. `newcomer_bytes`: what the kernel gives an unknown host. Of hosts that
    the set does not have, only so many that it does not become crowded, those with the least left first.
    """
    wanted = {
        host: max(0, left_bytes)
        for host, left_bytes in left.items()
        if is_due(left_bytes, before.get(host, left_bytes), *shown.get(host, (0, newcomer_bytes)))
    }
    absent = [host for host in wanted if host not in shown]
    room = max(0, CROWDED - len(shown))
    if len(absent) > room:
        kept = frozenset(nsmallest(room, absent, key=lambda host: wanted[host]))
        wanted = {host: left_bytes for host, left_bytes in wanted.items() if host in shown or host in kept}
    return wanted


def is_due(left_bytes: int, before_bytes: int, seen_bytes: int, limit_bytes: int) -> bool:
    """Whether a figure has to be replaced: the kernel stops the host too early, or gives it too much."""
    if seen_bytes >= limit_bytes:
        return left_bytes > 0
    too_much_bytes = limit_bytes - seen_bytes - left_bytes
    return left_bytes > before_bytes or too_much_bytes > max(0, left_bytes) * WORTH


def leaving(sets: Collection[Collection[bytes]], used: Mapping[bytes, int]) -> frozenset[bytes]:
    """The hosts that leave all of these sets, so that none is crowded: those that have used least; most often none.

    `used`: bytes by host; a missing one has used nothing.
    """
    if max(map(len, sets), default=0) <= CROWDED:
        return frozenset()
    present = {host for one in sets for host in one}
    staying = nlargest(COMFORTABLE, present, key=lambda host: used.get(host, 0))
    return frozenset(present.difference(staying))
