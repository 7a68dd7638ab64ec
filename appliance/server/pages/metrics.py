"""Metrics for Prometheus: what the monitors know at the moment of a scrape, and what the server counts.

Nothing is kept between two scrapes, so that no figure differs from the events. A scrape shows the departments of its
token, like every other answer. Only the busiest hosts are named: there may be thousands, and each name is a series that
Prometheus keeps for ever.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import eventlet
from msgspec import Struct

from appliance.core.access.client_address import client_network
from appliance.core.access.rate_limit import Rate, RateLimit
from appliance.core.metering.account import Books
from appliance.core.operations.health import HealthFacts
from appliance.core.refusal import Code, Refused
from appliance.monitor.metering.departments import Metering
from appliance.server.http.request_filter import Environ
from appliance.server.http.site import Answer
from appliance.server.pages.bearer import grant_of, unauthorized
from appliance.server.pages.sources import PageSources

if TYPE_CHECKING:
    from prometheus_client.core import Metric

SCRAPES = Rate(rate_per_s=0.5, burst=10)  # of each address; a page may take 20 ms, and Prometheus asks every 15 s
MOST_SCRAPERS = 10_000  # addresses that are remembered, 100 bytes each
MOST_HOSTS = 10  # of each department; with both directions 1,280 series for 64 departments
CONTENT = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[tuple[str, ...], float]  # the labels beyond the department's, and the value


# The metrics of the server itself: name, help text and value. What ends in `_total` counts since its start.
_SERVER_ROWS: tuple[tuple[str, str, Callable[[PageSources], float]], ...] = (
    ("clients", "Clients that are logged in", lambda server: len(server.sessions)),
    ("connections", "Open connections, also without a login", lambda server: len(server.listener)),
    ("connections_refused_total", "Connections that found no place", lambda server: server.listener.refused),
    (
        "connections_evicted_total",
        "Connections without a login that gave way to newer ones",
        lambda server: server.listener.evicted,
    ),
    (
        "logins_refused_total",
        "Logins with a bad token or password",
        lambda server: server.login_backoff.refused + server.services.people.passwords.wrong,
    ),
    ("events_published_total", "Events that were sent to their audience", lambda server: server.fanout.published),
    (
        "clients_given_up_total",
        "Clients that were disconnected because they did not keep up",
        lambda server: server.fanout.given_up,
    ),
    ("packets_waiting", "Packets that wait for slow clients", lambda server: server.fanout.waiting),
    ("troubles", "Things that it does not do; /healthz says which", lambda server: len(server.troubles())),
    ("simulated", "1: nothing of all this is real", lambda server: server.fanout.simulated),
)

_STOPPED = "Packets that did not pass, look-ups too, by origin: a person, a list, detection, a quota, or a false source"


class _Department(Struct, frozen=True):
    """A department at the moment of a scrape. `facts`: `None` before its first health step."""

    id: str
    metering: Metering
    facts: HealthFacts | None
    books: Sequence[Books]

    def bytes_by_direction(self) -> Iterator[Sample]:
        reading = self.metering.meters.readings.get(self.id)
        if reading is not None:
            yield ("up",), reading.up_bytes
            yield ("down",), reading.down_bytes

    def bytes_by_host(self) -> Iterator[Sample]:
        for host, mark in self.metering.hosts.busiest(self.id, MOST_HOSTS):
            yield (host, "up"), mark.up_bytes
            yield (host, "down"), mark.down_bytes

    def fact(self, value_of: Callable[[HealthFacts], float | None]) -> Iterator[Sample]:
        value = None if self.facts is None else value_of(self.facts)
        if value is not None:
            yield (), value


class _DepartmentRow(Struct, frozen=True):
    """A metric of departments. `labels`: beside the department; `samples`: those of one department."""

    name: str
    help_text: str
    samples: Callable[[_Department], Iterable[Sample]]
    labels: tuple[str, ...] = ()


_DEPARTMENT_ROWS = (
    _DepartmentRow(
        "department_bytes_total",
        "L3 bytes that the kernel has metered since the meter was made",
        _Department.bytes_by_direction,
        ("direction",),
    ),
    _DepartmentRow(
        "host_bytes_total",
        f"The same of the {MOST_HOSTS} hosts of each department that carried most",
        _Department.bytes_by_host,
        ("host", "direction"),
    ),
    _DepartmentRow(
        "department_bytes_per_second",
        "Bytes a second in and out over the last metering period",
        lambda department: [((), department.metering.lines.rate_bytes_s(department.id))],
    ),
    _DepartmentRow(
        "department_utilization_ratio",
        "The busier direction's share of the line rate, 0 to 1",
        lambda department: [((), department.metering.lines.utilization(department.id))],
    ),
    _DepartmentRow(
        "department_unaccounted_percent",
        "Percentage of the interface's bytes that no meter counts",
        lambda department: [((), department.metering.lines.unaccounted_percent(department.id))],
    ),
    _DepartmentRow(
        "ledger_bytes",
        "Bytes charged in the quota period that runs",
        lambda department: [((one.kind,), one.used_bytes) for one in department.books],
        ("period",),
    ),
    _DepartmentRow(
        "ledger_limit_bytes",
        "The limit of that period, where there is one",
        lambda department: [((one.kind,), one.limit_bytes) for one in department.books if one.limit_bytes is not None],
        ("period",),
    ),
    _DepartmentRow(
        "department_link_up",
        "Whether the department's interface is there and up",
        lambda department: department.fact(lambda facts: facts.is_up),
    ),
    _DepartmentRow(
        "blocks_wanted",
        "Blocks that should be in force",
        lambda department: department.fact(lambda facts: facts.wanted),
    ),
    _DepartmentRow(
        "blocks_enforced",
        "Blocks that the kernel says are in force; absent: it could not be asked",
        lambda department: department.fact(lambda facts: facts.enforced),
    ),
    _DepartmentRow(
        "incidents_open", "Open incidents", lambda department: department.fact(lambda facts: facts.open_incidents)
    ),
)


class Metrics:
    """The page `/metrics`."""

    def __init__(self, sources: PageSources) -> None:
        self._sources = sources
        self._scrapes = RateLimit(SCRAPES, MOST_SCRAPERS)

    def page(self, environ: Environ) -> Answer:
        """The metrics that the token of the request covers."""
        now = self._sources.services.clock()
        try:
            grant = grant_of(environ, self._sources.admission, now)
            if self._scrapes.spend(client_network(environ["REMOTE_ADDR"]), now.monotonic_s):
                raise Refused(Code.RATE_LIMITED, "too many scrapes; ask every 15 s")
        except Refused as refused:
            return unauthorized(refused)
        from prometheus_client import generate_latest  # 1.3 MB, only where metrics are scraped

        services, facts = self._sources.services, self._sources.services.status.facts
        departments = [
            _Department(one, services.metering, facts.get(one), services.metering.books(one, now))
            for one in sorted(services.departments)
            if grant.may_see(one)
        ]
        return Answer(CONTENT, generate_latest(_Scrape(self._sources, departments)).decode())


class _Scrape(Struct, frozen=True):
    """A collector of prometheus_client. `departments`: those that the token covers."""

    sources: PageSources
    departments: Sequence[_Department]

    def collect(self) -> Iterator["Metric"]:
        """Every metric with its samples."""
        for row in _DEPARTMENT_ROWS:
            eventlet.sleep(0)  # 64 departments take 23 ms, in which other greenlets run eleven times
            samples = ((one.id, *labels, value) for one in self.departments for labels, value in row.samples(one))
            yield _family(row.name, row.help_text, ("department", *row.labels), samples)
        yield _family("packets_stopped_total", _STOPPED, ("origin",), self._stopped().items())
        for name, help_text, value in _SERVER_ROWS:
            yield _family(name, help_text, (), [(value(self.sources),)])

    def _stopped(self) -> Mapping[str, int]:
        """By origin, the packets that did not pass; empty where the position can stop none."""
        services = self.sources.services
        by_blocks = services.enforcement.stopped()
        meters = services.metering.meters
        own = {"quota": meters.refused_packets(), "false source": meters.spoofed_packets()}
        return {**by_blocks, **own} if by_blocks else {}


def _family(name: str, help_text: str, labels: Sequence[str], samples: Iterable[tuple[Any, ...]]) -> "Metric":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family: CounterMetricFamily | GaugeMetricFamily = kind(f"appliance_{name}", help_text, labels=labels)
    for *values, value in samples:
        family.add_metric([str(one) for one in values], float(value))
    return family
