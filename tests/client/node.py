"""A `socket.io-client` in a Node process of its own, as a Python object."""

import itertools
import json
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.client.recorder import PATIENCE_S, Recorder
from tests.contract.answers import answer_violations

PROGRAM = Path(__file__).with_name("client.js")


class Unanswered(AssertionError):
    """A call whose connection ended before its acknowledgement arrived."""


class NodeClient(Recorder):
    """One client. `since`: asks for alerts after this number; after a reconnection, for those after the latest seen.

    `prefix`: what to run Node with, such as `("ip", "netns", "exec", "lab")`.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        auth: Any = None,
        since: int | None = None,
        options: dict[str, Any] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        super().__init__()
        start = {
            "url": url,
            "auth": auth if auth is not None else {"token": token} if token else {},
            "since": since,
            "options": options,
        }
        self._process = subprocess.Popen(
            [*prefix, "node", str(PROGRAM), json.dumps(start)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ids = itertools.count(1)
        self._answers: dict[int, Any] = {}
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> "NodeClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, event: str, *arguments: Any, code: str | None = None, within_s: float = PATIENCE_S) -> Any:
        """Emit with a callback and return its argument, which must be valid. `code`: the arguments as JavaScript array.

        Raises `Unanswered` when the connection ends meanwhile: `socket.io-client` does not repeat a lost call.
        """
        number = next(self._ids)
        ends = len(self.named("disconnect"))
        self._order({"emit": event, "args": arguments, "code": code, "id": number})
        with self._arrival:
            self._arrival.wait_for(lambda: number in self._answers or len(self.named("disconnect")) > ends, within_s)
            if number in self._answers:
                return _valid(event, self._answers.pop(number))
        if len(self.named("disconnect")) > ends:
            raise Unanswered(f"the connection ended before {event} was acknowledged")
        raise AssertionError(f"{event} was not acknowledged in {within_s} s")

    def retried(self, event: str, *arguments: Any, within_s: float = PATIENCE_S) -> Any:
        """As `call`, of a client with the option `retries`, which repeats a call over the end of its connection."""
        number = next(self._ids)
        self._order({"emit": event, "args": arguments, "code": None, "id": number})
        with self._arrival:
            if not self._arrival.wait_for(lambda: number in self._answers, within_s):
                raise AssertionError(f"{event} was not acknowledged in {within_s} s")
            return _valid(event, self._answers.pop(number))

    def send(self, event: str, *arguments: Any, code: str | None = None) -> None:
        """Emit without a callback."""
        self._order({"emit": event, "args": arguments, "code": code})

    def pause(self) -> None:
        """Suspend the process, so that it reads and answers nothing, as a suspended laptop does."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume it."""
        self._process.send_signal(signal.SIGCONT)

    def disconnect(self) -> None:
        """Disconnect, as `socket.disconnect()` does."""
        self._order({"close": True})

    def reconnect(self) -> None:
        """Disconnect and connect again, as a page does that changes its `auth`."""
        self._order({"reconnect": True})

    def close(self) -> None:
        """End the process."""
        self.resume()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _order(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.endswith("\n"):
                break  # the process ended in the middle of a line
            fact = json.loads(line)
            with self._arrival:
                if "id" in fact:
                    self._answers[fact["id"]] = fact.get("data")
                    self._arrival.notify_all()
                    continue
            self.record(fact)
        self.record_end()


def _valid(call: str, answer: Any) -> Any:
    """The answer, which is as the contract says: so every test of a call is one of its schema too."""
    assert answer_violations(call, answer) == []
    return answer
