"""What a client has received, for a test that waits for it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PATIENCE_S = 20  # how long an awaited event may take on a busy machine before the test gives up


@dataclass(frozen=True)
class Received:
    """An event as the client got it. `at_ms`: its arrival, by the client's clock."""

    event: str
    data: Any
    at_ms: int


class Recorder:
    """Events in the order of their arrival."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self.received: list[Received] = []

    def record(self, fact: dict[str, Any]) -> None:
        """Take in what the client tells."""
        with self._news:
            self.received.append(Received(fact["event"], fact.get("data"), fact["at"]))
            self._news.notify_all()

    def named(self, event: str) -> list[Any]:
        """What came with every event of this name, in order."""
        with self._news:
            return [one.data for one in self.received if one.event == event]

    def wait_for(
        self, event: str, where: Callable[[Any], bool] = lambda data: True, count: int = 1, within_s: float = PATIENCE_S
    ) -> Any:
        """What came with the `count`-th event of this name and kind, as soon as it is there."""

        def found() -> list[Any]:
            return [one.data for one in self.received if one.event == event and where(one.data)]

        with self._news:
            if not self._news.wait_for(lambda: len(found()) >= count, within_s):
                raise AssertionError(f"no {event} in {within_s} s; received: {[one.event for one in self.received]}")
            return found()[count - 1]
