"""What both reconcilers remember: whether the kernel has the wanted state, why it refused it, and when to try again."""

from appliance.core.moment import Moment
from appliance.monitor.blocking.tampering import Tampering


class Reconciliation:
    """`is_whole`: the kernel has the wanted state. `refusal`: why it does not take it; `None`: it does."""

    def __init__(self, retry_s: float) -> None:
        """`retry_s`: seconds from a refused attempt to the next."""
        self.is_whole = False  # the kernel may still have the state of an earlier run of this program
        self.refusal: str | None = None
        self.tampering = Tampering()
        self._retry_s = retry_s
        self._due_s = 0.0

    def is_due(self, now: Moment) -> bool:
        """Whether the whole state has to be put in force now."""
        return not self.is_whole and (self.refusal is None or now.monotonic_s >= self._due_s)

    def note_attempt(self, refusal: str | None, now: Moment) -> bool:
        """Remember the kernel's answer to the whole state; true: a new reason to refuse, which is worth a log line."""
        is_new = refusal is not None and refusal != self.refusal
        self.is_whole, self.refusal = refusal is None, refusal
        self._due_s = now.monotonic_s + self._retry_s
        return is_new
