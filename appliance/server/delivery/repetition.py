"""Carries out once a change that a client sends more than once, because it did not get the acknowledgement.

`socket.io-client` with its option `retries` sends a call again when its acknowledgement is late or the connection was
lost, also after a `disconnect()` of its own: its queue outlives that. What it sends is the same call with another
number, so nothing in it proves that it is no second call that is meant. Two things tell them apart:

- An `idempotencyKey` in the argument: the same key of the same subject is the same call, for `KEPT_S`.
- Without one, whether the acknowledgement has arrived (`outbox.Receipt`). A client with `retries` sends one call at a
  time: what it sends again is its latest call, and it does so only while it has no acknowledgement. So an identical
  call of the same subject is a repetition until the client is known to have the answer, or makes another call.

  Two calls are none, whatever the client has: one that wants no acknowledgement, and one of another connection with the
  same number. A client numbers its packets for as long as it lives, so that one comes from another client, such as a
  program that is run twice and leaves each time before it has answered the ping.

A refused call has changed nothing and is judged again. All is kept in memory: a restart forgets it.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

from eventlet.event import Event as GreenEvent
from msgspec import Struct, field

from appliance.core.refusal import Code, Refused
from appliance.server.delivery.outbox import Receipt
from appliance.server.strict_json import dumps

KEPT_S = 600.0  # a client that lost its connection is back within minutes, or its person looks what has happened
MOST_OF_SUBJECT = 64  # changes that are remembered, of each subject: more than a person makes in the time
MOST_REMEMBERED = 1000  # of all; an answer to a change is a kilobyte at most
KEY_NAME = "idempotencyKey"
KEY_PATTERN = r"^[!-~]{1,64}$"  # a UUID, or a number with the client's name

Answer = dict[str, Any]


class _Change(Struct):
    """A change that was carried out, or is being. `sid`, `number`: of the client and its packet that sent it last.

    `receipt`: of its acknowledgement; `None`: it is not sent yet. `done`: the answer; `None`: it was refused.
    """

    sid: str
    number: int | None
    digest: bytes
    is_keyed: bool
    began_s: float
    receipt: Receipt | None = None
    done: GreenEvent = field(default_factory=GreenEvent)

    def is_over(self, now_s: float) -> bool:
        """Whether no repetition can come any more."""
        if now_s - self.began_s > KEPT_S:
            return True
        return not self.is_keyed and self.receipt is not None and self.receipt.has_arrived

    def may_be_repeated_by(self, sid: str, number: int | None) -> bool:
        """Whether this packet may be a repetition. `number`: `None` for one that wants no acknowledgement."""
        is_of_another = number == self.number and sid != self.sid
        return self.is_keyed or (self.number is not None and number is not None and not is_of_another)


class Repetitions:
    """Remembers the latest changes and their answers."""

    def __init__(self) -> None:
        self._changes: dict[tuple[str, str | bytes], _Change] = {}  # by subject and key, the oldest first

    def forget_latest(self, sid: str) -> None:
        """Note that this client makes another call: it has the answer to its latest one."""
        for name, change in list(self._changes.items()):
            if change.sid == sid and not change.is_keyed and change.receipt is not None:
                del self._changes[name]

    def once(
        self,
        call: tuple[str, Sequence[object], str | None],
        sender: tuple[str, str, int | None],
        receipt: Callable[[], Receipt],
        now_s: float,
        carry_out: Callable[[], Answer],
    ) -> Answer:
        """The answer to a call: that of its first sending, or of `carry_out`. Raises `Refused`.

        `call`: event, arguments and key; `sender`: subject, sid and the packet's number; `receipt`: notes when the
        answer, which is sent next, has arrived.
        """
        event, arguments, key = call
        subject, sid, number = sender
        digest = blake2b(dumps([event, *arguments]).encode(), digest_size=16).digest()
        name = subject, digest if key is None else key
        known = self._changes.get(name)
        if known is not None and not known.is_over(now_s) and known.may_be_repeated_by(sid, number):
            if known.digest != digest:
                raise Refused(Code.BAD_REQUEST, f"{KEY_NAME}: was used for another call; each call needs its own")
            answer: Answer | None = known.done.wait()
            if answer is not None:
                known.sid, known.number, known.receipt = sid, number, receipt()
                return answer
        if key is None:
            self.forget_latest(sid)
        change = _Change(sid, number, digest, key is not None, now_s)
        self._remember(name, change, now_s)
        return self._carried_out(name, change, receipt, carry_out)

    def _carried_out(
        self,
        name: tuple[str, str | bytes],
        change: _Change,
        receipt: Callable[[], Receipt],
        carry_out: Callable[[], Answer],
    ) -> Answer:
        answer: Answer | None = None
        try:
            answer = carry_out()
            change.receipt = receipt()
        finally:
            if answer is None and self._changes.get(name) is change:
                del self._changes[name]
            change.done.send(answer)
        return answer

    def _remember(self, name: tuple[str, str | bytes], change: _Change, now_s: float) -> None:
        self._changes.pop(name, None)
        self._changes = {one: other for one, other in self._changes.items() if not other.is_over(now_s)}
        of_subject = [one for one in self._changes if one[0] == name[0]]
        for one in of_subject[: max(0, len(of_subject) - MOST_OF_SUBJECT + 1)]:
            del self._changes[one]
        if len(self._changes) >= MOST_REMEMBERED:
            (busiest, _), *_ = Counter(subject for subject, _ in self._changes).most_common(1)
            del self._changes[next(one for one in self._changes if one[0] == busiest)]
        self._changes[name] = change


def split_key(arguments: Sequence[object]) -> tuple[Sequence[object], str | None]:
    """The arguments without the key, and the key; `None`: there is none. Raises `Refused` for a malformed one."""
    if len(arguments) != 1 or not isinstance(arguments[0], dict) or KEY_NAME not in arguments[0]:
        return arguments, None
    rest = dict(arguments[0])
    key = rest.pop(KEY_NAME)
    if not isinstance(key, str) or re.fullmatch(KEY_PATTERN, key) is None:
        raise Refused(Code.BAD_REQUEST, f"{KEY_NAME}: must be a text of 1 to 64 visible ASCII characters")
    return [rest], key
