"""The queue of passwords that wait to be judged: known visitors first, one lane for each network, and nobody starves.

Judging a password costs a core for a moment, so it is done for one after the other. A visitor waits in the lane of
their network. Known visitors are next; of the others, the lane that has asked least often since the queue was empty and
has sent the fewest wrong passwords; of equal ones the newest. So strangers from many addresses that ask again and again
are behind one who asks once. Each `OLDEST_EACH`th turn is for the visitor who has waited longest, whoever it is.
"""

from collections import OrderedDict, deque
from itertools import count

from msgspec import Struct

# A Raspberry Pi judges one to ten a second: who waits longer than for these is gone, or has timed out.
MOST_WAITING = 64
MOST_OF_LANE = 10  # colleagues behind one NAT who come at the same moment; a flood from one address gets no further
MOST_COUNTED = 10_000  # lanes whose requests are counted at once, 100 bytes each
OLDEST_EACH = 4  # known visitors lose a quarter of the turns to others, and the others are sure of them


class Waiting(Struct, eq=False):
    """A visitor in the queue. `lane`: the visitors that count as one; `rank`: 0: known, else the lower the better."""

    lane: str
    rank: int
    ticket: int = 0


class LoginQueue:
    """The visitors that wait; bounded, so that a stranger can fill no memory."""

    def __init__(self) -> None:
        self._lanes: dict[str, deque[Waiting]] = {}
        self._asked: OrderedDict[str, int] = OrderedDict()  # by lane, since the queue was empty
        self._tickets = count(1)
        self._turns = count(1)

    def __len__(self) -> int:
        """The number of visitors that wait."""
        return sum(map(len, self._lanes.values()))

    def enter(self, visitor: Waiting) -> Waiting | None:
        """Let this visitor wait. Returns who has to go for lack of room: another, or the very visitor; `None`: nobody.

        A full lane takes no more; of a full queue, the lane that would be the last to be served gives way.
        """
        visitor.ticket = next(self._tickets)
        lane = self._lanes.setdefault(visitor.lane, deque())
        lane.append(visitor)
        self._asked[visitor.lane] = self._asked.pop(visitor.lane, 0) + 1
        if len(self._asked) > MOST_COUNTED:
            self._asked.popitem(last=False)
        if len(lane) > MOST_OF_LANE:
            return self._take(visitor)
        if len(self) > MOST_WAITING:
            return self._take(max(self._lanes.values(), key=self._order)[-1])
        return None

    def next(self) -> Waiting | None:
        """Take the visitor whose turn it is; `None`: none waits."""
        if not self._lanes:
            self._asked.clear()
            return None
        if next(self._turns) % OLDEST_EACH == 0:
            return self._take(min((lane[0] for lane in self._lanes.values()), key=lambda one: one.ticket))
        return self._take(min(self._lanes.values(), key=self._order)[0])

    def leave(self, visitor: Waiting) -> None:
        """Take out a visitor who has gone; one whose turn has come is not in the queue any more."""
        if visitor in self._lanes.get(visitor.lane, ()):
            self._take(visitor)

    def _order(self, lane: deque[Waiting]) -> tuple[bool, int, int]:
        """The lowest is next."""
        first = lane[0]
        return first.rank > 0, first.rank + self._asked.get(first.lane, 0), -lane[-1].ticket

    def _take(self, visitor: Waiting) -> Waiting:
        lane = self._lanes[visitor.lane]
        lane.remove(visitor)
        if not lane:
            del self._lanes[visitor.lane]
        return visitor
