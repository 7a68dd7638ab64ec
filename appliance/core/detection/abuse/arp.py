"""ARP: which hardware address claims which IPv4 address, and where two claim the same one.

An address changes hands now and then: a lease ends, a router fails over to another. Then the former holder is silent.
Where both go on, as with an address that was configured twice or with one that somebody takes to read what is meant for
another, the claims alternate: the true holder answers whoever asks, and the other repeats itself, because it must.
Whoever takes an address answers again and again those who have not asked; a device whose address was configured twice
does not, and announces itself by a question (RFC 5227). Nobody asks for a claim of the appliance's own address by
another device: each counts.
"""

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Address
from itertools import islice
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

ARP = 0x0806
VLAN_TYPES = {0x8100, 0x88A8}
MOST_TAGS = 2
BODY_BYTES = 28
# Ethernet, IPv4, and the lengths of their addresses (RFC 826)
HEAD = b"\x00\x01\x08\x00\x06\x04"
ASKS, ANSWERS = b"\x00\x01", b"\x00\x02"

NEVER_S = -1e9
RECENT_S = 120.0  # since a holder's claim: within it, it is not gone. A neighbour is asked again each minute or so
WITHIN_S = 600.0  # of alternations that count together
ALTERNATIONS = 3  # a move makes one, and a laptop that changes from cable to radio and back two
MOST_ADDRESSES = 4096  # of which the holder is remembered; 5 MB
APART_S = 1.0  # a question with several answers is one alternation
ASKED_S = 2.0  # an answer comes within milliseconds, over radio within a second
UNASKED, UNASKED_WITHIN_S = 3, 60.0  # arpspoof has 30 in this time, ettercap 6; a device that starts has one or two
MOST_ASKING, MOST_ANSWERING = 4, 4  # of one address: neighbours that are remembered, and devices that are counted
MOST_COUNTED = 99  # alternations of one address; a hundred are as bad as more
MOST_NAMED = 5  # other addresses


class AddressClaim(NamedTuple):
    """A device says that an address is its own. `neighbour`: whom it asks for with that, or answers; empty: none."""

    address: str
    mac: str
    is_answer: bool = False
    neighbour: str = ""


class AddressQuestion(NamedTuple):
    """A device asks for the hardware address of a neighbour."""

    address: str
    mac: str
    neighbour: str


class Dispute(Struct, frozen=True):
    """An address that two devices claim. `rival`: the one that came later; `holder`: the other.

    `count`: how often the claims alternated; `also`: other addresses that the rival takes; `is_own`: it is the
    appliance's address; `is_unasked`: the rival answers though nobody asks.
    """

    address: str
    holder: str
    rival: str
    count: int
    first_s: float
    latest_s: float
    also: tuple[str, ...] = ()
    is_own: bool = False
    is_unasked: bool = False


class _Holding(Struct):
    """Who claims an address. `latest`: the one that did last, at `claimed_s`; `alternated_s`: when they took turns.

    `asked_s`: when each of the latest neighbours asked; `unasked_s`: the latest answers without that, by device.
    """

    holder: str
    latest: str
    claimed_s: float
    rival: str | None = None
    is_own: bool = False
    alternated_s: list[float] = field(default_factory=list)
    asked_s: dict[str, float] = field(default_factory=dict)
    unasked_s: dict[str, list[float]] = field(default_factory=dict)

    def note_question(self, neighbour: str, now_s: float) -> None:
        """Remember who asks for the address."""
        self.asked_s.pop(neighbour, None)
        self.asked_s[neighbour] = now_s
        if len(self.asked_s) > MOST_ASKING:
            del self.asked_s[next(iter(self.asked_s))]

    def note_answer(self, claim: AddressClaim, now_s: float) -> None:
        """Count an answer to a neighbour that has not asked, or to all."""
        if now_s - self.asked_s.get(claim.neighbour, NEVER_S) < ASKED_S:
            return
        if claim.mac not in self.unasked_s and len(self.unasked_s) >= MOST_ANSWERING:
            self.unasked_s.clear()
        self.unasked_s[claim.mac] = [*self.unasked_s.get(claim.mac, [])[1 - UNASKED :], now_s]

    def answers_unasked(self, mac: str) -> bool:
        """Whether a device does so again and again."""
        found = self.unasked_s.get(mac, [])
        return len(found) == UNASKED and found[-1] - found[0] < UNASKED_WITHIN_S


def claim_in(frame: bytes) -> AddressClaim | None:
    """The sender's claim in an ARP packet; `None`: it is none, or one that says nothing, as a probe (RFC 5227)."""
    body = _body(frame)
    if body is None:
        return None
    mac, address = body[8:14], IPv4Address(body[14:18])
    if mac[0] & 1 or not any(mac) or address.is_unspecified or address.is_multicast or int(address) == 0xFFFFFFFF:
        return None
    has_neighbour = body[6:8] in {ASKS, ANSWERS} and body[14:18] != body[24:28]
    neighbour = str(IPv4Address(body[24:28])) if has_neighbour else ""
    return AddressClaim(str(address), mac.hex(":"), body[6:8] == ANSWERS, neighbour)


def question_in(frame: bytes) -> AddressQuestion | None:
    """The question in an ARP packet; `None`: there is none, or one for the sender's own address."""
    claim = claim_in(frame)
    if claim is None or claim.is_answer or not claim.neighbour:
        return None
    return AddressQuestion(claim.address, claim.mac, claim.neighbour)


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
        if not claim.is_answer and claim.neighbour in self._holdings:
            self._holdings[claim.neighbour].note_question(claim.address, now_s)
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
        if claim.is_answer:
            holding.note_answer(claim, now_s)
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
        holder, rival, first_s = one.holder, one.rival, one.alternated_s[0]
        if one.answers_unasked(holder) and not one.answers_unasked(rival):
            holder, rival = rival, holder  # it was there before the true holder
        found = Dispute(address, holder, rival, len(one.alternated_s), first_s, one.alternated_s[-1])
        return replace(found, is_own=one.is_own, is_unasked=one.answers_unasked(rival))


def _blamed(one: Dispute, takers: Mapping[str, int]) -> Dispute:
    """The dispute with the device as rival that is in most disputes: it may have been there before the true holder."""
    is_holder = takers[one.holder] > takers[one.rival] and not one.is_unasked
    return replace(one, holder=one.rival, rival=one.holder) if is_holder else one


def _taken_besides(one: Dispute, disputes: Iterable[Dispute]) -> Iterator[str]:
    return (other.address for other in disputes if other.rival == one.rival and other.address != one.address)
