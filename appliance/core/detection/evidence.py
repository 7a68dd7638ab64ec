"""Evidence: what one detector has seen of one source, with the evidence a person needs to judge it."""

from collections.abc import Mapping

from msgspec import Struct, field

from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.text import Values

MOST_EXAMPLES = 5  # peers or ports that are named
TOO_MUCH = "too much to compare"  # a trait of what has too many others


class Evidence(Struct, frozen=True):
    """What a source does. `count`: of what `details`, a sentence, says; `expected`: what would be ordinary, in words.

    `peers`, `ports`: examples of whom it concerned, and where; `senders`: the count by the hardware address that sent
    it; `proven`, `addressed`: as an incident has them; `traits`: the ports and networks by which it is compared with
    what was done on other days, empty where nothing is compared. `values`: what `details` and `expected` say, for
    another language; `form` is which of the kind's sentences it is. Times are monotonic seconds.
    """

    kind: IncidentKind
    source: str
    count: int
    details: str
    first_s: float
    latest_s: float
    expected: str = ""
    peers: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    senders: Mapping[str, int] = field(default_factory=dict)
    proven: int = 0
    addressed: int = 0
    traits: frozenset[str] = frozenset()
    values: Values = field(default_factory=dict)
