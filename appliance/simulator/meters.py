"""The simulated meters, with the kernel's rules: absolute counts of L3 bytes, limits that hold to the packet.

They pass the same contract tests as the real ones. A meter begins at zero with the first plan for a department, an
interface and networks, and keeps its count under every later plan for the same three. A department that is no longer
planned loses its meter; a later plan makes one with another identity. Plans with overlapping networks at one interface
are refused together. A mirror port counts and limits nobody. Simulated traffic has no destination, so that nothing of
it is exempt, and its few hosts fill no table.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from operator import sub

from msgspec import Struct, field
from msgspec.structs import replace

from appliance.core.blocking.targets import overlap
from appliance.core.machine import Facing, Network
from appliance.core.metering.meter import Plan, Reading, unclaimed_meter
from appliance.simulator.network import Device
from appliance.simulator.wire import Simulation, Traffic, TrafficLimit

UNLIMITED = 1 << 63

_Key = tuple[str, str, tuple[Network, ...]]  # name, interface, networks: another of these is another meter


class _Meter(Struct, frozen=True):
    """Counts the traffic of `devices`. `carried`: by device that it ever counted, the sum until the latest plan.

    `since`: what each device had carried in all when that plan was applied.
    """

    identity: str
    devices: frozenset[Device] = frozenset()
    since: Mapping[Device, Traffic] = field(default_factory=dict)
    carried: Mapping[Device, Reading] = field(default_factory=dict)


class SimulatedMeters:
    """`ports.Meters` of the simulated machine."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._plans: Sequence[Plan] = ()
        self._meters: dict[_Key, _Meter] = {}
        self._made = 0
        self._host_stops: dict[tuple[str, Device], int] = {}  # department, device -> the wire's count at which it stops

    def apply(self, plans: Sequence[Plan]) -> str | None:
        """Meter and limit exactly by these plans; returns the reason if nothing was changed."""
        here = {one.interface for one in self._simulation.populations}
        wanted = [plan for plan in plans if plan.interface in here]
        if any(_collide(one, other) for one, other in combinations(wanted, 2)):
            return "Could not process rule: conflicting intervals specified"
        if wanted != self._plans:
            self._plans = wanted
            self._update_meters()
            self._apply_limits()
        return None

    def let_pass(self, for_s: float) -> str | None:
        """Limit nobody for so long."""
        self._simulation.wire.let_pass(for_s, self._simulation.elapsed())
        return None

    def hold_hosts(self, left: Mapping[str, Mapping[str, int]]) -> str | None:
        """Limit each of these hosts to its remaining bytes."""
        for (department, *_), meter in self._meters.items():
            for device in meter.devices:
                left_bytes = left.get(department, {}).get(device.mac)
                if left_bytes is not None:
                    self._host_stops[department, device] = self._carried_bytes(device) + left_bytes
        self._apply_limits()
        return None

    def _apply_limits(self) -> None:
        limits = [limit for plan in self._plans for limit in self._plan_limits(plan)]
        limiting = [one for one in limits if (one.stop_at_bytes, one.bytes_s) != (None, None)]
        self._simulation.wire.limit(limiting, self._simulation.elapsed())

    def read(self) -> Mapping[str, Reading]:
        """By department, its meter; `unclaimed_meter(interface)` is what no department there claims."""
        readings = {
            name: _sum(meter.identity, self._devices_of(meter).values()) for (name, *_), meter in self._meters.items()
        }
        stops = {plan.department: plan for plan in self._plans if plan.stop_at_bytes is not None}
        return {
            name: replace(one, refused_budget=stops[name].budget) if _is_stopped(stops.get(name), one) else one
            for name, one in readings.items()
        }

    def hosts(self) -> Mapping[str, Mapping[str, Reading]]:
        """By department and MAC address, the meters of hosts that ever had traffic."""
        by_meter = {name: self._devices_of(meter) for (name, *_), meter in self._meters.items()}
        return {
            name: {device.mac: reading for device, reading in readings.items() if reading.total_bytes}
            for name, readings in by_meter.items()
        }

    def newcomers(self) -> Mapping[str, tuple[int, int]]:
        """None: there is room for all hosts."""
        return {}

    def refused_hosts(self) -> Mapping[str, frozenset[str]]:
        """The hosts that have nothing left."""
        return {
            plan.department: frozenset(
                device.mac
                for device in self._meters[_key(plan)].devices
                if self._carried_bytes(device) >= self._host_stops.get((plan.department, device), UNLIMITED)
            )
            for plan in self._plans
            if plan.host_limit_bytes is not None and plan.host_bytes_s is None
        }

    def make_room(self, used: Mapping[str, Mapping[str, int]]) -> Mapping[str, Sequence[str]]:  # noqa: ARG002  a port
        """Does nothing: there is room for all hosts."""
        return {}

    def spoofed(self) -> int:
        """0: simulated devices are honest."""
        return 0

    def unread(self) -> Mapping[str, Mapping[str, int]]:
        """Nothing: simulated devices send plain packets."""
        return {}

    def refused(self) -> int:
        """0: the simulation does not count."""
        return 0

    def _update_meters(self) -> None:
        """Make the meters of the new plans; existing ones keep their counts, and count their new members."""
        at_s = self._simulation.elapsed()
        members = {_key(plan): self._members(plan) for plan in self._plans} | self._unclaimed()
        meters: dict[_Key, _Meter] = {}
        for key, devices in members.items():
            former = self._meters.get(key)
            if former is None:
                self._made += 1
                former = _Meter(f"{self._simulation.boot}/{key[0]}/{self._made}")
            since = {device: self._simulation.wire.carried(device, at_s) for device in devices}
            meters[key] = _Meter(former.identity, devices, since, self._devices_of(former))
        self._meters = meters

    def _members(self, plan: Plan) -> frozenset[Device]:
        """The devices that the plan counts and limits: those of its networks, or all that no other plan claims."""
        here = self._at(plan.interface)
        if plan.networks:
            return frozenset(device for device in here if _is_in(device, plan.networks))
        others = [network for one in self._plans if one.interface == plan.interface for network in one.networks]
        return frozenset(device for device in here if not _is_in(device, others))

    def _unclaimed(self) -> dict[_Key, frozenset[Device]]:
        """By interface, the devices that no plan claims; not where a plan claims the whole interface."""
        unclaimed: dict[_Key, frozenset[Device]] = {}
        for interface in {plan.interface for plan in self._plans}:
            plans = [plan for plan in self._plans if plan.interface == interface]
            if all(plan.networks for plan in plans):
                known = [network for plan in plans for network in plan.networks]
                strangers = frozenset(device for device in self._at(interface) if not _is_in(device, known))
                unclaimed[unclaimed_meter(interface), interface, ()] = strangers
        return unclaimed

    def _at(self, interface: str) -> list[Device]:
        return [device for one in self._simulation.populations if one.interface == interface for device in one.devices]

    def _plan_limits(self, plan: Plan) -> list[TrafficLimit]:
        if plan.facing is Facing.MIRRORED:
            return []
        meter, stop = self._meters[_key(plan)], plan.stop_at_bytes
        if stop is not None:  # the plan's is in the meter's count, the wire's in that from the machine's start
            counted_bytes = sum(reading.total_bytes for reading in self._devices_of(meter).values())
            stop += self._carried_bytes(*meter.devices) - counted_bytes
        return [TrafficLimit(meter.devices, stop, plan.throttle_bytes_s), *self._host_limits(plan, meter.devices)]

    def _host_limits(self, plan: Plan, devices: frozenset[Device]) -> list[TrafficLimit]:
        """A limit for each host; one without remaining bytes given has the whole limit from now on."""
        if plan.host_limit_bytes is None:
            return []
        limits = []
        for device in devices:
            carried_bytes = self._carried_bytes(device)
            stop = self._host_stops.setdefault((plan.department, device), carried_bytes + plan.host_limit_bytes)
            if plan.host_bytes_s is None:
                limits.append(TrafficLimit(frozenset({device}), stop))
            elif carried_bytes >= stop:
                limits.append(TrafficLimit(frozenset({device}), None, plan.host_bytes_s))
        return limits

    def _carried_bytes(self, *devices: Device) -> int:
        at_s = self._simulation.elapsed()
        return sum(self._simulation.wire.carried(device, at_s).total_bytes for device in devices)

    def _devices_of(self, meter: _Meter) -> Mapping[Device, Reading]:
        """The meter's count of each device until now."""
        at_s = self._simulation.elapsed()
        counted = dict(meter.carried)
        for device in meter.devices:
            identity, now = f"{meter.identity}/{device.address}", self._simulation.wire.carried(device, at_s)
            more = _difference(identity, now, meter.since[device])
            counted[device] = _sum(identity, [more, counted[device]]) if device in counted else more
        return counted


