"""Insight: captured frames become visited sites, active devices and incidents; rates become trends.

`site_watch` has the sites and `incident_watch` the incidents; this gives them their packets, and publishes the rates.

A frame belongs to the department at whose interface it was captured; where several departments share the interface, to
those that own one of its ends. Frames are processed as often as they arrive; results are published every analytics
period.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

from msgspec import UNSET

from appliance import events
from appliance.core.blocking.block import Block
from appliance.core.blocking.place import Hit
from appliance.core.detection.abuse.arp import AddressClaim, AddressQuestion, claim_in, question_in
from appliance.core.detection.rates.outflow import Sent
from appliance.core.detection.response import Response
from appliance.core.machine import Link, Network
from appliance.core.metering.department import Department, holds, networks_of
from appliance.core.moment import Moment, timestamp
from appliance.core.traffic.devices.clue import Clue
from appliance.core.traffic.devices.server_sign import ServerSign
from appliance.core.traffic.dns import DnsAnswer
from appliance.core.traffic.flows.contact import Happening
from appliance.core.traffic.naming import NameRules
from appliance.core.traffic.packet import Packet, decode
from appliance.core.traffic.script import shown
from appliance.core.traffic.sites import Averages, Site, trend_of, update_averages
from appliance.monitor.traffic.incident_watch import DepartmentWatch, IncidentWatch
from appliance.monitor.traffic.site_watch import SiteReport, SiteWatch, Websites
from appliance.ports import Capture, Publisher


class LineRates(Protocol):
    """How fast each department's line is used."""

    def rate_bytes_s(self, department: str) -> float:
        """Bytes per second, in and out."""


class Addressed(Protocol):
    """Devices and their addresses."""

    def routers(self, department: str) -> Collection[str]:
        """The MAC addresses behind which the department has many hosts."""

    def hear(self, department: str, mac: str, address: str, now: Moment) -> None:
        """Learn from a packet that it went to this device for this address."""


class UsualRates(Protocol):
    """What is usual for each department's line, and what was not."""

    def expected(self, department: str, now: Moment) -> tuple[float, float] | None:
        """The usual least and most bytes per second now, in and out; `None`: too little is known."""

    def outflows(self, department: str) -> Sequence[Sent]:
        """The devices that were found since the previous call to send far too much."""

    def anomalies(
        self, departments: Sequence[str], since: datetime, until: datetime, most: int
    ) -> Sequence[events.AnalyticsAnomaly]:
        """Those that were told in this range, the newest first, at most so many."""


Strangers = Sequence[tuple[str, ServerSign]]  # by department


class DeviceClues(Protocol):
    """Learns of devices from frames."""

    def hear(self, interface: str, clue: Clue, now: Moment) -> None:
        """Take what a frame told of a device."""

    def read_packet(self, interface: str, packet: Packet, now: Moment) -> Strangers:
        """Take what a packet tells; returns the servers in it that are none of a department's."""

    def read_frame(self, interface: str, frame: bytes, now: Moment) -> Strangers:
        """Take what a frame tells that is neither a packet with ports nor of ARP; returns the same."""


class MeteredLines(Protocol):
    """What metering measured last."""

    @property
    def links(self) -> Mapping[str, Link]:
        """The interfaces by name; they give the networks of departments without subnets."""

    @property
    def lines(self) -> LineRates:
        """The rates by department."""

    @property
    def devices(self) -> Addressed:
        """The devices, of which packets show the addresses."""


class Blocking(Protocol):
    """Learns where blocked names resolve to."""

    def refuses(self, department: str, name: str) -> bool:
        """Whether the kernel refuses the department's look-ups of this name, so that nobody is asked."""

    def hear(self, department: str, answer: DnsAnswer, now: Moment) -> None:
        """Learn from the answer that a name server gave to a host of the department."""


