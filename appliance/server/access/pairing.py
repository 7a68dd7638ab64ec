"""Pairs the first administrator, while there is none.

Reading the console or the log of the appliance, or pressing its button, proves that a person owns it. The console and
the log show a one-time code; the button opens a window of two minutes without one. Either admits one person, once.
"""

import hmac
import math
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from appliance.core.access.login_backoff import BackoffRules, LoginBackoff
from appliance.core.moment import Moment
from appliance.core.refusal import Code, MustWait, Refused

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # no characters that look or sound alike
CODE_CHARACTERS = 8  # 30^8, 656 thousand million codes
CODE_S = 900.0  # to walk from the console to the desk
# Of all strangers together, for one code: the chance that one of them is right is 1 in 10 million. An address has about
# a hundred, so that it takes 650 of them to end the pairing for the person who reads the code.
MOST_TRIES = 65_536
# Five free, then at most ten seconds: whoever shares the stranger's address types the code meanwhile.
OF_ADDRESS = BackoffRules(longest_s=10.0)
WINDOW_S = 120.0  # to walk from the rack to the desk; the shorter, the fewer others can use it


class Pairing:
    """Keeps the one-time code and the window. `announce`: shows a sentence on the console and in the log."""

    def __init__(self, is_needed: Callable[[], bool], announce: Callable[[str], None]) -> None:
        """`is_needed`: whether there is no administrator yet."""
        self._is_needed = is_needed
        self._announce = announce
        self._code = ""
        self._code_until_s = 0.0
        self._tries = 0
        self._backoff = LoginBackoff(OF_ADDRESS)
        self._window_until_s = 0.0

    def may_be_needed(self) -> bool:
        """Whether there is no administrator yet; false where people cannot be read: then nobody may become one."""
        try:
            return self._is_needed()
        except Refused:
            return False

    def announce_code(self, now: Moment) -> None:
        """Make and announce a code, if there is no administrator."""
        if not self.may_be_needed():
            return
        self._code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARACTERS))
        self._code_until_s, self._tries = now.monotonic_s + CODE_S, MOST_TRIES
        shown = f"{self._code[:4]}-{self._code[4:]}"
        self._announce(f"Nobody can log in yet. Pairing code, for {CODE_S / 60:.0f} minutes and one person: {shown}")

    def open_window(self, now: Moment) -> bool:
        """Admit one person without a code, because the button was pressed. False: there is an administrator already."""
        if not self.may_be_needed():
            return False
        self._window_until_s = now.monotonic_s + WINDOW_S
        self._announce(f"The button was pressed: for {WINDOW_S:.0f} seconds, one person can pair without a code.")
        return True

    @contextmanager
    def admitted(self, code: str | None, address: str, now: Moment) -> Iterator[str]:
        """Use up the code, or the window where `code` is `None`, for the length of a `with`: `code` or `button`.

        Where that fails, the code and the window are as they were. Raises `Refused`.
        """
        if not self._is_needed():
            raise Refused(Code.FORBIDDEN, "there is an administrator already: log in, or ask them to add you")
        if code is not None:
            self._check_code(code, address, now)
        elif now.monotonic_s >= self._window_until_s:
            where = "it is on the console and in the log; or press the button"
            raise Refused(Code.UNAUTHORIZED, f"a pairing code is needed: {where}")
        before = self._code_until_s, self._window_until_s
        self._code_until_s = self._window_until_s = 0.0  # at once: nobody else may use them meanwhile
        try:
            yield "button" if code is None else "code"
        except BaseException:  # the end of the connection too
            self._code_until_s, self._window_until_s = before
            raise

    def _check_code(self, code: str, address: str, now: Moment) -> None:
        wait_s = self._backoff.wait_s(address, now.monotonic_s)
        if wait_s:
            text = f"too many wrong pairing codes from your address; wait {math.ceil(wait_s)} s before the next"
            raise MustWait(text, wait_s)
        if now.monotonic_s >= self._code_until_s or self._tries <= 0:
            raise Refused(
                Code.UNAUTHORIZED, "there is no pairing code now: restart the appliance for one, or press its button"
            )
        self._tries -= 1
        # Compared in constant time, and as a person may have typed it.
        typed = code.replace("-", "").replace(" ", "").upper()
        if not hmac.compare_digest(typed.encode(), self._code.encode()):
            self._backoff.count_refusal(address, now.monotonic_s)
            raise Refused(Code.UNAUTHORIZED, "that is not the pairing code, which the console and the log show")
