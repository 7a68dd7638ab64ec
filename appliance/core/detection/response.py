"""The response to incidents: which sources are blocked automatically, and when again.

A source is blocked for a while if its incident has the configured severity or a worse one. If it goes on after that, it
is blocked again; if a person lifts the block earlier, the source is left alone until the block would have ended.

Only a source that has proved itself is blocked: a stranger who sends in the name of others would else choose whom.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from appliance.core.blocking.block import BlockOrigin, BlockRequest
from appliance.core.detection.incident import Incident, Severity
from appliance.core.refusal import Code

UNPROVEN = (
    "anyone may have sent this in the name of the source: it has completed no such connection, and no device is known "
    "by that address"
)


@dataclass(frozen=True, slots=True)
class Response:
    """Blocks sources of incidents from this severity on, for `duration_s` seconds; 0: until lifted."""

    severity: Severity
    duration_s: int

    def applies_to(self, incident: Incident) -> bool:
        """Whether this incident is grave enough."""
        grave = list(Severity)
        return grave.index(incident.severity) >= grave.index(self.severity)


class Responses:
    """The blocks that one department's incidents have led to."""

    def __init__(self, department: str, response: Response | None) -> None:
        """`response`: `None` where incidents are only reported."""
        self._department = department
        self._response = response
        self._ends_s: dict[str, float] = {}  # by source, monotonic

    def reason_against(self, incident: Incident, proven: Incident | None) -> str | None:
        """Why the source of this incident is not blocked although it is grave; `None`: it is, or it is not so grave.

        `proven`: the incident as far as it is.
        """
        response = self._response
        if response is None or not response.applies_to(incident):
            return None
        return None if proven is not None and response.applies_to(proven) else UNPROVEN

    def due(self, incidents: Iterable[Incident]) -> list[BlockRequest]:
        """The blocks to request now: one for the worst of each source's open incidents, as far as these are proven."""
        response = self._response
        if response is None:
            return []
        grave = sorted((one for one in incidents if response.applies_to(one)), key=lambda one: one.count)
        worst = {one.source: one for one in grave}
        self._ends_s = {source: ends_s for source, ends_s in self._ends_s.items() if source in worst}
        due = [one for one in worst.values() if one.latest_s >= self._ends_s.get(one.source, 0.0)]
        return [self._request(one, response.duration_s) for one in due]

    def mark_answered(self, request: BlockRequest, now_s: float, refusal: Code | None = None) -> None:
        """Do not ask again before the block's end. `now_s`: monotonic. `refusal`: `None` where the block was made.

        A maintenance passes, so that what it refused stays due; any other refusal would only be repeated.
        """
        if refusal is not Code.MAINTENANCE:
            self._ends_s[request.target] = now_s + (request.duration_s or inf)

    def _request(self, incident: Incident, duration_s: int) -> BlockRequest:
        return BlockRequest(
            target=incident.source,
            reason=incident.details,
            duration_s=duration_s,
            department=self._department,
            actor=BlockOrigin.DETECTION,
            origin=BlockOrigin.DETECTION,
        )