def _key(plan: Plan) -> _Key:
    return plan.department, plan.interface, plan.networks


def _is_stopped(plan: Plan | None, reading: Reading) -> bool:
    stop = plan.stop_at_bytes if plan is not None else None
    return stop is not None and reading.total_bytes >= stop


def _sum(identity: str, readings: Iterable[Reading]) -> Reading:
    counts = [_counts(one) for one in readings]
    up_bytes, down_bytes, up_packets, down_packets = map(sum, zip(*counts, strict=True)) if counts else (0, 0, 0, 0)
    return Reading(identity, up_bytes, down_bytes, up_packets, down_packets)


def _difference(identity: str, now: Traffic, before: Traffic) -> Reading:
    up_bytes, down_bytes, up_packets, down_packets = map(sub, _counts(now), _counts(before))
    return Reading(identity, up_bytes, down_bytes, up_packets, down_packets)


def _counts(counted: Traffic | Reading) -> tuple[int, int, int, int]:
    return counted.up_bytes, counted.down_bytes, counted.up_packets, counted.down_packets


def _is_in(device: Device, networks: Iterable[Network]) -> bool:
    return any(device.address in network for network in networks)


def _collide(one: Plan, other: Plan) -> bool:
    return one.interface == other.interface and any(overlap(a, b) for a in one.networks for b in other.networks)
