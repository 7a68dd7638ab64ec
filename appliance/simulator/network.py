"""The simulated departments: their devices, which of them are present, and how fast each is at a second.

A department's usual traffic rises and falls over a day of half an hour, short enough to watch, with slow and quick
variations around it; each device has a share. Everything is a function of the seed and the second, so that it does not
depend on how often it is read.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import islice
from math import exp, pi, sin

from msgspec import Struct

from appliance.config import Config
from appliance.core.blocking.protection import Protected, Protections
from appliance.core.metering.department import Department
from appliance.simulator.frames import Address
from appliance.simulator.scenario import seeded_random

Rate = tuple[float, float]  # bytes per second from a device, and toward it

DAY_S = 1800.0
NIGHT_LEVEL = 0.45  # of the usual rate, at the quietest time
MORNING = 0.2  # of the day, at which the machine starts: traffic is rising
# Sines by period in seconds, each with its swing of the logarithm: together at most a factor of 1.3 in 20 s, which
# the anomaly baseline must accept as ordinary.
WOBBLES = ((97.0, 0.10), (37.0, 0.09), (11.0, 0.07))
NOISE = 0.08  # standard deviation of the logarithm, from one tick to the next

# Usual bytes per second by department, in the order of the configuration; repeated from the front for more departments.
USUAL_BYTES_S = (2_000_000.0, 450_000.0, 900_000.0, 200_000.0)
MOST_OF_LINE = 0.2  # the largest share of a department's line that its usual rate takes
FULL_LINE = 0.95  # the share of a line that headers and gaps leave
DEFAULT_LINE_BPS = 1_000_000_000
DOWN_SHARE = 0.85  # of the bytes, toward the department: people fetch more than they send

DEVICES = 9
# What the devices call themselves, and who made them; beyond, they say nothing.
NAMES = ("mri-ws", "pacs-gw", "reading-room", "lab-printer", "till", "", "catalogue")
VENDORS = ("Example Medical", "Example Servers", "Example Computers", "Example Printers", "Example Tills")
OWN_PREFIX = "02:53:49:4d:"  # locally administered: no real hardware
NEWCOMER, NEWCOMER_NAME = 0x7F, "tablet-visitor"  # a device that comes later, by its number
REGULARS = 4  # the first devices are always present; the scenario picks from them
STAY = 0.75  # share of its period during which any other device is present
PERIODS_S = (900.0, 2400.0)
FORGOTTEN_S = 600.0  # the kernel drops an unused neighbour after this time
HEARD_S = 20.0  # a present device shows itself at least this often


class Device(Struct, frozen=True):
    """A computer in a department. `share`: of the department's usual traffic; `period_s` 0: it never leaves."""

    address: Address
    mac: str
    share: float
    period_s: float = 0.0
    phase_s: float = 0.0

    def away_s(self, at_s: float) -> float:
        """Seconds since it left; 0 while it is present."""
        if not self.period_s:
            return 0.0
        return max(0.0, (at_s + self.phase_s) % self.period_s - STAY * self.period_s)

    def age_s(self, at_s: float) -> float:
        """Seconds since the kernel last heard of it."""
        return self.away_s(at_s) or (at_s + self.phase_s) % HEARD_S


class SimulatedVendors:
    """`ports.Vendors` of simulated devices; of the others, nobody made the address but the device."""

    def vendor(self, mac: str) -> str | None:
        """The vendor."""
        number = int(mac[-2:], 16)
        return VENDORS[number] if mac.startswith(OWN_PREFIX) and number < len(VENDORS) else None


