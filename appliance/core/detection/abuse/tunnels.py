"""Tunnels: data that is carried out of a network in the names that a device looks up.

A name has room for some 200 bytes of data in front of the domain whose server reads them. So many distinct long names
of one domain, in letters that look drawn by lot, are data: what they hold in all is counted, not their number, because
a secret is out in ten look-ups.
"""

from collections import OrderedDict
from math import log2

from msgspec import Struct, field

from appliance.core.detection.evidence import MOST_EXAMPLES, Evidence
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.traffic.dns import LookUp

LEAST_CARRIED = 40  # bytes before the domain; names that people give are shorter
LEAST_LABEL = 24  # bytes of one label, which alone is suspicious
LEAST_DISORDER = 3.0  # bits for each letter; words have less, base32 of data has 4 and more from 24 letters on
LEAST_BYTES = 1500  # in all: a key or a page of text
LEAST_NAMES = 8
WITHIN_S = 600.0
MOST_DOMAINS = 1024  # watched, each with its latest names; 1.5 MB
MOST_NAMES = 64  # counted of each as distinct; a tunnel's are all distinct
# Of what long names are made by right: reverse look-ups, and the services that judge files and senders by a digest.
ORDINARY = frozenset(
    {"arpa", "mcafee.com", "trellix.com", "sophosxl.net", "mailshell.net", "spamhaus.org", "surbl.org"}
)
ORDINARY |= {
    "e5.sk",
    "barracudabrts.com",
    "trendmicro.com",
    "kaspersky-labs.com",
    "cymru.com",
    "dnswl.org",
    "uribl.com",
}
SHORT_LABEL = 3  # letters: the second last label of `example.co.uk` is no domain of somebody


class _Carried(Struct):
    """What a client's look-ups of one domain have carried. `names`: the latest distinct ones, as numbers."""

    first_s: float
    names: dict[int, None] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    bytes: int = 0
    count: int = 0
    latest_s: float = 0.0
    server: str = ""
    mac: str = ""


class Tunnels:
    """The look-ups of one department's devices; `now_s` is monotonic."""

    def __init__(self) -> None:
        self._carried: OrderedDict[tuple[str, str], _Carried] = OrderedDict()  # by client and domain, the latest last
        self._touched: dict[tuple[str, str], None] = {}

    @property
    def remembered(self) -> tuple[int, int]:
        """The number of clients' domains, and the most names of one: at most `MOST_DOMAINS` and `MOST_NAMES`."""
        return len(self._carried), max((len(one.names) for one in self._carried.values()), default=0)

    def follow(self, asked: LookUp, mac: str, now_s: float) -> None:
        """Follow a question. `mac`: of the frame."""
        domain = _domain(asked.name)
        carried = asked.name[: -len(domain) - 1]
        if not domain or not _is_data(carried) or domain in ORDINARY or domain.endswith(".arpa"):
            return
        key = asked.client, domain
        found = self._carried.get(key)
        if found is None or now_s - found.first_s > WITHIN_S:
            found = self._carried[key] = _Carried(now_s)
        self._carried.move_to_end(key)
        if len(self._carried) > MOST_DOMAINS:
            oldest, _ = self._carried.popitem(last=False)
            self._touched.pop(oldest, None)
        mark = hash(carried)
        if mark in found.names:
            return
        found.names[mark] = None
        if len(found.names) > MOST_NAMES:
            del found.names[next(iter(found.names))]
        if len(found.examples) < MOST_EXAMPLES:
            found.examples.append(asked.name)
        found.bytes += len(carried)
        found.count += 1
        found.latest_s, found.server, found.mac = now_s, asked.server, mac
        self._touched[key] = None

    def found(self) -> list[Evidence]:
        """The tunnels with a name since the previous call."""
        touched, self._touched = self._touched, {}
        return [
            _evidence(*key, one)
            for key in touched
            if (one := self._carried[key]).bytes >= LEAST_BYTES and one.count >= LEAST_NAMES
        ]


def _domain(name: str) -> str:
    """The domain whose server reads the rest: the last two labels, or three."""
    labels = name.rsplit(".", 3)
    if len(labels) < 3:
        return name if name == "arpa" else ""
    is_short = len(labels) > 3 and len(labels[-2]) <= SHORT_LABEL and len(labels[-1]) == 2
    return ".".join(labels[-3:] if is_short else labels[-2:])


def _is_data(carried: str) -> bool:
    if len(carried) < LEAST_CARRIED and max(map(len, carried.split("."))) < LEAST_LABEL:
        return False
    letters = carried.replace(".", "")
    counts = [letters.count(one) for one in set(letters)]
    return -sum(one * log2(one / len(letters)) for one in counts) / len(letters) >= LEAST_DISORDER


def _evidence(client: str, domain: str, one: _Carried) -> Evidence:
    took_s = max(1, round(one.latest_s - one.first_s))
    return Evidence(
        kind=IncidentKind.DNS_TUNNEL,
        source=client,
        count=one.bytes,
        details=(
            f"{client} looked up {one.count} distinct long names of {domain} within {took_s} s, which hold {one.bytes} "
            f"bytes that look like data, such as {one.examples[0]}"
        ),
        expected=f"fewer than {LEAST_BYTES} bytes in {WITHIN_S / 60:.0f} minutes",
        first_s=one.first_s,
        latest_s=one.latest_s,
        peers=(domain, one.server),
        senders={one.mac: one.bytes},
        ports=("53",),
        values={
            "names": one.count,
            "domain": domain,
            "seconds": took_s,
            "bytes": one.bytes,
            "example": one.examples[0],
            "least": LEAST_BYTES,
            "within": round(WITHIN_S),
        },
    )
