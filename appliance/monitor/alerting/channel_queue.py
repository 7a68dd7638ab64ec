"""The queue of one channel: what waits there is made into a message, and sent until the receiver takes it.

A step of each channel runs in a loop of its own, and waits for the network beside the event loop, so that a receiver
that is dead delays nobody: neither metering nor the other channels.
"""

import logging
from collections.abc import Callable
from random import random
from typing import Any

from msgspec.structs import replace

from appliance.core.alerting.attempts import Attempts
from appliance.core.alerting.message import MOST_TOGETHER, AlertMessage, Sender, compose, trial_message
from appliance.core.alerting.notice import ChannelState
from appliance.core.moment import Moment
from appliance.core.text import clipped
from appliance.ports import KeptConnection, NoticeStore, Outlet

log = logging.getLogger(__name__)

REOPEN_S = 60.0  # between two attempts to make a connection that is to stay open
TROUBLED_AFTER = 3  # failures in a row; a server that restarts is no trouble

Aside = Callable[..., Any]  # (function, *arguments) -> its result, computed beside the event loop


class ChannelQueue:
    """Delivers what waits for one channel, in order. `name`, `kind`, `target`: for people."""

    def __init__(
        self,
        name: str,
        kind: str,
        target: str,
        *,
        outlet: Outlet,
        store: NoticeStore,
        sender: Sender,
        aside: Aside,
        kept: KeptConnection | None = None,
    ) -> None:
        self.name, self.kind, self.target = name, kind, target
        self._outlet, self._store, self._sender, self._aside = outlet, store, sender, aside
        self._kept = kept
        self._opened_s: float | None = None
        self._attempts = Attempts()
        self._delivered: list[int] = []  # which the store has still to forget
        self.state = store.states().get(name, ChannelState())

    def step(self, now: Moment) -> None:
        """Deliver what waits, if it is time, and keep a connection that is to stay."""
        if self._kept is not None:
            self._keep(self._kept, now)
        if self._attempts.first_s is None and self._store.has_waiting(self.name, now.wall):
            self._attempts.arrived(now.monotonic_s)
        if self._attempts.is_due(now.monotonic_s):
            self._deliver(now)

    def arrived(self, now: Moment) -> None:
        """Something waits that may leave at once."""
        self._attempts.arrived(now.monotonic_s)

    def try_out(self, now: Moment) -> str | None:
        """Send a message that says it is a test; returns `None`, or why the receiver has not taken it."""
        return self._send(trial_message(self.name, now.wall, self._sender))

    def deliver(self, message: AlertMessage, now: Moment) -> str | None:
        """Send a message that did not wait here; returns `None`, or why the receiver has not taken it."""
        fault = self._send(message)
        known = self._store.states().get(self.name, self.state)
        if fault is None:
            self.state = replace(known, delivered_at=now.wall, fault="", fault_at=None)
        else:
            self.state = replace(known, fault=fault, fault_at=now.wall)
        self._store.settle(self.name, self.state)
        return fault

    def troubles(self) -> list[str]:
        """A sentence where the receiver takes nothing."""
        if self._attempts.failures < TROUBLED_AFTER:
            return []
        return [f"the channel {self.name} delivers nothing: {self.state.fault}"]

    def _keep(self, kept: KeptConnection, now: Moment) -> None:
        if kept.is_open:
            kept.turn()
        elif now.is_due(self._opened_s, REOPEN_S):
            self._opened_s = now.monotonic_s
            fault: str | None = self._aside(kept.open)
            if fault is not None:
                self.state = replace(self.state, fault=clipped(fault), fault_at=now.wall)

    def _deliver(self, now: Moment) -> None:
        if self._delivered and not self._store.settle(self.name, self.state, self._delivered):
            return
        self._delivered = []
        notices = self._store.attempt(self.name, now.wall, MOST_TOGETHER)
        if not notices:
            self._attempts.first_s = None
            return
        numbers = [one.number for one in notices]
        known = self._store.states().get(self.name, self.state)  # what was given up meanwhile is counted there
        fault = self._send(compose(self.name, notices, known.unreported, self._sender))
        if fault is None:
            self.state = replace(known, delivered_at=now.wall, fault="", fault_at=None, unreported=0)
            self._attempts.delivered(now.monotonic_s)
            self._delivered = [] if self._store.settle(self.name, self.state, numbers) else numbers
            return
        self.state = replace(known, fault=fault, fault_at=now.wall)
        self._attempts.failed(now.monotonic_s, random())  # noqa: S311  it only spreads appliances over time
        log.log(
            logging.WARNING if self._attempts.failures == 1 else logging.INFO,
            "the channel %s delivers nothing, and tries again: %s",
            self.name,
            fault,
        )
        self._store.settle(self.name, self.state)
        self._give_up([one.number for one in notices if self._attempts.is_too_old(one.at, now.wall)])

    def _give_up(self, numbers: list[int]) -> None:
        if numbers and self._store.give_up(self.name, numbers):
            log.error("the channel %s gives up %d notices that it could not deliver", self.name, len(numbers))

    def _send(self, message: AlertMessage) -> str | None:
        fault: str | None = self._aside(self._outlet.send, message)
        return None if fault is None else clipped(fault)
