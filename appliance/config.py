"""The configuration: one TOML file, checked whole and turned into frozen values.

Every fault is reported at once, each with its key, what was found and what is allowed: somebody who mends a file over
SSH should not meet its errors one by one. `msgspec` judges each value; this module walks the tables, so that the first
fault does not hide the others, and adds what no single value can tell.
"""

import difflib
import re
import tomllib
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import combinations, pairwise, product
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct

from appliance.core.blocks import overlap
from appliance.core.department import Department
from appliance.core.history import DEPARTMENT_STEPS, HOST_STEPS, Retention
from appliance.core.machine import Position
from appliance.core.quota import EXCEEDED_PERCENT, Action, Kind, Limits

LARGEST_FILE_BYTES = 1 << 20  # 64 departments with all their keys are 20 kB; what is larger is not a configuration

LARGEST_QUANTITY = 2**63 - 1  # what the store holds
LONGEST_SHOWN = 60  # of a wrong value, in an error: enough to recognise it

_FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_QUANTITY = re.compile(r"(?P<number>\d{1,19}(\.\d{1,6})?) ?(?P<prefix>[kMGT]|[KMGT]i|)(?P<unit>bit|B)")


class ConfigError(Exception):
    """The configuration cannot be used; the text has a line for each fault."""


class Bytes(int):
    """A size, written with its unit: `5 GiB`, `5 GB`, `500 MB`."""


class BitRate(int):
    """A rate in bits per second, written with its unit: `1 Gbit`, `100 Mbit`."""


class Subnet:
    """A prefix of IPv4 or IPv6, written without host bits: `192.168.1.0/24`.

    A class of its own and no dataclass, because `msgspec` takes only one foreign type in a field.
    """

    __slots__ = ("network",)

    def __init__(self, network: IPv4Network | IPv6Network) -> None:
        self.network = network


Seconds = Annotated[float, Meta(ge=0.1, le=3600, description="a number of seconds from 0.1 to 3600")]
Pin = Annotated[int, Meta(ge=0, le=27, description="a BCM pin number from 0 to 27")]
Threshold = Annotated[int, Meta(ge=1, le=100, description="a whole number of percent from 1 to 100")]
Days = Annotated[int, Meta(ge=1, le=3660, description="a whole number of days from 1 to 3660")]
Text = Annotated[str, Meta(min_length=1, max_length=200, description="a text of 1 to 200 characters")]
InterfaceName = Annotated[
    str, Meta(pattern=r"^[^\s/:]{1,15}$", description="a network interface's name, at most 15 characters (IFNAMSIZ)")
]
DepartmentId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="1 to 64 letters, digits, '_', '.' or '-', beginning with a letter or digit",
    ),
]


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


S = TypeVar("S", bound=Section)


class Appliance(Section, frozen=True, kw_only=True):
    """Where the appliance stands, and whose midnight begins a quota day."""

    position: Position
    timezone: ZoneInfo = ZoneInfo("UTC")


class Server(Section, frozen=True, kw_only=True):
    """Where dashboards connect. Port 5001 is the contract's."""

    host: Text = "0.0.0.0"  # noqa: S104  dashboards are on the LAN: that is what the appliance is for
    port: Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")] = 5001


class Periods(Section, frozen=True, kw_only=True):
    """Seconds between two steps. The defaults: an eye sees a second, statistics need a few, gauges move slowly."""

    metering: Seconds = 1.0
    analytics: Seconds = 5.0
    health: Seconds = 5.0


class Quota(Section, frozen=True, kw_only=True):
    """A department's limits; what is absent is not limited. Thresholds in percent; 100 is always one.

    `on_exceeded`: what happens then; `throttle_rate` goes with `throttle`. `billing_day`: the monthly period starts on
    it.
    """

    daily: Bytes | None = None
    weekly: Bytes | None = None
    monthly: Bytes | None = None
    thresholds: tuple[Threshold, ...] = (80, 95)  # the contract's warning and critical
    on_exceeded: Action = Action.ALERT
    throttle_rate: BitRate | None = None
    billing_day: Annotated[int, Meta(ge=1, le=31, description="a day of the month from 1 to 31")] = 1


class DepartmentSection(Section, frozen=True, kw_only=True):
    """A department as the file has it."""

    id: DepartmentId
    interface: InterfaceName
    name: Text = ""
    subnets: tuple[Subnet, ...] = ()
    line_rate: BitRate | None = None
    exempt: tuple[Subnet, ...] = ()  # hosts and destinations that are neither counted nor held
    quota: Quota = Quota()


class Protection(Section, frozen=True, kw_only=True):
    """What is never blocked, beside the appliance itself."""

    addresses: tuple[Subnet, ...] = ()


