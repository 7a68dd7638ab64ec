"""Which tokens and people are connected, and when each was last seen.

All of this is in memory: nothing is written when a client connects or calls, and a restart forgets it.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from appliance.core.access.person import TokenOrigin
from appliance.server.access.tokens import Grant

MOST_SEEN = 2000  # tokens and people, 300 kB; beyond it those that were not seen for the longest are forgotten


class Holder(Protocol):
    """A client that is connected; a renewed token replaces its grant."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Use:
    """The use of a token, or by a person. `seen_at`: now while connected; `None`: not since the service started."""

    connected: int
    seen_at: datetime | None


class LastSeen:
    """Knows the clients that are connected, and remembers those that were."""

    def __init__(self) -> None:
        self._holders: set[Holder] = set()
        self._seen: OrderedDict[tuple[str, str], datetime] = OrderedDict()

    def enter(self, holder: Holder) -> None:
        """A client has connected."""
        self._holders.add(holder)

    def leave(self, holder: Holder, wall: datetime) -> None:
        """A client has left."""
        self._holders.discard(holder)
        self.note(holder.grant, wall)

    def note(self, grant: Grant, wall: datetime) -> None:
        """A token was shown, or was in use until now."""
        for key in _keys(grant):
            self._seen[key] = wall
            self._seen.move_to_end(key)
        while len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)

    def of_tokens(self, ids: Iterable[str], wall: datetime) -> Sequence[Use]:
        """The use of each of these tokens; `wall`: now."""
        return self._uses([("token", one) for one in ids], wall)

    def of_people(self, names: Iterable[str], wall: datetime) -> Sequence[Use]:
        """The use by each of these people, with their logins."""
        return self._uses([("person", one) for one in names], wall)

    def forget_person(self, name: str) -> None:
        """Another person has this name from now on."""
        self._seen.pop(("person", name), None)

    def _uses(self, keys: Sequence[tuple[str, str]], wall: datetime) -> Sequence[Use]:
        connected = Counter(key for one in self._holders for key in _keys(one.grant))
        return [Use(connected[key], wall if connected[key] else self._seen.get(key)) for key in keys]


def _keys(grant: Grant) -> tuple[tuple[str, str], ...]:
    token = ("token", grant.id)
    return (token, ("person", grant.subject)) if grant.origin is TokenOrigin.LOGIN else (token,)
