"""The response to incidents: whose source is to be blocked by itself, and when again.

A source is blocked for a while, from the severity on that the configuration names. When that is over and it goes on, it
is blocked again; when a person has lifted the block before, it is left alone until it would have ended.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from appliance.core.blocking.block import BlockOrigin, BlockRequest
from appliance.core.detection.incident import Incident, Severity
from appliance.core.refusal import Code


@dataclass(frozen=True, slots=True)
class Response:
    """From which severity on the source of an incident is blocked, and for how many seconds; 0: until lifted."""

    severity: Severity
    duration_s: int

    def applies_to(self, incident: Incident) -> bool:
        """Whether this incident is grave enough."""
        grave = list(Severity)
        return grave.index(incident.severity) >= grave.index(self.severity)


class Responses:
    """What one department's incidents have been answered with."""

    def __init__(self, department: str, response: Response | None) -> None:
        """`response`: `None` where incidents are only told."""
        self._department = department
        self._response = response
        self._ends_s: dict[str, float] = {}  # by source, monotonic

    def due(self, incidents: Iterable[Incident]) -> list[BlockRequest]:
        """What is to be asked for now because of the open incidents, for the worst of each source."""
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