class Population(Struct, frozen=True, dict=True):
    """A department with its devices. `own`: the appliance's address there; `None` where the network has no room."""

    seed: int
    index: int
    department: Department
    network: IPv4Network | IPv6Network
    own: Address | None
    devices: tuple[Device, ...]
    suspects: tuple[Device, ...]  # those that the scenario may pick

    @property
    def interface(self) -> str:
        """The department's interface."""
        return self.department.interface

    @cached_property
    def line_bytes_s(self) -> float:
        """The capacity of its line in one direction."""
        return (self.department.line_rate_bps or DEFAULT_LINE_BPS) / 8 * FULL_LINE

    @cached_property
    def usual_bytes_s(self) -> float:
        """Its rate on an ordinary afternoon, both directions together."""
        return min(USUAL_BYTES_S[self.index % len(USUAL_BYTES_S)], self.line_bytes_s * MOST_OF_LINE)

    @cached_property
    def _phases(self) -> list[float]:
        chance = seeded_random(self.seed, "wobble", self.index)
        return [chance.random() for _ in WOBBLES]

    def device_for(self, pick: float) -> Device:
        """The device for an act's `pick`, 0..1."""
        return self.suspects[int(pick * len(self.suspects))]

    def rates(self, at_s: float, users: list[Device], downloads: Mapping[Device, float]) -> Mapping[Device, Rate]:
        """The rate of each of these devices, within the capacity of the department's line.

        `downloads`: by device, the multiple of the department's usual rate that it fetches in addition.
        """
        noise = exp(seeded_random(self.seed, "noise", self.index, at_s).gauss(0, NOISE))
        usual = self.usual_bytes_s * self._level(at_s) * noise
        up = {one: usual * (1 - DOWN_SHARE) * one.share for one in users}
        down = {
            one: usual * DOWN_SHARE * one.share + self.usual_bytes_s * noise * downloads.get(one, 0.0) for one in users
        }
        up_fits, down_fits = self._fits(sum(up.values())), self._fits(sum(down.values()))
        return {one: (up[one] * up_fits, down[one] * down_fits) for one in users}

    def _fits(self, bytes_s: float) -> float:
        """The share of this rate that fits the line."""
        return min(1.0, self.line_bytes_s / bytes_s) if bytes_s else 1.0

    def _level(self, at_s: float) -> float:
        day = (1 - NIGHT_LEVEL) / 2 * sin(2 * pi * (at_s / DAY_S + MORNING - 0.25)) + (1 + NIGHT_LEVEL) / 2
        waves = sum(
            swing * sin(2 * pi * (at_s / period_s + phase))
            for (period_s, swing), phase in zip(WOBBLES, self._phases, strict=True)
        )
        return day * exp(waves)


def newcomer_mac(population: Population) -> str:
    """The hardware address of the device that comes later."""
    return f"{population.devices[0].mac[:-2]}{NEWCOMER:02x}"


def populate(config: Config, seed: int) -> tuple[Population, ...]:
    """The departments of this configuration, with devices."""
    protected = [Protected(subnet.network, "configured") for subnet in config.protection.addresses]
    return tuple(
        _population(department, index, seed, protected) for index, department in enumerate(config.as_departments())
    )


def _population(department: Department, index: int, seed: int, protected: list[Protected]) -> Population:
    network = department.subnets[0] if department.subnets else ip_network(f"192.168.{index + 1}.0/24")
    possible: Iterator[Address] = network.hosts()
    hosts = [*islice(possible, 99 + DEVICES)]
    # From .100 on, as in the contract, where the network is large enough.
    addresses = hosts[99:] or hosts[1 : 1 + DEVICES] or hosts
    chance = seeded_random(seed, "devices", index)
    weights = [chance.uniform(0.6, 1.4) for _ in addresses]
    devices = tuple(
        Device(
            address=address,
            mac=f"{OWN_PREFIX}{index:02x}:{number:02x}",
            share=weight / sum(weights),
            period_s=0.0 if number < REGULARS else chance.uniform(*PERIODS_S),
            phase_s=chance.uniform(0, PERIODS_S[0]),
        )
        for number, (address, weight) in enumerate(zip(addresses, weights, strict=True))
    )
    regulars = devices[:REGULARS]
    protections = Protections(protected)
    suspects = tuple(one for one in regulars if protections.rule_for(str(one.address)) is None)
    own = hosts[0] if hosts[0] != addresses[0] else None
    return Population(seed, index, department, network, own, devices, suspects or regulars)
