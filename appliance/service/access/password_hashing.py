"""Hashes one password at a time, beside the event loop, and lets only a few wait.

A hash takes 19 MiB and a core for a moment. Further logins are refused with advice to try again; all other clients are
served meanwhile.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from eventlet import tpool
from eventlet.semaphore import Semaphore

from appliance.core.refusal import Code, Refused
from appliance.system import passwords
from appliance.system.passwords import PasswordsUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_WAITING = 8  # each waits some tenths of a second for those before it; on the slowest Pi some seconds


class GreenPasswordHashing:
    """Hashes and verifies passwords while the event loop goes on."""

    def __init__(self) -> None:
        self._turn = Semaphore(1)
        self._waiting = 0

    def hashed(self, password: str) -> str:
        """The hash of a new password. Raises `Refused`."""
        with self._queued():
            return _run(lambda: passwords.hashed(password))

    def matches(self, password: str, password_hash: str) -> bool:
        """Whether the password belongs to the hash. Raises `Refused`."""
        with self._queued():
            return _run(lambda: passwords.matches(password, password_hash))

    @contextmanager
    def _queued(self) -> Iterator[None]:
        if self._waiting >= MOST_WAITING:
            raise Refused(Code.RATE_LIMITED, "too many people log in at this moment; try again in a few seconds")
        self._waiting += 1
        try:
            with self._turn:
                yield
        finally:
            self._waiting -= 1


def _run(work: Callable[[], T]) -> T:
    try:
        result: T = tpool.execute(work)
    except PasswordsUnavailable as error:
        log.error("%s", error)
        raise Refused(Code.INTERNAL, "the appliance cannot judge passwords now; its log says why") from None
    return result
