"""Refuses look-ups of denied names in the kernel, by a program at each place.

`core.kernel.bpf.dns_program` builds it. A map has the denied names, each with its end, so that denials apply and expire
while this process is dead. A process that starts loads a program of its own, fills its map, and only then puts it in
place of the former one.
"""

import os
import secrets
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack

from appliance.core.blocking.denials import Denial, Question
from appliance.core.blocking.place import Hit, Place
from appliance.core.blocking.sets import ORIGIN_MARKS, ORIGIN_SHIFT
from appliance.core.kernel.bpf import dns_maps as maps
from appliance.core.kernel.bpf.dns_maps import FILTER_NAME
from appliance.core.kernel.bpf.dns_program import program as dns_program
from appliance.core.kernel.bpf.ebpf import assemble
from appliance.core.machine import Facing, Spot
from appliance.system.network.bpf import Bpf, Map
from appliance.system.network.traffic_control import TrafficControl

FOREVER = float("inf")
LONGEST_S = 10 * 365 * 86_400  # ten years: far below 64 bits of nanoseconds
SPARE = 2  # times the number of names, so that a larger map is seldom needed


class Loaded:
    """A program in the kernel with its maps, which have room for `most` names. Raises `OSError` where that fails."""

    def __init__(self, kernel: Bpf, seed: int, most: int, *, is_own: bool) -> None:
        self.most = max(most, maps.MAPS[maps.DENIED].most)
        shapes = {**maps.MAPS, maps.DENIED: maps.MAPS[maps.DENIED]._replace(most=self.most)}
        self._maps: dict[str, Map] = {}
        with ExitStack() as half_made:
            for name, shape in shapes.items():
                self._maps[name] = made = Map(kernel, name, shape)
                half_made.callback(made.close)
            descriptors = {name: one.descriptor for name, one in self._maps.items()}
            self.program = kernel.load(FILTER_NAME, assemble(dns_program(seed, is_own=is_own), descriptors))
            half_made.pop_all()
        self.identity = kernel.identity(self.program)

    def __getitem__(self, name: str) -> Map:
        """The program's map of this name."""
        return self._maps[name]

    def close(self) -> None:
        """Close the descriptors; where the program is attached, it goes on."""
        os.close(self.program)
        for one in self._maps.values():
            one.close()


