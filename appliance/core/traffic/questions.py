"""The questions that hosts have asked name servers and that are not answered yet: only their answers are believed.

Anybody can send a packet that looks like an answer, and from any address where the sender's network lets that happen.
Whoever does not see the question must guess what the answer has to repeat: the client's port and the identity, 32 bits.
"""

from appliance.core.traffic.dns import LookUp

PATIENCE_S = 10.0  # hosts ask again after 1 to 5 s; what comes later than two of these, they have given up
MOST_OPEN = 4096  # of a department, 0.4 a millisecond for the whole patience; about 1 MB


class OpenQuestions:
    """One department's questions."""

    def __init__(self) -> None:
        self._asked_s: dict[LookUp, float] = {}

    def note(self, asked: LookUp, now_s: float) -> None:
        """Add a question; the oldest gives way where there are too many."""
        self._asked_s.pop(asked, None)  # so that the oldest is always first
        self._asked_s[asked] = now_s
        if len(self._asked_s) > MOST_OPEN:
            del self._asked_s[next(iter(self._asked_s))]

    def take(self, answered: LookUp, now_s: float) -> bool:
        """Whether this was asked a moment ago; it is answered with that, and another answer counts no more."""
        return now_s - self._asked_s.pop(answered, float("-inf")) <= PATIENCE_S
