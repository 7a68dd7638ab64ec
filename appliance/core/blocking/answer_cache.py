"""The addresses that hosts were told in the last day, for blocked and other names, and the servers that told them.

A name that is blocked now may be known to hosts since hours. An address may serve other names that hosts visit, and the
servers are what all hosts depend on: neither may be blocked because a name points there.
"""

from collections.abc import Iterable, Iterator, Set

from msgspec import Struct

from appliance.core.blocking.targets import covers_name, name_and_scope
from appliance.core.traffic.dns import DnsAnswer

# Bounds of the answers that are kept: some hours of a department of a hundred people take 4 MB, at the worst 25.
MOST_NAMES = 4096  # pairs of department and name
MOST_ADDRESSES = 16  # of one name
MOST_SERVERS = 256  # a network has a few; a resolver that asks by itself talks to more, and keeps the latest
KEPT_S = 86_400.0
RESAVED_S = 3600.0  # an address that is told again is saved again so late: what is saved is at most an hour too old
MOST_SAVED = 500  # at once: 50 kB; what a flood of names adds beyond that is saved later, or never


class HeardAddress(Struct, frozen=True):
    """An address of a name in an answer to a host of a department. Times in seconds since the epoch."""

    department: str
    name: str
    address: str
    answered_s: float
    kept_until_s: float
    aliases: tuple[str, ...] = ()
    server: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The name, and those that it leads to."""
        return self.name, *self.aliases


class AnswerCache:
    """Recent DNS answers to hosts, for blocked and other names."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], dict[str, HeardAddress]] = {}  # by department and name
        self._names_at: dict[str, dict[tuple[str, str], None]] = {}  # by address
        self._servers_s: dict[str, float] = {}  # when each was last heard, the oldest first
        self._saved_s: dict[tuple[str, str, str], float] = {}  # the time that is saved of each address
        self._unsaved: dict[tuple[str, str, str], HeardAddress] = {}

    def note(self, department: str, answer: DnsAnswer, at_s: float) -> None:
        """Add an answer to a host of the department."""
        self._note_server(answer.server, at_s)
        ends_s = at_s + answer.ttl_s
        for address in answer.addresses:
            one = HeardAddress(department, answer.name, address, at_s, ends_s, answer.aliases, answer.server)
            self._put(one)
            key = (department, answer.name, address)
            if at_s - self._saved_s.get(key, float("-inf")) >= RESAVED_S:
                self._unsaved[key] = one

    def restore(self, saved: Iterable[HeardAddress], at_s: float) -> None:
        """Add what an earlier run has saved, the oldest first; what is heard already is newer."""
        for one in saved:
            is_newer_known = one.address in self._answers.get((one.department, one.name), {})
            if at_s - one.answered_s < KEPT_S and not is_newer_known:
                self._put(one)
                self._saved_s[one.department, one.name, one.address] = one.answered_s
                self._note_server(one.server, one.answered_s)

    def take_unsaved(self) -> list[HeardAddress]:
        """At most `MOST_SAVED` addresses that are to be saved; each is returned once."""
        taken = [*self._unsaved][:MOST_SAVED]
        found = [self._unsaved.pop(key) for key in taken]
        self._saved_s |= {key: one.answered_s for key, one in zip(taken, found, strict=True)}
        return found

    def find(self, names: Set[str], at_s: float) -> Iterator[tuple[str, DnsAnswer]]:
        """By department, the last day's answers that these names, as of targets, cover, or that lead to one of them.

        `ttl_s`: what is left of it.
        """
        by_name: dict[str, list[str]] = {}
        for target in names:
            by_name.setdefault(name_and_scope(target)[0], []).append(target)
        heard = [one for known in self._answers.values() for one in known.values()]
        for one in heard:
            parts = ((part, of) for of in one.names for part in with_parents(of))
            is_named = any(covers_name(target, of) for part, of in parts for target in by_name.get(part, ()))
            if is_named and at_s - one.answered_s < KEPT_S:
                left_s = max(0, int(one.kept_until_s - at_s))
                yield one.department, DnsAnswer("", one.name, (one.address,), left_s, one.aliases, one.server)

    def names_at(self, address: str, department: str | None, at_s: float) -> Iterator[HeardAddress]:
        """The names that hosts of this department were told to be at this address. `department`: `None`: of any."""
        for of, name in self._names_at.get(address, {}):
            one = self._answers[of, name][address]
            if department in {None, of} and at_s - one.answered_s < KEPT_S:
                yield one

    def is_server(self, address: str, at_s: float) -> bool:
        """Whether a host has used the name server at this address in the last day."""
        return at_s - self._servers_s.get(address, float("-inf")) < KEPT_S

    def _note_server(self, server: str, at_s: float) -> None:
        if not server:
            return
        self._servers_s.pop(server, None)  # so that the oldest is always first
        self._servers_s[server] = at_s
        if len(self._servers_s) > MOST_SERVERS:
            del self._servers_s[next(iter(self._servers_s))]

    def _put(self, one: HeardAddress) -> None:
        key = one.department, one.name
        known = self._answers.pop(key, {})
        known.pop(one.address, None)
        known[one.address] = one
        self._names_at.setdefault(one.address, {})[key] = None
        if len(known) > MOST_ADDRESSES:
            self._forget(known.pop(next(iter(known))))
        self._answers[key] = known
        if len(self._answers) > MOST_NAMES:
            for oldest in self._answers.pop(next(iter(self._answers))).values():
                self._forget(oldest)

    def _forget(self, one: HeardAddress) -> None:
        key = one.department, one.name
        names = self._names_at[one.address]
        del names[key]
        if not names:
            del self._names_at[one.address]
        self._saved_s.pop((*key, one.address), None)
        self._unsaved.pop((*key, one.address), None)


def with_parents(name: str) -> Iterator[str]:
    """The name, and each name above it."""
    while name:
        yield name
        name = name.partition(".")[2]