class HistorySection(Section, frozen=True, kw_only=True):
    """Days that the buckets of each width are kept: of departments, and as `host_...` of each of their hosts.

    The defaults: minutes are asked of yesterday, five minutes of last week, to compare, and hours of a season; days,
    and months, which are their sums, tell how a department grows, and cost nothing. Hosts take the room: 2,000 of
    them, always busy, fill 5 MB a day with five minutes, 1 MB with hours and 50 kB with days.
    """

    minute: Days = 2
    five_minutes: Days = 14
    hour: Days = 90
    day: Days = 3650
    host_five_minutes: Days = 7
    host_hour: Days = 31
    host_day: Days = 400  # a year, and the month to compare it with


class NoticeSection(Section, frozen=True, kw_only=True):
    """What a person reads whose department is cut off by its quota."""

    contact: Text = "your IT team"


class PanelPins(Section, frozen=True, kw_only=True):
    """BCM pin numbers of the button and the LEDs; `hold`: seconds the button is held for maintenance."""

    button: Pin = 17
    led_status: Pin = 22
    led_alert: Pin = 23
    led_activity: Pin = 24
    hold: Annotated[float, Meta(ge=0.5, le=30, description="a number of seconds from 0.5 to 30")] = 3.0


class Config(Section, frozen=True, kw_only=True):
    """The whole file."""

    appliance: Appliance
    departments: tuple[DepartmentSection, ...]
    server: Server = Server()
    periods: Periods = Periods()
    protection: Protection = Protection()
    history: HistorySection = HistorySection()
    notice: NoticeSection = NoticeSection()
    panel: PanelPins = PanelPins()

    @property
    def position(self) -> Position:
        """Where the appliance stands."""
        return self.appliance.position

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of quota periods."""
        return self.appliance.timezone

    def as_retention(self) -> Retention:
        """How long history is kept, in the core's words."""
        kept = msgspec.structs.asdict(self.history)
        return Retention(
            department_days={step: kept[step.name.lower()] for step in DEPARTMENT_STEPS},
            host_days={step: kept[f"host_{step.name.lower()}"] for step in HOST_STEPS},
        )

    def as_departments(self) -> tuple[Department, ...]:
        """The departments in the core's words."""
        return tuple(_department(section) for section in self.departments)


def _department(section: DepartmentSection) -> Department:
    limits = {kind: int(limit) for kind in Kind if (limit := getattr(section.quota, kind.value)) is not None}
    return Department(
        id=section.id,
        name=section.name or section.id,
        interface=section.interface,
        limits=Limits(
            bytes_by_kind=limits,
            thresholds=tuple(sorted({*section.quota.thresholds, EXCEEDED_PERCENT})),
            billing_day=section.quota.billing_day,
            on_exceeded=section.quota.on_exceeded,
            throttle_bytes_s=section.quota.throttle_rate // 8 if section.quota.throttle_rate else None,
        ),
        subnets=tuple(subnet.network for subnet in section.subnets),
        line_rate_bps=section.line_rate,
        exempt=tuple(subnet.network for subnet in section.exempt),
    )


def load(path: Path) -> Config:
    """The configuration in this file. Raises `ConfigError` with a line for each fault."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_FILE_BYTES:
        raise ConfigError(f"{path}: larger than {LARGEST_FILE_BYTES} bytes, which no configuration is")
    return parse(content, str(path))


def parse(content: bytes, file_name: str) -> Config:
    """The configuration in this text. Raises `ConfigError` with a line for each fault, each beginning with the file."""
    try:
        tables = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{file_name}: not a TOML file: {error}") from None
    problems: list[str] = []
    config = _section(Config, tables, "", problems)
    if config is not None and not problems:
        problems += _contradictions(config)
    if config is None or problems:
        raise ConfigError("\n".join(f"{file_name}: {problem}" for problem in problems))
    return config


# What is allowed, for the types that carry no description of their own.
_ALLOWED: dict[Any, str] = {
    Bytes: 'a size with its unit, such as "5 GiB" or "5 GB"',
    BitRate: 'a rate with its unit, such as "1 Gbit" or "100 Mbit"',
    Subnet: 'an address or a prefix without host bits, such as "192.168.1.0/24"',
    ZoneInfo: 'a time zone\'s name, such as "Europe/Berlin"',
    Position: "one of " + ", ".join(f'"{position}"' for position in Position),
    Action: "one of " + ", ".join(f'"{action}"' for action in Action),
    float: "a number",
    int: "a whole number",
    str: "a text",
}


def _section(kind: type[S], found: object, path: str, problems: list[str]) -> S | None:
    if not isinstance(found, dict):
        problems.append(f"{path}: found {_short(found)}; allowed: a table")
        return None
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    problems += [_unknown(key, path, list(fields)) for key in found if key not in fields]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        key = f"{path}.{name}" if path else name
        if name in found:
            values[name] = _value(field.type, found[name], key, problems)
        elif field.required:
            problems.append(f"{key}: missing; needed: {_allowed(field.type)}")
    return None if problems else kind(**values)


def _value(kind: Any, found: object, key: str, problems: list[str]) -> Any:
    """The value of one key, or `None` with the fault added to `problems`; lists are judged entry by entry."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return _section(kind, found, key, problems)
    if get_origin(kind) is tuple and isinstance(found, list):
        entry_kind = get_args(kind)[0]
        return tuple(_value(entry_kind, entry, f"{key}[{i}]", problems) for i, entry in enumerate(found, 1))
    try:
        return msgspec.convert(found, kind, dec_hook=_from_text)
    except msgspec.ValidationError:
        problems.append(f"{key}: found {_short(found)}; allowed: {_allowed(kind)}")
        return None


