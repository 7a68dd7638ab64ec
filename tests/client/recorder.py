"""The events that a client has received, for a test that waits for them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
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

    def record(self, fact: dict[str, Any]) -> None:
        """Record an event from the client's output."""
        with self._arrival:
            self.received.append(Received(fact["event"], fact.get("data"), fact["at"]))
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
            if not self._arrival.wait_for(lambda: len(found()) >= count, within_s):
                events = [one.data if one.event in TROUBLES else one.event for one in self.received]
                raise AssertionError(f"no {event} in {within_s} s; received: {events}")
            return found()[count - 1]
