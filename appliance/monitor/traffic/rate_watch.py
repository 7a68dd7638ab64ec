"""Watches the rates of departments: what passed becomes a rate, a rate that is unusual becomes an anomaly.

Metering hands over what passed, of departments and of their hosts, as it hands it to the history; every analytics
period the mean rates since the previous one are judged. What was learned is saved each hour and at the end, so that a
restart does not begin a week again; every anomaly is saved when it is told.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET

from appliance import events
from appliance.core.detection.rates.anomaly import UP, Anomaly, Contributor, StoredAnomaly
from appliance.core.detection.rates.contributors import Contributors
from appliance.core.detection.rates.department_rates import DepartmentRates
from appliance.core.detection.rates.expectation import Clock
from appliance.core.detection.rates.outflow import Outflows, Sent
from appliance.core.metering.history_series import Series
from appliance.core.metering.usage import NOTHING, Passed, plus
from appliance.core.moment import Moment, timestamp
from appliance.ports import Publisher, RateStore

SAVE_S = 3600.0  # a power cut loses an hour of weeks; 64 departments write 3 MB a day to the SD card


class HostNames(Protocol):
    """Hosts as people know them."""

    def describe(self, department: str, host: str) -> "NamedHost":
        """The host's name."""


class NamedHost(Protocol):
    """A host that has a name."""

    @property
    def name(self) -> str:
        """An address, or the hardware address."""

    @property
    def mac(self) -> str | None:
        """The hardware address; `None` behind a router."""

    @property
    def addresses(self) -> Sequence[str]:
        """Its addresses."""


class RateWatch:
    """Judges each department's rates and publishes anomalies."""

    def __init__(
        self, departments: Iterable[str], zone: ZoneInfo, store: RateStore, names: HostNames, publish: Publisher
    ) -> None:
        """`zone`: of the people's clock, by which days are learned."""
        saved = store.learned_rates()
        self._rates = {one: DepartmentRates(saved.get(one, b"")) for one in departments}
        self._contributors = {one: Contributors() for one in self._rates}
        sent = store.sent_volumes()
        self._outflows = {one: Outflows(sent.get(one, b"")) for one in self._rates}
        self._found: dict[str, list[Sent]] = {}
        self._zone, self._store, self._names, self._publish = zone, store, names, publish
        self._passed: dict[str, Passed] = {}
        self._judged_s: float | None = None
        self._saved_s: float | None = None

    def record_passed(self, departments: Mapping[str, Passed], hosts: Mapping[Series, Passed], now: Moment) -> None:
        """Adds what passed since the previous call."""
        for department, passed in departments.items():
            self._passed[department] = plus(self._passed.get(department, NOTHING), passed)
        for (department, host), passed in hosts.items():
            if department in self._contributors:
                self._contributors[department].add(host, passed.up_bytes, passed.down_bytes, now.monotonic_s)
                self._outflows[department].add(host, passed.up_bytes)

    def step(self, now: Moment) -> None:
        """Judges the mean rates since the previous step."""
        passed, self._passed = self._passed, {}
        before_s, self._judged_s = self._judged_s, now.monotonic_s
        if before_s is None or now.monotonic_s <= before_s:
            self._saved_s = now.monotonic_s
            return
        elapsed_s = now.monotonic_s - before_s
        for department, rates in self._rates.items():
            one = passed.get(department, NOTHING)
            found = rates.judge(
                one.up_bytes / elapsed_s,
                one.down_bytes / elapsed_s,
                self._clock(now),
                now.wall.timestamp(),
                partial(self._contributor, department, now),
            )
            if found is not None:
                self._tell(department, found, now)
            self._judge_outflows(department, now)
        if now.is_due(self._saved_s, SAVE_S):
            self.save(now)

    def save(self, now: Moment) -> None:
        """Saves what was learned."""
        self._saved_s = now.monotonic_s
        self._store.save_learned_rates({department: one.state for department, one in self._rates.items()})
        self._store.save_sent_volumes({department: one.state for department, one in self._outflows.items()})

    def expected(self, department: str, now: Moment) -> tuple[float, float] | None:
        """The usual least and most bytes per second now, both directions together; `None`: too little is known."""
        clock = self._clock(now)
        return self._rates[department].expected(clock) if clock else None

    def outflows(self, department: str) -> Sequence[Sent]:
        """The devices that were found since the previous call to send far too much."""
        return self._found.pop(department, ())

    def anomalies(
        self, departments: Sequence[str], since: datetime, until: datetime, most: int
    ) -> Sequence[events.AnalyticsAnomaly]:
        """Those that were told in this range, the newest first, at most so many."""
        return [
            events.AnalyticsAnomaly(
                timestamp=timestamp(one.at),
                department_id=one.department,
                anomaly=msgspec.json.decode(one.facts, type=events.AnomalyFacts),
            )
            for one in self._store.anomalies(departments, since, until, most)
        ]

    def _clock(self, now: Moment) -> Clock | None:
        """The people's clock; `None` while it is not trusted: no hour may learn what passed at another."""
        if not now.is_trusted:
            return None
        local = now.wall.astimezone(self._zone)
        return Clock(local.weekday(), local.hour * 3600 + local.minute * 60 + local.second)

    def _judge_outflows(self, department: str, now: Moment) -> None:
        day = now.wall.astimezone(self._zone).date().toordinal() if now.is_trusted else None
        for found in self._outflows[department].judge(day, now.monotonic_s):
            host = self._names.describe(department, found.device)
            self._found.setdefault(department, []).append(Sent(found, host.mac, tuple(host.addresses)))

    def _contributor(self, department: str, now: Moment, direction: str) -> Contributor | None:
        found = self._contributors[department].most(direction == UP, now.monotonic_s)
        if found is None:
            return None
        return Contributor(self._names.describe(department, found[0]).name, found[1])

    def _tell(self, department: str, found: Anomaly, now: Moment) -> None:
        facts = anomaly_facts(found)
        self._store.add_anomaly(StoredAnomaly(department, now.wall, msgspec.json.encode(facts)))
        self._publish(events.AnalyticsAnomaly(timestamp=timestamp(now.wall), department_id=department, anomaly=facts))


def anomaly_facts(found: Anomaly) -> events.AnomalyFacts:
    """The anomaly as it is on the wire."""
    return events.AnomalyFacts(
        type=found.type,
        severity=found.severity,
        details=found.details,
        confidence=found.confidence,
        direction=found.direction if found.direction is not None else UNSET,
        rate=round(found.rate),
        expected=events.ExpectedRate(low=round(found.low), high=round(found.high)),
        since=timestamp(datetime.fromtimestamp(found.since_s, UTC)),
        top=found.contributor.host if found.contributor is not None else UNSET,
        days=found.days or UNSET,
        top_rate=round(found.contributor.rate) if found.contributor is not None else UNSET,
    )