def _allowed(kind: Any) -> str:
    if kind in _ALLOWED:
        return _ALLOWED[kind]
    if get_origin(kind) is Annotated:
        return next(meta.description for meta in get_args(kind)[1:] if isinstance(meta, Meta) and meta.description)
    if get_origin(kind) is tuple:
        return f"a list, each entry {_allowed(get_args(kind)[0])}"
    if isinstance(kind, type) and issubclass(kind, Section):
        return "a table with " + ", ".join(field.encode_name for field in msgspec.structs.fields(kind))
    return _allowed(next(one for one in get_args(kind) if one is not type(None)))  # an optional value


def _unknown(name: str, path: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f'did you mean "{close[0]}"?' if close else "allowed: " + ", ".join(known)
    return f"{path}.{_short(name)}: unknown key; {hint}" if path else f"{_short(name)}: unknown key; {hint}"


def _short(found: object) -> str:
    text = found if isinstance(found, str) else repr(found)
    shown = text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
    return f'"{shown}"' if isinstance(found, str) else shown


def _from_text(kind: type, text: object) -> object:
    if not isinstance(text, str):
        raise TypeError("not a text")
    if kind is Subnet:
        return Subnet(ip_network(text))
    if kind is ZoneInfo:
        return _zone(text)
    return kind(_quantity(text, "B" if kind is Bytes else "bit"))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:  # a folder's name (`Europe`) gives an OSError
        raise ValueError(name) from error


def _quantity(text: str, unit: str) -> int:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None or match["unit"] != unit:
        raise ValueError(text)
    amount = int(Decimal(match["number"]) * _FACTORS[match["prefix"]])
    if amount > LARGEST_QUANTITY:
        raise ValueError(text)
    return amount


def _contradictions_of(department: DepartmentSection) -> list[str]:
    quota = department.quota
    found = []
    if quota.on_exceeded is Action.THROTTLE and quota.throttle_rate is None:
        found.append(f'departments: "{department.id}" is to be throttled; its quota needs a throttle_rate')
    if quota.on_exceeded is not Action.ALERT and all(getattr(quota, kind.value) is None for kind in Kind):
        found.append(f'departments: "{department.id}" has on_exceeded without a daily, weekly or monthly limit')
    return found


def _contradictions_in_history(history: HistorySection) -> list[str]:
    """Wider buckets that are forgotten first would leave narrower ones whose host is not known any more."""
    names = ("minute", "five_minutes", "hour", "day"), ("host_five_minutes", "host_hour", "host_day")
    return [
        f"history: {narrow} is kept longer than {wide}; what is wider must be kept at least as long"
        for narrow, wide in (pair for widening in names for pair in pairwise(widening))
        if getattr(history, narrow) > getattr(history, wide)
    ]


def _prefix_length(subnet: Subnet) -> int:
    return subnet.network.prefixlen


def _contradictions(config: Config) -> list[str]:
    """What no value can tell by itself."""
    found = []
    if not config.departments:
        found.append("departments: none; needed: at least one [[departments]] table")
    for one, other in combinations(config.departments, 2):
        if one.id == other.id:
            found.append(f'departments: the id "{one.id}" is given twice; each department needs its own')
        elif one.interface == other.interface and not (one.subnets and other.subnets):
            found.append(
                f'departments: "{one.id}" and "{other.id}" share the interface {one.interface}; '
                "then each needs its subnets, to tell them apart"
            )
        found += [
            f'departments: "{one.id}" and "{other.id}" both claim {max(a, b, key=_prefix_length).network}'
            for a, b in product(one.subnets, other.subnets)
            if overlap(a.network, b.network)
        ]
    found += [problem for one in config.departments for problem in _contradictions_of(one)]
    found += _contradictions_in_history(config.history)
    pins = [config.panel.button, config.panel.led_status, config.panel.led_alert, config.panel.led_activity]
    if len(set(pins)) < len(pins):
        found.append("panel: a pin is given twice; the button and each LED need their own")
    return found
