"""Hashes one password at a time, beside the event loop, in the order of the queue.

A hash takes 19 MiB and a core for a moment. It runs in a greenlet of its own: a visitor whose connection is broken
leaves the queue, but a hash that has begun ends before the next begins. All other clients are served meanwhile.
"""

import logging
from collections.abc import Callable

import eventlet
from eventlet import tpool
from eventlet.event import Event

from appliance.core.access.login_queue import LoginQueue, Waiting
from appliance.core.refusal import Code, MustWait, Refused
from appliance.system import passwords
from appliance.system.passwords import PasswordsUnavailable

log = logging.getLogger(__name__)

CHANGES = "changes of passwords"  # their lane: by people whose token or pairing code is good already
RETRY_S = 5.0  # for whom there is no place: a few of those before them have had their turn then


class GreenPasswordHashing:
    """Hashes and verifies passwords while the event loop goes on."""

    def __init__(self) -> None:
        self._queue = LoginQueue()
        self._jobs: dict[Waiting, tuple[Callable[[], object], Event]] = {}
        self._is_working = False

    def hashed(self, password: str) -> str:
        """The hash of a new password. Raises `Refused`."""
        return str(self._in_turn(Waiting(CHANGES, 0), lambda: tpool.execute(passwords.hashed, password)))

    def matches(self, password: str, password_hash: str, visitor: Waiting, begin: Callable[[], None]) -> bool:
        """Whether the password belongs to the hash. Raises `Refused`, also what `begin` raises at the turn's begin."""

        def judge() -> object:
            begin()
            return tpool.execute(passwords.matches, password, password_hash)

        return bool(self._in_turn(visitor, judge))

    def _in_turn(self, visitor: Waiting, job: Callable[[], object]) -> object:
        done = Event()
        self._jobs[visitor] = job, done
        displaced = self._queue.enter(visitor)
        if displaced is not None:
            text = f"too many people log in at this moment; wait {RETRY_S:.0f} s before the next try"
            self._jobs.pop(displaced)[1].send_exception(MustWait(text, RETRY_S))
        if not self._is_working:
            self._is_working = True
            eventlet.spawn(self._work)
        try:
            return done.wait()
        finally:
            self._queue.leave(visitor)
            self._jobs.pop(visitor, None)

    def _work(self) -> None:
        """Do one job after the other, until none waits."""
        while (visitor := self._queue.next()) is not None:
            job, done = self._jobs[visitor]
            try:
                result = job()
            except PasswordsUnavailable as error:
                log.error("%s", error)
                text = "the appliance cannot judge passwords now; its log says why"
                done.send_exception(Refused(Code.INTERNAL, text))
            except Refused as refused:
                done.send_exception(refused)
            else:
                done.send(result)
            eventlet.sleep(0)  # refusals cost nothing; a queue full of them must not hold up the others
        self._is_working = False