class _Activity:
    """What is known of one department's traffic between two steps."""

    def __init__(
        self,
        department: Department,
        rules: NameRules,
        response: Response | None,
        blocking: Blocking,
    ) -> None:
        self.department = department
        self.sites = SiteWatch(rules, partial(blocking.refuses, department.id))
        self.watch = DepartmentWatch(department, response)
        self.averages: Averages | None = None
        self.set_networks(department.subnets or None)

    def set_networks(self, networks: tuple[Network, ...] | None) -> None:
        """Set the networks of the department; `None`: they are not known."""
        self.networks = self.sites.networks = self.watch.networks = networks

    def owns(self, packet: Packet) -> bool:
        """Whether an end of the packet is in the department; needed where departments share an interface."""
        return holds(self.networks, packet.source) or holds(self.networks, packet.destination)

    def follow(self, packet: Packet, now_s: float) -> Sequence[DnsAnswer]:
        """Evaluate one packet; returns the DNS answers in it that a host of the department had asked for."""
        self.watch.incidents.follow(packet, now_s)
        return [*self.sites.follow(packet, now_s)]


class Insight:
    """Watches the traffic of departments. `usual_rates`: what it publishes as expected; `incidents`: told by it."""

    def __init__(
        self,
        *,
        departments: Sequence[Department],
        capture: Capture,
        rules: NameRules,
        metering: MeteredLines,
        blocking: Blocking,
        response: Response | None,
        usual_rates: UsualRates,
        incidents: IncidentWatch,
        devices: DeviceClues,
        publish: Publisher,
    ) -> None:
        """`rules`: how websites are told. `response`: which incidents are blocked; `None`: none.

        `devices`: learns of devices from frames.
        """
        self._capture, self._blocking, self.incidents = capture, blocking, incidents
        self._metering, self.usual_rates, self._websites = metering, usual_rates, Websites()
        self._devices, self._publish = devices, publish
        self._activities = {one.id: _Activity(one, rules, response, blocking) for one in departments}
        self._by_interface: dict[str, list[_Activity]] = {}
        for activity in self._activities.values():
            self._by_interface.setdefault(activity.department.interface, []).append(activity)

    def process_frames(self, now: Moment) -> int:
        """Evaluate one batch of frames; returns their number, so that the caller yields and comes back for more."""
        frames = self._capture.frames()
        for frame in frames:
            packet = decode(frame.data)
            if packet is not None:
                self._process(frame.interface, packet, now)
            elif (claim := claim_in(frame.data)) is not None:
                self._devices.hear(frame.interface, Clue(claim.mac, claim.address), now)
                self._process_claim(frame.interface, claim, now)
                self._process_question(frame.interface, question_in(frame.data), now)
            else:
                self._follow_strangers(self._devices.read_frame(frame.interface, frame.data, now), now)
        return len(frames)

    def _follow_strangers(self, strangers: Strangers, now: Moment) -> None:
        for department, sign in strangers:
            self._activities[department].watch.incidents.follow_stranger(sign, now.monotonic_s)

    def _process_claim(self, interface: str, claim: AddressClaim, now: Moment) -> None:
        links = self._metering.links.values()
        is_own = any(claim.address == str(one.ip) for link in links for one in link.addresses)
        own = {link.mac for link in links} if is_own else ()
        activities = self._by_interface.get(interface, [])
        for activity in activities:
            if len(activities) == 1 or holds(activity.networks, claim.address):
                activity.watch.incidents.follow_claim(claim, own, now.monotonic_s)

    def _process_question(self, interface: str, question: AddressQuestion | None, now: Moment) -> None:
        if question is None or any(question.mac == link.mac for link in self._metering.links.values()):
            return
        activities = self._by_interface.get(interface, [])
        for activity in activities:
            # A router asks for whomever its own hosts, or strangers, look for.
            is_own = len(activities) == 1 or holds(activity.networks, question.address)
            if is_own and question.mac not in activity.sites.routers:
                activity.watch.incidents.follow_question(question, now.monotonic_s)

    def judge(self, now: Moment) -> None:
        """Tell what has become of the incidents, every second."""
        for activity in self._activities.values():
            self.incidents.judge(activity.watch, self._metering.links, now)

    def report_stopped(self, stopped: Sequence[tuple[Block, Hit]], now: Moment) -> None:
        """Learn which blocks have stopped whom in the last minute."""
        for activity in self._activities.values():
            self.incidents.report_stopped(activity.watch, stopped, now)

    def step(self, now: Moment) -> None:
        """Judge each department and publish, every analytics period."""
        self._count(self._websites.due(now.monotonic_s), now)
        for activity in self._activities.values():
            activity.set_networks(networks_of(activity.department, self._metering.links))
            activity.sites.routers = frozenset(self._metering.devices.routers(activity.department.id))
            for sent in self.usual_rates.outflows(activity.department.id):
                self.incidents.report_outflow(activity.watch, sent, now)
            self.incidents.judge(activity.watch, self._metering.links, now)
            rate = self._metering.lines.rate_bytes_s(activity.department.id)
            activity.averages = update_averages(activity.averages, rate, now.monotonic_s)
            expected = self.usual_rates.expected(activity.department.id, now)
            self._publish(_update(activity, rate, expected, now))

    def devices(self, department: str, now: Moment) -> frozenset[str]:
        """The MAC addresses of devices that were active in the last 5 minutes; behind a router, the router's."""
        return self._activities[department].sites.devices.present(now.monotonic_s)

    def has_unseen(self, now: Moment) -> bool:
        """Whether an incident is open that nobody has acknowledged."""
        return bool(self.incidents.log.unseen(now))

    def open_incidents(self, department: str, now: Moment) -> int:
        """The number of open incidents that are not muted."""
        return self.incidents.count_open(self._activities[department].watch, now)

    def sites(self, department: str, most: int, now: Moment) -> SiteReport:
        """The department's websites in the last hour, at most so many."""
        return self._activities[department].sites.report(now.monotonic_s, most, self._websites.unread)

    def _process(self, interface: str, packet: Packet, now: Moment) -> None:
        activities = self._by_interface.get(interface, [])
        for activity in activities:
            if len(activities) == 1 or activity.owns(packet):
                self._metering.devices.hear(activity.department.id, packet.destination_mac, packet.destination, now)
                for answer in activity.follow(packet, now.monotonic_s):
                    self._blocking.hear(activity.department.id, answer, now)
        self._follow_strangers(self._devices.read_packet(interface, packet, now), now)
        if activities:
            self._count(self._websites.read(interface, packet, now.monotonic_s), now)

    def _count(self, happenings: Sequence[Happening], now: Moment) -> None:
        for happening in happenings:
            for activity in self._by_interface.get(happening.contact.ends.scope, []):
                activity.sites.take(happening, now.monotonic_s)


def _update(
    activity: _Activity, rate: float, expected: tuple[float, float] | None, now: Moment
) -> events.AnalyticsUpdate:
    watch, now_s = activity.sites, now.monotonic_s
    share = watch.contacts(now_s).unnamed_share
    return events.AnalyticsUpdate(
        timestamp=timestamp(now.wall),
        department_id=activity.department.id,
        metrics=events.AnalyticsMetrics(
            active_users=watch.active_users(now_s),
            top_websites=[_website(site) for site in watch.top_sites(now_s)],
            bandwidth=events.Bandwidth(current=round(rate), trend=trend_of(activity.averages)),
            expected=events.ExpectedRate(low=round(expected[0]), high=round(expected[1])) if expected else UNSET,
            unnamed_share=UNSET if share is None else round(share, 3),
        ),
    )


def _website(site: Site) -> events.Website:
    return events.Website(
        domain=shown(site.domain),
        visits=site.visits,
        bytes=UNSET if site.bytes is None else site.bytes,
        devices=len(site.devices),
    )