class BpfDnsFilter:
    """`ports.DnsFilter` of the network namespace that its parts were made in."""

    def __init__(self, kernel: Bpf, interfaces: TrafficControl) -> None:
        self._kernel = kernel
        self._interfaces = interfaces
        self._seed = secrets.randbits(64)
        self._places: Sequence[Place] = ()
        self._numbers: Mapping[str | None, int] = {}
        self._scopes: Mapping[bytes, bytes] = {}
        self._loaded: Loaded | None = None
        self._before: Counter[str] = Counter()  # refused by former programs of this process
        self._unreadable_before = 0  # dropped by them
        self._open_until_ns = 0  # on the boot clock

    def close(self) -> None:
        """Close the descriptors; what is attached goes on."""
        if self._loaded is not None:
            self._loaded.close()

    def replace_denials(self, places: Sequence[Place], denials: Collection[Denial], at_s: float) -> str | None:
        """Deny exactly these names at exactly these places; with nothing to deny, no program is attached."""
        former = self._loaded
        if not denials:
            self._loaded = None
        elif former is None or places != self._places or len(denials) > former.most:
            is_own = any(one.facing is Facing.SELF for one in places)
            try:
                self._loaded = Loaded(self._kernel, self._seed, SPARE * len(denials), is_own=is_own)
            except OSError as error:
                return _refusal_of(error)
            departments = [None, *(one.department for one in places)]
            self._numbers = {one: number for number, one in enumerate(departments, start=maps.EVERYBODY)}
            self._places, self._scopes = places, {}
            self._note_open(self._loaded)
        refusal = self._fill(denials, at_s) or self._attach()
        if former is not None and former is not self._loaded:
            self._before += Counter(_refused(former))
            self._unreadable_before += _unreadable(former)
            former.close()
        return refusal

    def update_denials(self, gone: Collection[Question], new: Collection[Denial], at_s: float) -> str | None:
        if self._loaded is None:
            return "no program is loaded yet"
        denied = self._loaded[maps.DENIED]
        for question in gone:
            denied.delete(self._key(question))
        try:
            denied.put(self._entries(new, at_s))
        except OSError as error:  # the map is full
            return str(error.strerror)
        return None

    def let_pass(self, for_s: float) -> str | None:
        self._open_until_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + int(for_s * 1e9) if for_s > 0 else 0
        if self._loaded is not None:
            self._note_open(self._loaded)
        return None

    def is_intact(self) -> bool:
        """Whether the program is attached at each place that exists, and nowhere else."""
        if self._loaded is None:
            return True
        return self._interfaces.attached(FILTER_NAME) == dict.fromkeys(self._spots(), self._loaded.identity)

    def refused(self) -> Mapping[str, int]:
        """By origin, the look-ups refused since the start of this process."""
        now = _refused(self._loaded) if self._loaded else {}
        return {origin: self._before[origin] + now.get(origin, 0) for origin in ORIGIN_MARKS}

    def unreadable(self) -> int:
        """Packets to port 53 that were dropped unread, since the start of this process."""
        return self._unreadable_before + (_unreadable(self._loaded) if self._loaded else 0)

    def hit_counts(self) -> Sequence[Hit]:
        return [*maps.hits_in(self._loaded[maps.HITS].elements())] if self._loaded else []

    def _fill(self, denials: Collection[Denial], at_s: float) -> str | None:
        if self._loaded is None:
            return None
        denied, wanted = self._loaded[maps.DENIED], self._entries(denials, at_s)
        try:
            for key in denied.elements().keys() - wanted.keys():
                denied.delete(key)
            denied.put(wanted)
        except OSError as error:
            return str(error.strerror)
        return None

    def _attach(self) -> str | None:
        """Attach the program at each place that exists, and nowhere else."""
        spots = self._spots() if self._loaded else {}
        attached = self._interfaces.attached(FILTER_NAME)
        for spot in attached.keys() - spots.keys():
            self._interfaces.detach(spot)
        if self._loaded is None:
            return None
        self._note_scopes(self._loaded[maps.SCOPES], spots)
        self._note_trunks(self._loaded[maps.TRUNKS])
        missing = [spot for spot in spots if attached.get(spot) != self._loaded.identity]
        refusals = [self._interfaces.attach(spot, FILTER_NAME, self._loaded.program) for spot in missing]
        refusal = next(filter(None, refusals), None)
        return f"the kernel has no place for it at an interface ({refusal})" if refusal else None

    def _note_scopes(self, scopes: Map, spots: Mapping[Spot, Collection[Place]]) -> None:
        wanted = {
            maps.scope_key(spot.interface, network): maps.NUMBER.pack(self._numbers[place.department])
            for spot, places in spots.items()
            for place in places
            for network in place.networks or (None,)
        }
        for key in self._scopes.keys() - wanted.keys():
            scopes.delete(key)
        scopes.put(wanted)
        self._scopes = wanted

    def _note_open(self, loaded: Loaded) -> None:
        loaded[maps.OPEN].put({maps.NUMBER.pack(0): maps.COUNT.pack(self._open_until_ns)})

    def _note_trunks(self, trunks: Map) -> None:
        """Let each VLAN's subinterface that is a place have its frames; all other tagged frames are their port's."""
        vlans = [(self._interfaces.index(one.vlan.trunk), one.vlan.tag) for one in self._places if one.vlan is not None]
        wanted = {maps.TRUNK.pack(index, tag): maps.NUMBER.pack(1) for index, tag in vlans if index is not None}
        for key in trunks.elements().keys() - wanted.keys():
            trunks.delete(key)
        trunks.put(wanted)

    def _spots(self) -> dict[Spot, list[Place]]:
        """The spots that exist now, with the places there."""
        spots: dict[Spot, list[Place]] = {}
        for place in self._places:
            index = self._interfaces.index(place.interface)
            if index is not None:
                spots.setdefault(Spot(index, place.facing is Facing.SELF), []).append(place)
        return spots

    def _entries(self, denials: Collection[Denial], at_s: float) -> dict[bytes, bytes]:
        now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return {self._key(one.question): _value(one, at_s, now_ns) for one in denials}

    def _key(self, question: Question) -> bytes:
        digest = maps.digest(question.name, self._seed)
        return maps.KEY.pack(digest, self._numbers[question.department], 0)


def obstacle(kernel: Bpf) -> str | None:
    """Reason why the kernel would take no filter; `None`: it loads one, which is not attached anywhere."""
    try:
        Loaded(kernel, 0, 0, is_own=False).close()
    except OSError as error:
        return _refusal_of(error)
    return None


def _refusal_of(error: OSError) -> str:
    return f"the kernel takes no eBPF program ({error.strerror})"


def _value(denial: Denial, at_s: float, now_ns: int) -> bytes:
    if denial.ends == FOREVER:
        return maps.VALUE.pack(maps.FOREVER, denial.mark, denial.scope)
    remaining_s = min(max(denial.ends - at_s, 0), LONGEST_S)
    return maps.VALUE.pack(now_ns + int(remaining_s * 1e9), denial.mark, denial.scope)


def _unreadable(loaded: Loaded) -> int:
    count: int = maps.COUNT.unpack(loaded[maps.ORIGINS].value(maps.NUMBER.pack(maps.UNREADABLE)))[0]
    return count


def _refused(loaded: Loaded) -> dict[str, int]:
    counts = loaded[maps.ORIGINS]
    values = {origin: counts.value(maps.NUMBER.pack(mark >> ORIGIN_SHIFT)) for origin, mark in ORIGIN_MARKS.items()}
    return {origin: maps.COUNT.unpack(value)[0] for origin, value in values.items()}
