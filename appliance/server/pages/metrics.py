"""Metrics for Prometheus: what the monitors know at the moment of a scrape, and what the server counts of itself.

Nothing is kept between two scrapes, so that no figure can part from what events tell. A scrape shows the departments
that its token may see, like every other way to ask. Of the hosts only those that carried most are named: there may be
thousands, and each name is a series that Prometheus keeps for ever.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import eventlet

from appliance.core.access.client_address import client_network
from appliance.core.access.rate_limit import Rate, RateLimit
from appliance.core.metering.account import Books
from appliance.core.moment import Moment
from appliance.core.operations.health import HealthFacts
from appliance.core.refusal import Code, Refused
from appliance.monitor.blocking.enforcement import Enforcement
from appliance.monitor.metering.departments import Metering
from appliance.monitor.operations.status import StatusMonitor
from appliance.server.access import Grant
from appliance.server.access.admission import TokenAdmission
from appliance.server.http.request_filter import Environ
from appliance.server.http.site import Answer
from appliance.server.pages.bearer import grant_of, unauthorized

if TYPE_CHECKING:
    from prometheus_client.core import Metric

SCRAPES = Rate(rate_per_s=0.5, burst=10)  # of each address; a page may take 20 ms, and Prometheus asks every 15 s
MOST_SCRAPERS = 10_000  # addresses that are remembered, 100 bytes each
MOST_HOSTS = 10  # of each department; with both directions 1,280 series for 64 departments
CONTENT = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[tuple[str, ...], float]  # the labels beyond the department's, and the value


@dataclass(frozen=True, slots=True)
class Watched:
    """The monitors that are asked."""

    metering: Metering
    enforcement: Enforcement
    condition: StatusMonitor

    def stopped(self) -> Mapping[str, int]:
        """By origin, the packets that did not pass; nothing where the position can stop none."""
        by_blocks = self.enforcement.stopped()
        return {**by_blocks, "quota": self.metering.meters.refused_packets()} if by_blocks else {}


@dataclass(frozen=True, slots=True)
class Figures:
    """What the server counts of itself; what ends in `_total` since its start."""

    clients: int
    connections: int
    connections_refused_total: int
    connections_evicted_total: int
    logins_refused_total: int
    events_published_total: int
    clients_given_up_total: int
    packets_waiting: int


_FIGURES = {
    "clients": "Clients that are logged in",
    "connections": "Open connections, strangers' too",
    "connections_refused_total": "Connections that found no place",
    "connections_evicted_total": "Strangers' connections that gave way to newer ones",
    "logins_refused_total": "Logins with a token or password that was no good",
    "events_published_total": "Events that were sent to their audience",
    "clients_given_up_total": "Clients that were disconnected because they did not keep up",
    "packets_waiting": "Packets that wait for clients that are behind",
}

_STOPPED = "Packets that did not pass, look-ups too, by who wanted the block: a person, a list, detection, or a quota"


@dataclass(frozen=True, slots=True)
class _Sight:
    """A department at the moment of a scrape. `facts`: `None` before it was judged for the first time."""

    id: str
    watched: Watched
    facts: HealthFacts | None
    books: Sequence[Books]

    def bytes_by_direction(self) -> Iterator[Sample]:
        reading = self.watched.metering.meters.readings.get(self.id)
        if reading is not None:
            yield ("up",), reading.up_bytes
            yield ("down",), reading.down_bytes

    def bytes_by_host(self) -> Iterator[Sample]:
        for host, reading in self.watched.metering.hosts.busiest(self.id, MOST_HOSTS):
            yield (host, "up"), reading.up_bytes
            yield (host, "down"), reading.down_bytes

    def fact(self, tell: Callable[[HealthFacts], float | None]) -> Iterator[Sample]:
        value = None if self.facts is None else tell(self.facts)
        if value is not None:
            yield (), value


@dataclass(frozen=True, slots=True)
class _Row:
    """A metric of departments. `labels`: beyond the department's; `samples`: what one department has to tell."""

    name: str
    says: str
    samples: Callable[[_Sight], Iterable[Sample]]
    labels: tuple[str, ...] = ()


