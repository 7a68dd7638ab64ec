"""The shield: keeps what is protected out of what blocks claim, and remembers what it cut out.

Protection changes while blocks are in force: the appliance gets another address, a gateway or a name server. Then
claims are cut again, and the blocks stay as they are, to be whole when the address is another's. Pieces of prefixes
are prefixes, as `cover` needs them.
"""

from collections.abc import Collection, Iterable, Mapping

from appliance.core.blocking.block import BlockKey
from appliance.core.blocking.protection import VERSIONS, Protections
from appliance.core.blocking.sets import Family, set_and_range
from appliance.core.blocking.spaces import Space, Span, fillers, prefixes_of, span_of, without

Bounds = tuple[int, int]
Claimed = tuple[Family, tuple[Bounds, ...]]  # a set, and the ranges in it


class Shield:
    """What is protected, and the parts of claims that it cut out.

    `withheld`: blocks of which nothing is in force, and the reason. `prefixes`: the blocks of prefixes.
    """

    def __init__(self) -> None:
        self.protections = Protections([])
        self.withheld: dict[BlockKey, str] = {}
        self.prefixes: dict[BlockKey, Span] = {}
        self._full: dict[BlockKey, str] = {}  # those of `withheld` that fill a space together
        self._pieces: dict[tuple[BlockKey, str], tuple[Bounds, ...]] = {}  # only of claims that were cut
        self._sizes = {4: 0, 6: 0}  # addresses of all prefixes by version, those of two counted twice

    @property
    def is_full(self) -> bool:
        """Whether blocks are withheld because they fill a space together."""
        return bool(self._full)

    def cut(self, key: BlockKey, target: str) -> Claimed:
        """What a block claims from now on of one of its targets."""
        family, first, last = set_and_range(target)
        if first < last:
            version = VERSIONS[family]
            self.prefixes[key] = version, first, last
            self._sizes[version] += last - first + 1
        pieces = self._allowed(key, target, family, first, last)
        if pieces is None:
            return family, ((first, last),)
        self._pieces[key, target] = pieces
        if target == key[0] and not pieces:
            self.withheld[key] = self._full.get(key) or self.protections.rule_for(target) or ""
        return family, pieces

    def drop(self, key: BlockKey, target: str) -> Claimed:
        """What a block has claimed of this target, because it does so no longer."""
        family, first, last = set_and_range(target)
        pieces = self._pieces.pop((key, target), ((first, last),))
        if target == key[0]:
            self.withheld.pop(key, None)
            if self.prefixes.pop(key, None) is not None:
                self._sizes[VERSIONS[family]] -= last - first + 1
        return family, pieces

    def is_stale(self, key: BlockKey, target: str) -> bool:
        """Whether the block must claim other pieces now."""
        return self._pieces.get((key, target)) != self._allowed(key, target, *set_and_range(target))

    def prefixes_around(self, spans: Collection[Span]) -> list[BlockKey]:
        """The blocks of prefixes that overlap one of these ranges."""
        return [
            key
            for key, (version, first, last) in self.prefixes.items()
            if any(of == version and first <= high and low <= last for of, low, high in spans)
        ]

    def left_open(self) -> Mapping[BlockKey, str]:
        """The blocks of which nothing or not all is in force, each with the reason."""
        found = dict(self.withheld)
        for key, target in self._pieces:
            if key not in found:
                found[key] = self.protections.rule_for(target) or ""
        return found

    def would_fill(self, targets: Iterable[str], departments: Collection[str | None]) -> Mapping[str, str]:
        """Those of these targets that fill a space together with the blocks of a department, and why."""
        new = {target: one for target in targets if (one := span_of(target)) is not None}
        size = {
            version: sum(last - first + 1 for of, first, last in new.values() if of == version) for version in (4, 6)
        }
        spaces = [one for one in self._near(size) if one.concerned(new)] if new else []
        found: dict[str, str] = {}
        for department in departments if spaces else ():
            filling = fillers({**self._spans_in(department), **new}, spaces)
            found |= {target: rule for target, rule in filling.items() if target in new}
        return found

    def withhold(self, departments: Iterable[str | None]) -> Collection[BlockKey]:
        """Withhold the widest blocks that fill a space together; returns them, and those that need not be any more."""
        before, self._full = self._full, {}
        spaces = [
            one
            for one in self._near({4: 0, 6: 0})
            if one.concerned({key[0]: span for key, span in self.prefixes.items()})
        ]
        for department in departments if spaces else ():
            filling = fillers(self._spans_in(department), spaces)
            concerned = (key for key in self.prefixes if key[0] in filling and key[1] in {None, department})
            self._full |= {key: filling[key[0]] for key in concerned}
        return {*before, *self._full} & self.prefixes.keys()

    def _spans_in(self, department: str | None) -> dict[str, Span]:
        """The prefixes that are blocked in a department."""
        return {target: span for (target, where, _), span in self.prefixes.items() if where in {None, department}}

    def _near(self, more: Mapping[int, int]) -> list[Space]:
        """The spaces that may be full: there are addresses enough in prefixes. `more`: by version."""
        return [one for one in self.protections.spaces if self._sizes[one.version] + more[one.version] >= one.size]

    def _allowed(self, key: BlockKey, target: str, family: Family, first: int, last: int) -> tuple[Bounds, ...] | None:
        """The pieces of a target that may be blocked; `None`: all of it."""
        if key in self._full:
            return ()
        if family is Family.MACS:
            return () if self.protections.is_forbidden(target) else None
        holes = self.protections.holes(VERSIONS[family], first, last)
        if not holes:
            return None
        return tuple(piece for rest in without(first, last, holes) for piece in prefixes_of(*rest))
