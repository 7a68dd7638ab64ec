"""Which tokens and people are connected, and when each was last seen.

Nothing is written when a client connects or calls: what was seen is saved once an hour, and when the service ends.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Protocol

from msgspec import Struct

from appliance.core.access.person import TokenOrigin
from appliance.server.access.tokens import Grant

MOST_SEEN = 2000  # tokens and people, 300 kB; beyond it those that were not seen for the longest are forgotten


class Holder(Protocol):
    """A client that is connected; a renewed token replaces its grant."""

    grant: Grant


class Use(Struct, frozen=True):
    """The use of a token, or by a person. `seen_at`: now while connected; `None`: never, as far as is known."""

    connected: int
    seen_at: datetime | None


class LastSeen:
    """Knows the clients that are connected, and remembers those that were, by `token:ID` and `person:NAME`."""

    def __init__(self, saved: Mapping[str, datetime]) -> None:
        """`saved`: what `take_unsaved` has given before."""
        self._holders: set[Holder] = set()
        self._seen = OrderedDict(sorted(saved.items(), key=itemgetter(1)))
        self._saved = set(saved)  # what the medium has
        self._unsaved: dict[str, datetime | None] = {}

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
            self._seen[key] = self._unsaved[key] = wall
            self._seen.move_to_end(key)
        while len(self._seen) > MOST_SEEN:
            self._forget(next(iter(self._seen)))

    def of_tokens(self, ids: Iterable[str], wall: datetime) -> Sequence[Use]:
        """The use of each of these tokens; `wall`: now."""
        return self._uses([f"token:{one}" for one in ids], wall)

    def of_people(self, names: Iterable[str], wall: datetime) -> Sequence[Use]:
        """The use by each of these people, with their logins."""
        return self._uses([f"person:{one}" for one in names], wall)

    def forget_person(self, name: str) -> None:
        """Another person has this name from now on."""
        if f"person:{name}" in self._seen:
            self._forget(f"person:{name}")

    def take_unsaved(self, wall: datetime) -> Mapping[str, datetime | None]:
        """What has changed since the last time; `None`: it is forgotten. `wall`: now, when who is connected is seen."""
        for one in self._holders:
            self.note(one.grant, wall)
        unsaved, self._unsaved = self._unsaved, {}
        self._saved = {*self._seen}
        return unsaved

    def _forget(self, key: str) -> None:
        """Forget who was seen; what was never saved leaves nothing behind, however many come within the hour."""
        del self._seen[key]
        if key in self._saved:
            self._unsaved[key] = None
        else:
            self._unsaved.pop(key, None)

    def _uses(self, keys: Sequence[str], wall: datetime) -> Sequence[Use]:
        connected = Counter(key for one in self._holders for key in _keys(one.grant))
        return [Use(connected[key], wall if connected[key] else self._seen.get(key)) for key in keys]


def _keys(grant: Grant) -> tuple[str, ...]:
    token = f"token:{grant.id}"
    return (token, f"person:{grant.subject}") if grant.origin is TokenOrigin.LOGIN else (token,)
