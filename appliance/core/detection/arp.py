"""ARP: which hardware address claims which IPv4 address, and where two claim the same one.

An address changes hands now and then: a lease ends, a router fails over to another. Then the former holder is silent.
Where both go on, as with an address that was configured twice or with one that somebody takes to read what is meant for
another, the claims alternate: the true holder answers whoever asks, and the other repeats itself, because it must.
Nobody asks for a claim of the appliance's own address by another device: each counts.
"""

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from itertools import islice
from typing import NamedTuple

ARP = 0x0806
VLAN_TYPES = {0x8100, 0x88A8}
MOST_TAGS = 2
BODY_BYTES = 28
# Ethernet, IPv4, and the lengths of their addresses (RFC 826)
HEAD = b"\x00\x01\x08\x00\x06\x04"
ASKS = b"\x00\x01"

RECENT_S = 120.0  # since a holder's claim: within it, it is not gone. A neighbour is asked again each minute or so
WITHIN_S = 600.0  # of alternations that count together
ALTERNATIONS = 3  # a move makes one, and a laptop that changes from cable to radio and back two
MOST_ADDRESSES = 4096  # of which the holder is remembered; 2 MB
APART_S = 1.0  # a question with several answers is one alternation
MOST_COUNTED = 99  # alternations of one address; a hundred are as bad as more
MOST_NAMED = 5  # other addresses


class AddressClaim(NamedTuple):
    """A device says that an address is its own."""

    address: str
    mac: str


class AddressQuestion(NamedTuple):
    """A device asks for the hardware address of a neighbour."""

    address: str
    mac: str
    neighbour: str


@dataclass(frozen=True, slots=True)
class Dispute:
    """An address that two devices claim. `rival`: the one that came later; `holder`: the other.

    `count`: how often the claims alternated; `also`: other addresses that the rival takes; `is_own`: it is the
    appliance's address.
    """

    address: str
    holder: str
    rival: str
    count: int
    first_s: float
    latest_s: float
    also: tuple[str, ...] = ()
    is_own: bool = False


@dataclass(slots=True)
class _Holding:
    """Who claims an address. `latest`: the one that did last, at `claimed_s`; `alternated_s`: when they took turns."""

    holder: str
    latest: str
    claimed_s: float
    rival: str | None = None
    is_own: bool = False
    alternated_s: list[float] = field(default_factory=list)


def claim_in(frame: bytes) -> AddressClaim | None:
    """The sender's claim in an ARP packet; `None`: it is none, or one that says nothing, as a probe (RFC 5227)."""
    body = _body(frame)
    if body is None:
        return None
    mac, address = body[8:14], IPv4Address(body[14:18])
    if mac[0] & 1 or not any(mac) or address.is_unspecified or address.is_multicast or int(address) == 0xFFFFFFFF:
        return None
    return AddressClaim(str(address), mac.hex(":"))


def question_in(frame: bytes) -> AddressQuestion | None:
    """The question in an ARP packet; `None`: there is none, or one for the sender's own address."""
    claim, body = claim_in(frame), _body(frame)
    if claim is None or body is None or body[6:8] != ASKS or body[14:18] == body[24:28]:
        return None
    return AddressQuestion(claim.address, claim.mac, str(IPv4Address(body[24:28])))


def _body(frame: bytes) -> bytes | None:
    at = 12
    for _ in range(MOST_TAGS):
        if int.from_bytes(frame[at : at + 2]) in VLAN_TYPES:
            at += 4
    body = frame[at + 2 : at + 2 + BODY_BYTES]
    is_whole = int.from_bytes(frame[at : at + 2]) == ARP and len(body) == BODY_BYTES and body[:6] == HEAD
    return body if is_whole else None


class AddressClaims:
    """The latest claims at one department; `now_s` is monotonic."""

    def __init__(self) -> None:
        self._holdings: OrderedDict[str, _Holding] = OrderedDict()  # the latest claimed last
        self._touched: dict[str, None] = {}  # disputed since the previous `found`; an ordered set

    @property
    def remembered(self) -> int:
        """The number of addresses, at most `MOST_ADDRESSES`."""
        return len(self._holdings)

    def follow(self, claim: AddressClaim, own: Collection[str], now_s: float) -> None:
        """Follow a claim. `own`: the hardware addresses of the appliance, where the address is its own."""
        if claim.mac in own:
            return
        holding = self._holdings.get(claim.address)
        if holding is None or (not own and now_s - holding.claimed_s >= RECENT_S):
            first = min(own, default=claim.mac)
            holding = self._holdings[claim.address] = _Holding(first, first, now_s, is_own=bool(own))
        self._holdings.move_to_end(claim.address)
        if len(self._holdings) > MOST_ADDRESSES:
            self._holdings.popitem(last=False)
        if claim.mac != holding.latest:
            self._alternate(claim, holding, now_s)
        holding.claimed_s = now_s
        holding.latest = holding.holder if own else claim.mac  # the appliance makes no claim that it could see

    def found(self) -> list[Dispute]:
        """The disputes with an alternation since the previous call."""
        touched, self._touched = self._touched, {}
        disputed = [found for one in self._holdings if (found := self._dispute(one)) is not None]
        takers = Counter(mac for one in disputed for mac in (one.holder, one.rival))
        blamed = [_blamed(one, takers) for one in disputed]
        return [
            replace(one, also=tuple(islice(_taken_besides(one, blamed), MOST_NAMED)))
            for one in blamed
            if one.address in touched
        ]

    def _alternate(self, claim: AddressClaim, holding: _Holding, now_s: float) -> None:
        if claim.mac != holding.holder:
            holding.rival = claim.mac
        if not holding.alternated_s or now_s - holding.alternated_s[-1] >= APART_S:
            kept = [one for one in holding.alternated_s if now_s - one < WITHIN_S]
            holding.alternated_s = [*kept[-MOST_COUNTED:], now_s]
            self._touched[claim.address] = None

    def _dispute(self, address: str) -> Dispute | None:
        one = self._holdings[address]
        if one.rival is None or len(one.alternated_s) < ALTERNATIONS:
            return None
        first_s, count = one.alternated_s[0], len(one.alternated_s)
        return Dispute(address, one.holder, one.rival, count, first_s, one.alternated_s[-1], is_own=one.is_own)


def _blamed(one: Dispute, takers: Mapping[str, int]) -> Dispute:
    """The dispute with the device as rival that is in most disputes: it may have been there before the true holder."""
    return replace(one, holder=one.rival, rival=one.holder) if takers[one.holder] > takers[one.rival] else one


def _taken_besides(one: Dispute, disputes: Iterable[Dispute]) -> Iterator[str]:
    return (other.address for other in disputes if other.rival == one.rival and other.address != one.address)