_ROWS = (
    _Row(
        "department_bytes_total",
        "L3 bytes that the kernel has metered since the meter was made",
        _Sight.bytes_by_direction,
        ("direction",),
    ),
    _Row(
        "host_bytes_total",
        f"The same of the {MOST_HOSTS} hosts of each department that carried most",
        _Sight.bytes_by_host,
        ("host", "direction"),
    ),
    _Row(
        "department_bytes_per_second",
        "Bytes a second in and out over the last metering period",
        lambda sight: [((), sight.watched.metering.lines.rate_bytes_s(sight.id))],
    ),
    _Row(
        "department_utilization_ratio",
        "The busier direction's share of the line rate, 0 to 1",
        lambda sight: [((), sight.watched.metering.lines.utilization(sight.id))],
    ),
    _Row(
        "department_unaccounted_percent",
        "Of what the interface carried, what no meter claims",
        lambda sight: [((), sight.watched.metering.lines.unaccounted_percent(sight.id))],
    ),
    _Row(
        "ledger_bytes",
        "Bytes charged in the quota period that runs",
        lambda sight: [((one.kind,), one.used_bytes) for one in sight.books],
        ("period",),
    ),
    _Row(
        "ledger_limit_bytes",
        "The limit of that period, where there is one",
        lambda sight: [((one.kind,), one.limit_bytes) for one in sight.books if one.limit_bytes is not None],
        ("period",),
    ),
    _Row(
        "department_link_up",
        "Whether the department's interface is there and up",
        lambda sight: sight.fact(lambda facts: facts.is_up),
    ),
    _Row("blocks_wanted", "Blocks that should be in force", lambda sight: sight.fact(lambda facts: facts.wanted)),
    _Row(
        "blocks_enforced",
        "Blocks that the kernel says are in force; absent: it could not be asked",
        lambda sight: sight.fact(lambda facts: facts.enforced),
    ),
    _Row("incidents_open", "Open incidents", lambda sight: sight.fact(lambda facts: facts.open_incidents)),
)


class Metrics:
    """The page `/metrics`."""

    def __init__(
        self,
        watched: Watched,
        departments: Collection[str],
        admission: TokenAdmission,
        figures: Callable[[], Figures],
        simulated: bool,
        clock: Callable[[], Moment],
    ) -> None:
        self._watched = watched
        self._departments = departments
        self._admission = admission
        self._figures = figures
        self._simulated = simulated
        self._clock = clock
        self._scrapes = RateLimit(SCRAPES, MOST_SCRAPERS)

    def page(self, environ: Environ) -> Answer:
        """What the token that comes with the request may see."""
        now = self._clock()
        try:
            grant = grant_of(environ, self._admission, now)
            if self._scrapes.spend(client_network(environ["REMOTE_ADDR"]), now.monotonic_s):
                raise Refused(Code.RATE_LIMITED, "too many scrapes; ask every 15 s")
        except Refused as refused:
            return unauthorized(refused)
        return Answer(CONTENT, self._rendered(grant, now))

    def _rendered(self, grant: Grant, now: Moment) -> str:
        from prometheus_client import CollectorRegistry, generate_latest  # 1.3 MB that who never scrapes need not pay

        watched, figures = self._watched, self._figures()
        visible = sorted(one for one in self._departments if grant.may_see(one))
        facts = watched.condition.facts
        sights = [_Sight(one, watched, facts.get(one), watched.metering.books(one, now)) for one in visible]
        registry = CollectorRegistry(auto_describe=False)
        troubles = len(watched.condition.troubles(now))
        registry.register(_Collector(lambda: _families(sights, figures, troubles, watched, self._simulated)))
        return generate_latest(registry).decode()


class _Collector:
    """What prometheus_client asks for a scrape."""

    def __init__(self, collect: Callable[[], Iterator["Metric"]]) -> None:
        self.collect = collect


def _families(
    sights: Sequence[_Sight], figures: Figures, troubles: int, watched: Watched, simulated: bool
) -> Iterator["Metric"]:
    for row in _ROWS:
        eventlet.sleep(0)  # 64 departments take 23 ms, in which the others have their turn eleven times
        samples = ((sight.id, *labels, value) for sight in sights for labels, value in row.samples(sight))
        yield _family(row.name, row.says, ("department", *row.labels), samples)
    yield _family("packets_stopped_total", _STOPPED, ("origin",), watched.stopped().items())
    for field in fields(figures):
        yield _family(field.name, _FIGURES[field.name], (), [(getattr(figures, field.name),)])
    yield _family("troubles", "Things that it does not do; /healthz says which", (), [(troubles,)])
    yield _family("simulated", "1: nothing of all this is real", (), [(simulated,)])


def _family(name: str, says: str, labels: Sequence[str], samples: Iterable[tuple[Any, ...]]) -> "Metric":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family: CounterMetricFamily | GaugeMetricFamily = kind(f"appliance_{name}", says, labels=labels)
    for *values, value in samples:
        family.add_metric([str(one) for one in values], float(value))
    return family
