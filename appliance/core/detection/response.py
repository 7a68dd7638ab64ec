"""The response to incidents: which sources are blocked automatically, and when again.

A source is blocked for a while if its incident is of a configured kind, and has the configured severity or a worse one.
If it goes on or comes back after that, it is blocked again, each time for twice as long; if a person lifts the block
earlier, the source is left alone until the block would have ended.

Only a source that has proved itself is blocked: a stranger who sends in the name of others would else choose whom.
"""

from collections import OrderedDict
from collections.abc import Iterable
from math import inf

from msgspec import Struct

from appliance.core.blocking.block import BlockOrigin, BlockRequest
from appliance.core.detection.incident import Incident, Severity
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.refusal import Code

UNPROVEN = (
    "anyone may have sent this in the name of the source: it has completed no such connection, and no device is known "
    "by that address"
)


SCANS = frozenset({IncidentKind.PORT_SCAN, IncidentKind.HOST_SWEEP})
LONGEST_S = 86400  # of a block that has doubled: somebody has looked at it by then
MOST_DOUBLED = 17  # times; the shortest block, of a second, is the longest by then
MOST_BLOCKED = 1024  # sources whose blocks are counted; 0.1 MB


class Response(Struct, frozen=True):
    """Blocks sources of incidents of these kinds from this severity on, for `duration_s` seconds; 0: until lifted."""

    severity: Severity
    duration_s: int
    kinds: frozenset[IncidentKind] = SCANS

    def applies_to(self, incident: Incident) -> bool:
        """Whether this incident is one of those, and grave enough."""
        grave = list(Severity)
        return incident.kind in self.kinds and grave.index(incident.severity) >= grave.index(self.severity)


class Responses:
    """The blocks that one department's incidents have led to."""

    def __init__(self, department: str, response: Response | None) -> None:
        """`response`: `None` where incidents are only reported."""
        self._department = department
        self._response = response
        self._ends_s: dict[str, float] = {}  # by source, monotonic
        self._blocked: OrderedDict[str, int] = OrderedDict()  # how often, by source, the latest last

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
        if refusal is None:
            self._blocked[request.target] = self._blocked.pop(request.target, 0) + 1
            if len(self._blocked) > MOST_BLOCKED:
                self._blocked.popitem(last=False)
        if refusal is not Code.MAINTENANCE:
            self._ends_s[request.target] = now_s + (request.duration_s or inf)

    def _request(self, incident: Incident, duration_s: int) -> BlockRequest:
        doubled_s = duration_s << min(self._blocked.get(incident.source, 0), MOST_DOUBLED)
        return BlockRequest(
            target=incident.source,
            reason=incident.details,
            duration_s=max(duration_s, min(doubled_s, LONGEST_S)),
            department=self._department,
            actor=BlockOrigin.DETECTION,
            origin=BlockOrigin.DETECTION,
        )
