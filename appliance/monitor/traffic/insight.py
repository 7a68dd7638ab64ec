"""Insight: captured frames become visited sites, active devices and incidents; rates become trends and anomalies.

A frame belongs to the department whose interface it was captured on; where several share one, to those that one of
its ends is in. Taking frames and telling what they mean are two steps: the first runs as often as frames come, the
second every analytics period.
"""

from collections.abc import Callable, Sequence

from appliance.core.blocking.block import BlockRequest
from appliance.core.detection import anomaly
from appliance.core.detection.anomaly import Anomaly, Baseline
from appliance.core.detection.incident import IncidentChange, Incidents, IncidentUpdate
from appliance.core.detection.response import Response, Responses
from appliance.core.metering.department import Department, Network, holds
from appliance.core.moment import Moment, timestamp
from appliance.core.traffic.dns import DnsAnswer, answer_in
from appliance.core.traffic.packet import TCP, Packet, decode
from appliance.core.traffic.presence import Presence
from appliance.core.traffic.sites import Analytics, Averages, trend_of, update_averages
from appliance.events import (
    AnalyticsAnomaly,
    AnalyticsMetrics,
    AnalyticsUpdate,
    AnomalyFacts,
    Bandwidth,
    IncidentFacts,
    SecurityIncident,
    Website,
)
from appliance.ports import Capture, Publisher


class _Scene:
    """What is known of one department between two steps."""

    def __init__(
        self, department: Department, registrable: Callable[[str], str | None], response: Response | None
    ) -> None:
        self.department = department
        self.analytics = Analytics(registrable)
        self.incidents = Incidents()
        self.responses = Responses(department.id, response)
        self.devices = Presence()
        self.baseline = Baseline()
        self.averages: Averages | None = None
        self.networks: tuple[Network, ...] | None = department.subnets or None

    def concerns(self, packet: Packet) -> bool:
        """Whether an end of the packet is in the department: asked where another has the same interface."""
        return holds(self.networks, packet.source) or holds(self.networks, packet.destination)

    def take(self, packet: Packet, now_s: float) -> DnsAnswer | None:
        """Learn what one packet tells; returns the answer of a name server to the department that is in it."""
        answer = answer_in(packet)
        if answer is not None and not holds(self.networks, answer.client):
            answer = None
        if answer is not None:
            self.analytics.count_visit(answer, now_s)
            self.devices.mark_seen(packet.destination_mac, now_s)
        if packet.protocol == TCP:
            self.incidents.follow(packet, now_s)
            # Who opens a connection is somebody; who answers one may be a server.
            if packet.opens and holds(self.networks, packet.source):
                self.analytics.mark_active(packet.source, now_s)
                self.devices.mark_seen(packet.source_mac, now_s)
        return answer


class Insight:
    """Watches what departments do. `rate_of` (bytes per second) and `networks_of` are asked by id; `None`: unknown."""

    def __init__(
        self,
        departments: Sequence[Department],
        capture: Capture,
        registrable: Callable[[str], str | None],
        rate_of: Callable[[str], float | None],
        networks_of: Callable[[str], tuple[Network, ...] | None],
        hear: Callable[[str, DnsAnswer, Moment], None],
        response: Response | None,
        order: Callable[[BlockRequest, Moment], bool],
        publish: Publisher,
    ) -> None:
        """`hear`: is told the answers that a department's hosts get from name servers.

        `order`: asks for a block; whether there is no use in asking again. `response`: when that is done.
        """
        self._capture = capture
        self._rate_of = rate_of
        self._networks_of = networks_of
        self._hear = hear
        self._order = order
        self._publish = publish
        self._scenes = {one.id: _Scene(one, registrable, response) for one in departments}
        self._by_interface: dict[str, list[_Scene]] = {}
        for scene in self._scenes.values():
            self._by_interface.setdefault(scene.department.interface, []).append(scene)

    def observe(self, now: Moment) -> int:
        """Take one batch of frames; returns how many there were, so that the caller yields and comes back for more."""
        frames = self._capture.frames()
        for frame in frames:
            packet = decode(frame.data)
            if packet is not None:
                self._take(self._by_interface.get(frame.interface, []), packet, now)
        return len(frames)

    def _take(self, scenes: Sequence[_Scene], packet: Packet, now: Moment) -> None:
        for scene in scenes:
            if len(scenes) == 1 or scene.concerns(packet):
                answer = scene.take(packet, now.monotonic_s)
                if answer is not None:
                    self._hear(scene.department.id, answer, now)

    def step(self, now: Moment) -> None:
        """Judge and tell, every analytics period."""
        for scene in self._scenes.values():
            scene.networks = self._networks_of(scene.department.id)
            self._tell_incidents(scene, now)
            self._respond(scene, now)
            rate = self._rate_of(scene.department.id)
            if rate is not None:
                self._judge_rate(scene, rate, now)
            self._publish(_update(scene, rate or 0.0, now))

    def devices(self, department: str, now: Moment) -> frozenset[str]:
        """The MAC addresses of devices that did something in the last 5 minutes; behind a router, the router's."""
        return self._scenes[department].devices.present(now.monotonic_s)

    def open_incidents(self, department: str) -> int:
        """How many incidents are open."""
        return len(self._scenes[department].incidents.open())

    def _tell_incidents(self, scene: _Scene, now: Moment) -> None:
        for news in scene.incidents.judge(now.monotonic_s):
            self._publish(_incident(scene.department.id, news, now))

    def _respond(self, scene: _Scene, now: Moment) -> None:
        for request in scene.responses.due(scene.incidents.open()):
            if self._order(request, now):
                scene.responses.mark_requested(request, now.monotonic_s)

    def _judge_rate(self, scene: _Scene, rate: float, now: Moment) -> None:
        scene.averages = update_averages(scene.averages, rate, now.monotonic_s)
        scene.baseline, found = anomaly.judge(scene.baseline, rate, now.monotonic_s)
        if found is not None:
            self._publish(_anomaly(scene.department.id, found, now))


def _incident(department: str, news: IncidentUpdate, now: Moment) -> SecurityIncident:
    return SecurityIncident(
        timestamp=timestamp(now.wall),
        department_id=department,
        severity=news.incident.severity,
        incident=IncidentFacts(
            type=news.incident.kind,
            source=news.incident.source,
            details=news.incident.details,
            state="closed" if news.change is IncidentChange.CLOSED else "open",
        ),
    )


def _anomaly(department: str, found: Anomaly, now: Moment) -> AnalyticsAnomaly:
    return AnalyticsAnomaly(
        timestamp=timestamp(now.wall),
        department_id=department,
        anomaly=AnomalyFacts(
            type=found.type, severity=found.severity, details=found.details, confidence=found.confidence
        ),
    )


def _update(scene: _Scene, rate: float, now: Moment) -> AnalyticsUpdate:
    sites = scene.analytics.top_sites(now.monotonic_s)
    return AnalyticsUpdate(
        timestamp=timestamp(now.wall),
        department_id=scene.department.id,
        metrics=AnalyticsMetrics(
            active_users=scene.analytics.active_users(now.monotonic_s),
            top_websites=[Website(domain=site.domain, visits=site.visits) for site in sites],
            bandwidth=Bandwidth(current=round(rate), trend=trend_of(scene.averages)),
        ),
    )
