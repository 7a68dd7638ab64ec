"""The events that a client has received, for a test that waits for them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

PATIENCE_S = 60  # how long an awaited event may take on a busy machine before the test gives up
TROUBLES = {"connect_error", "error"}  # of which a failed wait tells the whole payload


@dataclass(frozen=True)
class Received:
    """A received event. `at_ms`: its arrival, by the client's clock."""

    event: str
    data: Any
    at_ms: int


class Recorder:
    """Events in the order of their arrival."""

    def __init__(self) -> None:
        self._arrival = threading.Condition()
        self.received: list[Received] = []
        self._ended = False

    def record(self, fact: dict[str, Any]) -> None:
        """Record an event from the client's output."""
        with self._arrival:
            self.received.append(Received(fact["event"], fact.get("data"), fact["at"]))
            self._arrival.notify_all()

    def record_end(self) -> None:
        """Record that nothing comes any more: whoever waits need not wait longer."""
        with self._arrival:
            self._ended = True
            self._arrival.notify_all()

    def named(self, event: str) -> list[Any]:
        """The payloads of all events of this name, in order."""
        with self._arrival:
            return [one.data for one in self.received if one.event == event]

    def wait_for(
        self, event: str, where: Callable[[Any], bool] = lambda data: True, count: int = 1, within_s: float = PATIENCE_S
    ) -> Any:
        """The payload of the `count`-th event of this name and condition, as soon as it arrives."""

        def found() -> list[Any]:
            return [one.data for one in self.received if one.event == event and where(one.data)]

        with self._arrival:
            self._arrival.wait_for(lambda: self._ended or len(found()) >= count, within_s)
            if len(found()) < count:
                wait = "before the client ended" if self._ended else f"in {within_s} s"
                raise AssertionError(f"no {event} {wait}; received: {self._shortly()}")
            return found()[count - 1]

    def _shortly(self) -> list[str]:
        """What was received, one word each, the same one after another once with its number."""
        events = [str(one.data) if one.event in TROUBLES else one.event for one in self.received]
        return [f"{len(list(same))} x {event}" for event, same in groupby(events)]
