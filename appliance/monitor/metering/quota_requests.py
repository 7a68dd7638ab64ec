"""Requests for more: a person who is cut off asks, and an operator grants or declines.

Who asks has no token, so that everything here is bounded: the length of a request, how often an address may ask, how
many requests wait in a department, and how many are kept. Asking changes nothing but this list. An open request ends
with the quota's period, because the next one begins with everything.
"""

import hashlib
import logging
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import timedelta

from msgspec.structs import replace

from appliance.core.access.rate_limit import Rate, RateLimit
from appliance.core.metering.quota import QuotaRequest, RequestState
from appliance.core.moment import Moment
from appliance.core.refusal import Code, MustWait, Refused
from appliance.core.text import clipped, visible
from appliance.monitor.metering.departments import CutOff, Metering
from appliance.monitor.metering.quota_events import quota_requested
from appliance.ports import Publisher, Store

log = logging.getLogger(__name__)

ASKING = Rate(rate_per_s=3 / 3600, burst=3)  # of an address: to ask, to explain, to ask once more
MOST_ADDRESSES = 10_000  # that are counted at once, 100 bytes each
LONGEST_NAME, LONGEST_TEXT = 60, 300  # characters: a full name, and two sentences
MOST_OPEN = 50  # of a department: more than an operator reads
MOST_KEPT = 500  # of all departments: 250 kB in memory and on the disk
KEPT = timedelta(days=30)  # for the question what was asked for last month


class QuotaRequests:
    """The requests for more, the oldest first, in memory as on the disk."""

    def __init__(self, store: Store, metering: Metering, publish: Publisher) -> None:
        self._store, self._metering, self._publish = store, metering, publish
        self._requests = {one.id: one for one in store.quota_requests()}
        self._asking = RateLimit(ASKING, MOST_ADDRESSES)

    def ask(self, cut_off: CutOff, address: str, name: str, text: str, now: Moment) -> QuotaRequest:
        """Takes a request; the same one again is the one before.

        Raises `Refused`: `E_BAD_REQUEST` for a text that is missing or too long, `E_RATE_LIMITED` (`MustWait` where
        it is the address that asks too often), `E_MAINTENANCE` where the disk takes nothing.
        """
        self._age(now)
        name, text = _bounded(name, LONGEST_NAME), _bounded(text, LONGEST_TEXT)
        former = self.latest(cut_off, address)
        if former is not None and former.state is RequestState.OPEN and (former.name, former.text) == (name, text):
            return former
        department = cut_off.department.id
        if sum(one.department == department for one in self._open()) >= MOST_OPEN:
            raise Refused(Code.RATE_LIMITED, f"{MOST_OPEN} requests of {department} are open; ask the IT team directly")
        if wait_s := self._asking.spend(address, now.monotonic_s):
            raise MustWait(f"{ASKING.burst} requests an hour are taken from one address", wait_s)
        request_id = hashlib.sha256(repr((department, address, name, text, now.wall)).encode()).hexdigest()[:16]
        request = QuotaRequest(request_id, department, address, name, text, now.wall, cut_off.last.resets_at)
        self._save([request], now)
        log.info("%s at %s asks for more in %s: %s", clipped(name), address, department, clipped(text))
        return request

    def latest(self, cut_off: CutOff, address: str) -> QuotaRequest | None:
        """The newest request of this address in the department; `None`: it has none."""
        found = (one for one in self._requests.values() if one.address == address)
        return next((one for one in reversed([*found]) if one.department == cut_off.department.id), None)

    def requests(self, departments: Collection[str], now: Moment) -> Sequence[QuotaRequest]:
        """The requests of these departments, newest first."""
        self._age(now)
        return [one for one in reversed(self._requests.values()) if one.department in departments]

    def find(self, request_id: str) -> QuotaRequest | None:
        """The request of this id; `None`: there is none, or it is too old."""
        return self._requests.get(request_id)

    def decline(self, request: QuotaRequest, actor: str, reason: str | None, now: Moment) -> QuotaRequest:
        """Answers a request with no.

        Raises `Refused` where it is answered already (`E_CONFLICT`), or the disk takes nothing.
        """
        if request.state is not RequestState.OPEN:
            raise Refused(Code.CONFLICT, f"the request is {request.state} already, by {request.actor}")
        declined = replace(request, state=RequestState.DECLINED, actor=actor, reason=reason)
        self._save([declined], now)
        log.info("%s declines the request of %s in %s", actor, clipped(request.name), request.department)
        return declined

    def grant(self, department: str, host: str | None, actor: str, reason: str, now: Moment) -> None:
        """Answers the open requests that more bytes have answered; `host`: only it got more, `None`: the department.

        Where the disk takes nothing they stay open: what was granted is in force all the same.
        """
        closed = [
            replace(one, state=RequestState.GRANTED, actor=actor, reason=reason)
            for one in self._open()
            if one.department == department and self._concerns(one, host, now)
        ]
        try:
            if closed:
                self._save(closed, now)
        except Refused as refused:
            log.warning("requests of %s stay open although more was granted: %s", department, refused.message)

    def _concerns(self, request: QuotaRequest, host: str | None, now: Moment) -> bool:
        if host is None:  # a host that has used up its own quota got nothing
            still = self._metering.find_cut_off(request.address, now)
            return still is None or still.host is None
        find = self._metering.devices.find
        return find(request.department, request.address) == find(request.department, host)

    def _open(self) -> Sequence[QuotaRequest]:
        return [one for one in self._requests.values() if one.state is RequestState.OPEN]

    def _save(self, changed: Sequence[QuotaRequest], now: Moment) -> None:
        """Saves, and publishes once that is on the medium."""
        together = self._requests | {one.id: one for one in changed}
        answered_first = sorted(together.values(), key=lambda one: one.state is RequestState.OPEN)
        gone = [one.id for one in answered_first[: max(0, len(together) - MOST_KEPT)]]
        self._store.save_quota_requests([one for one in changed if one.id not in gone], gone)
        self._requests = {key: one for key, one in together.items() if key not in gone}
        self._store.sync()
        for one in changed:
            self._publish(quota_requested(one, now))

    def _age(self, now: Moment) -> None:
        """Forgets requests that are old, and open ones whose quota has been reset.

        Where the disk takes nothing, it forgets them after the next start.
        """
        if not now.is_trusted:
            return
        old = [one.id for one in self._requests.values() if _is_over(one, now)]
        if old:
            self._requests = {key: one for key, one in self._requests.items() if key not in old}
            with suppress(Refused):
                self._store.save_quota_requests([], old)


def _is_over(request: QuotaRequest, now: Moment) -> bool:
    ends = request.until if request.state is RequestState.OPEN else request.at + KEPT
    return ends <= now.wall


def _bounded(text: str, most: int) -> str:
    """The text in one line, fit to be shown. Raises `Refused`."""
    line = " ".join(text.split())
    if not 1 <= len(line) <= most:
        raise Refused(Code.BAD_REQUEST, f"name and text must have 1 to {LONGEST_NAME} and {LONGEST_TEXT} characters")
    return visible(line)
