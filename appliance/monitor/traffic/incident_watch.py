"""Watches for incidents: tells what has become of them, records it, and has proven sources blocked.

`insight` gives it what was captured; each department has incidents, and a response to them, of its own.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Protocol

from msgspec import UNSET

from appliance import events
from appliance.core.blocking.block import Block, BlockOrigin, BlockRequest
from appliance.core.blocking.place import Hit
from appliance.core.blocking.targets import TargetKind, kind_of
from appliance.core.detection.evidence import MOST_EXAMPLES, Evidence
from appliance.core.detection.incident import Incident, IncidentChange, IncidentUpdate
from appliance.core.detection.incident_record import ADVICE, IncidentDevice, IncidentRecord
from appliance.core.detection.open_incidents import Incidents
from appliance.core.detection.rates.outflow import Sent, outflow_evidence
from appliance.core.detection.response import Response, Responses
from appliance.core.detection.scan_evidence import listed_evidence
from appliance.core.machine import Link, Network
from appliance.core.metering.department import Department, holds
from appliance.core.moment import Moment, timestamp
from appliance.core.refusal import Refused
from appliance.core.traffic.devices.device_register import KnownDevice
from appliance.monitor.traffic.incident_log import IncidentLog
from appliance.ports import Neighbours, Publisher

log = logging.getLogger(__name__)

# A reading of the neighbour tables takes tens of milliseconds, and serves all departments. News says whether it is
# proven by a reading of its own second; an incident that goes on is looked at again before anybody would wait for it.
NEWS_S, OPEN_S = 0.5, 5.0

ADDRESSES = {TargetKind.ADDRESS, TargetKind.PREFIX}  # programs run into lists of names all day: advertising


class BlockOrders(Protocol):
    """Blocks addresses."""

    def block(self, requests: Sequence[BlockRequest], now: Moment) -> object:
        """Block these. Raises `Refused`."""


class KnownDevices(Protocol):
    """The register of devices."""

    def known(self, departments: Sequence[str], asked: str) -> KnownDevice | None:
        """The device with this hardware address or address in one of these departments; `None`: there is none."""

    def vendor(self, mac: str) -> str | None:
        """Who made the device; `None`: not known."""


class DepartmentWatch:
    """The incidents of one department, and the blocks that follow. `networks`: `None` where they are not known."""

    def __init__(self, department: Department, response: Response | None) -> None:
        """`response`: which incidents are blocked; `None`: none."""
        self.department = department
        self.incidents = Incidents()
        self.responses = Responses(department.id, response)
        self.networks: tuple[Network, ...] | None = department.subnets or None
        self.is_restored = False

    def is_inside(self, address: str) -> bool:
        """Whether this is certainly an address of the department."""
        return self.networks is not None and holds(self.networks, address)


class IncidentWatch:
    """Judges the incidents of departments."""

    def __init__(
        self,
        *,
        incident_log: IncidentLog,
        neighbours: Neighbours,
        register: KnownDevices,
        blocks: BlockOrders,
        publish: Publisher,
    ) -> None:
        """`neighbours`: the devices that the kernel knows by an address; `register`: names them."""
        self.log, self._register = incident_log, register
        self._neighbours, self._blocks, self._publish = neighbours, blocks, publish
        self._pairs: Mapping[str, set[tuple[str, str]]] = {}  # by interface: addresses, each with its hardware address
        self._read_s: float | None = None

    def judge(self, watch: DepartmentWatch, links: Mapping[str, Link], now: Moment) -> None:
        """Tell what has become of the incidents, and have the sources blocked that have proved themselves."""
        if not watch.is_restored:
            self.log.restore(watch.department.id, watch.incidents, now)
            watch.is_restored = True
        updates = watch.incidents.judge(now.monotonic_s, partial(self._compared, watch, now))
        self.log.habits.save(now)
        if updates or watch.incidents.open():
            self._read_neighbours(NEWS_S if updates else OPEN_S, now)
        link = links.get(watch.department.interface)  # the kernel knows the devices of a port at its bridge
        here = [watch.department.interface, *([link.master] if link and link.master else [])]
        has_address = partial(self._has_address, here)
        for update in updates:
            self._tell(watch, update, _as_proven(watch, update.incident, has_address), now)
        told = [one for one in watch.incidents.open() if self.log.muting(watch.department.id, one, now) is None]
        found = [_as_proven(watch, one, has_address) for one in told]
        self._respond(watch, [one for one in found if one is not None], now)

    def report_stopped(self, watch: DepartmentWatch, stopped: Sequence[tuple[Block, Hit]], now: Moment) -> None:
        """Learn which blocks have stopped whom in the last minute: who connects to a listed address is an incident.

        A stranger at a listed address who tries to connect is none: then the host has tried nothing.
        """
        for block, hit in stopped:
            is_ours = block.department in {None, watch.department.id} and watch.is_inside(hit.host)
            if is_ours and block.origin.startswith(BlockOrigin.LIST) and kind_of(block.target) in ADDRESSES:
                address = watch.incidents.tried(hit.host, block.target)
                if address is not None:
                    watch.incidents.report(listed_evidence(block, hit, address, now.monotonic_s))

    def report_outflow(self, watch: DepartmentWatch, sent: Sent, now: Moment) -> None:
        """Learn that a device sends far too much; those with whom it has spoken outside are named."""
        peers = (one for one in watch.incidents.peers_of(sent.addresses) if not watch.is_inside(one))
        watch.incidents.report(outflow_evidence(sent, [*islice(peers, MOST_EXAMPLES)], now.monotonic_s))

    def count_open(self, watch: DepartmentWatch, now: Moment) -> int:
        """The number of open incidents that are not muted."""
        return sum(self.log.muting(watch.department.id, one, now) is None for one in watch.incidents.open())

    def _tell(self, watch: DepartmentWatch, update: IncidentUpdate, proven: Incident | None, now: Moment) -> None:
        source = update.incident.source
        record = self.log.record(
            watch.department.id,
            update,
            is_inside=None if watch.networks is None else watch.is_inside(source),
            is_proven=proven is not None,
            known_devices=self._known_devices(watch.department.id, update.incident),
            now=now,
        )
        if self.log.muting(watch.department.id, update.incident, now) is None:
            reason = watch.responses.reason_against(update.incident, proven)
            self._publish(_event(update, record, now, is_proven=proven is not None, reason=reason))

    def _compared(self, watch: DepartmentWatch, now: Moment, found: Evidence) -> Evidence | None:
        """Beside what the source has done on other days; `None`: it is usual. Strangers outside have no habits."""
        return self.log.habits.consider(watch.department.id, found, now) if watch.is_inside(found.source) else found

    def _known_devices(self, department: str, found: Incident) -> tuple[IncidentDevice, ...]:
        """The devices behind the source, those it concerned, and those that sent it, each once."""
        devices: dict[str, IncidentDevice] = {}
        for asked in (found.source, *found.peers, *found.senders):
            device = self._register.known([department], asked)
            if device is not None and device.mac not in devices:
                address = "" if asked == device.mac else asked
                vendor = self._register.vendor(device.mac) or ""
                devices[device.mac] = IncidentDevice(device.mac, address, device.name, vendor)
        return tuple(devices.values())

    def _read_neighbours(self, period_s: float, now: Moment) -> None:
        if not now.is_due(self._read_s, period_s):
            return
        self._read_s, pairs = now.monotonic_s, defaultdict(set)
        for one in self._neighbours.sightings():
            if one.address:
                pairs[one.interface].add((str(one.address), one.mac))
        self._pairs = pairs

    def _has_address(self, interfaces: Sequence[str], address: str, mac: str) -> bool:
        """Whether the kernel knows a device with this hardware address by this address at one of these interfaces."""
        return any((address, mac) in self._pairs.get(name, ()) for name in interfaces)

    def _respond(self, watch: DepartmentWatch, incidents: Sequence[Incident], now: Moment) -> None:
        for request in watch.responses.due(incidents):
            refusal = None
            try:
                self._blocks.block([request], now)
            except Refused as refused:
                log.info("%s is refused: %s", request.actor, refused.message)
                refusal = refused.code
            watch.responses.mark_answered(request, now.monotonic_s, refusal)


def _as_proven(watch: DepartmentWatch, one: Incident, has_address: Callable[[str, str], bool]) -> Incident | None:
    return one.as_proven(watch.is_inside(one.source), has_address)


def _event(
    update: IncidentUpdate, record: IncidentRecord, now: Moment, *, is_proven: bool, reason: str | None
) -> events.SecurityIncident:
    """The event. `reason`: why the source is not blocked."""
    found = update.incident
    return events.SecurityIncident(
        timestamp=timestamp(now.wall),
        department_id=record.department,
        severity=found.severity,
        incident=events.IncidentFacts(
            type=found.kind,
            source=found.source,
            details=found.details,
            state="closed" if update.change is IncidentChange.CLOSED else "open",
            proven=is_proven,
            not_blocked=UNSET if reason is None else reason,
            opened_at=timestamp(record.opened_at),
            times=found.times,
            count=found.count,
            incident_id=record.id,
            expected=found.expected,
            peers=list(found.peers),
            ports=list(found.ports),
            devices=list(record.macs),
            inside=UNSET if record.is_inside is None else record.is_inside,
            advice=ADVICE[found.kind],
            known_devices=device_facts(record) or UNSET,
            values=dict(found.values) or UNSET,
        ),
    )


def device_facts(record: IncidentRecord) -> list[events.IncidentDeviceFacts]:
    """The devices of an incident as they are on the wire."""
    return [
        events.IncidentDeviceFacts(
            mac=one.mac, address=one.address or UNSET, known_as=one.name or None, vendor=one.vendor or None
        )
        for one in record.known_devices
    ]
