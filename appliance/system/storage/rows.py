"""Converts the state's values to rows of a table, and back.

A row that cannot have been saved (an unknown kind, a number that is text) raises one of `NOT_A_ROW`: damage must not be
taken for books.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from ipaddress import ip_address
from sys import intern
from typing import Any

from msgspec import convert, to_builtins
from msgspec import json as json_codec

from appliance.core.alerting.report_order import ReportKey
from appliance.core.blocking.answer_cache import HeardAddress
from appliance.core.blocking.block import Block
from appliance.core.blocking.blocked_names import LearnedAddress
from appliance.core.blocking.sets import MOST_NUMBERS, mark_of, set_and_range
from appliance.core.blocking.targets import TargetKind, is_ipv4_address, is_written_name, kind_of, name_and_scope
from appliance.core.detection.habits.habit import Habit
from appliance.core.detection.incident_record import IncidentRecord, Mute
from appliance.core.metering.account import AccountKey
from appliance.core.metering.meter import is_mac
from appliance.core.metering.quota import Ledger, QuotaKind, QuotaRequest
from appliance.core.metering.usage import Mark
from appliance.core.moment import timestamp
from appliance.core.operations.maintenance_window import Maintenance
from appliance.core.operations.schedule import Schedule
from appliance.core.traffic.devices.clue import NameSource
from appliance.core.traffic.devices.device_register import KnownDevice
from appliance.core.traffic.devices.server_sign import ServerKey, ServerKind

Row = dict[str, Any]

_instant_text = lru_cache(maxsize=64)(timestamp)  # the blocks of one order share theirs

NOT_A_ROW = (ValueError, TypeError, KeyError)
BLOCK_COLUMNS = "target, department, origin, reason, actor, started_at, expires_at, announced, number, is_provisional"


def account_text(account: AccountKey) -> str:
    """An account's name in the database: the department's id, which has no space, and after a space the host."""
    return account.department if account.host is None else f"{account.department} {account.host}"


def account_from(text: str) -> AccountKey:
    """The account of a name in the database."""
    department, _, host = text.partition(" ")
    return AccountKey(department, host or None)


def ledger_row(account: AccountKey, ledger: Ledger) -> Row:
    """The row of an account's ledger."""
    row = {"department": account_text(account), **to_builtins(ledger)}
    return row | {"raised": json.dumps(sorted(ledger.raised)), "grants": json.dumps(row["grants"])}


def ledger_from(row: Row) -> Ledger:
    """The ledger of a row, of an older schema too."""
    values = {"raised": json.loads(row["raised"]), "grants": json.loads(row.get("grants", "[]"))}
    return convert(row | values, Ledger, strict=False)


def mark_row(account: AccountKey, mark: Mark) -> Row:
    """The row of an account's mark."""
    return {"department": account_text(account), **to_builtins(mark)}


def mark_from(row: Row) -> Mark:
    """The mark of a row."""
    return convert(row, Mark, strict=False)


def saving_row(wall: datetime) -> Row:
    """The one row with the time of the latest saving."""
    return {"id": 1, "at": timestamp(wall)}


def saving_from(row: Row) -> datetime:
    """The time in that row."""
    return moment_from(row["at"])


def limit_from(row: Row) -> tuple[AccountKey, QuotaKind, int | None]:
    """Account, kind and bytes of a limit that a person set."""
    limit_bytes = convert(row["limit_bytes"], int | None, strict=False)
    return account_from(_text(row["department"])), QuotaKind(row["kind"]), limit_bytes


def request_row(request: QuotaRequest) -> Row:
    """The row of a request for more."""
    return {**to_builtins(request), "at": timestamp(request.at), "until": timestamp(request.until)}


def request_from(row: Row) -> QuotaRequest:
    """The request of a row."""
    times = {"at": moment_from(row["at"]), "until": moment_from(row["until"])}
    return convert(row | times, QuotaRequest)


def device_row(department: str, device: KnownDevice) -> Row:
    """The row of a department's device."""
    names = {f"{source}_name": device.names.get(source, "") for source in NameSource}
    return {
        "department": department,
        "mac": device.mac,
        "label": device.label,
        **names,
        "addresses": json.dumps(device.addresses),
        "first_s": device.first_s,
        "seen_s": device.seen_s,
    }


def device_from(row: Row) -> tuple[str, KnownDevice]:
    """The department and the device of a row."""
    if not is_mac(row["mac"]):
        raise ValueError(f"{row['mac']!r} is no hardware address")
    addresses = convert(json.loads(row["addresses"]), dict[str, float])
    for address in addresses:
        ip_address(address)
    names = {source: name for source in NameSource if (name := _text(row[f"{source}_name"]))}
    device = KnownDevice(row["mac"], float(row["first_s"]), float(row["seen_s"]), addresses, names, _text(row["label"]))
    return _text(row["department"]), device


def server_row(department: str, server: ServerKey) -> Row:
    """The row of a department's server."""
    return {"department": department, **server._asdict()}


def server_from(row: Row) -> tuple[str, ServerKey]:
    """The department and the server of a row."""
    return _text(row["department"]), ServerKey(ServerKind(row["kind"]), _text(row["address"]), _text(row["mac"]))


def learning_from(row: Row) -> tuple[str, float]:
    """Department, and since when its devices are learned."""
    return _text(row["department"]), float(row["began_s"])


def incident_row(one: IncidentRecord) -> Row:
    """The row of an incident."""
    return {"id": one.id, "latest_at": timestamp(one.latest_at), "facts": json_codec.encode(one)}


def incident_from(row: Row) -> IncidentRecord:
    """The incident of a row."""
    return json_codec.decode(row["facts"], type=IncidentRecord)


def mute_row(one: Mute) -> Row:
    """The row of a mute."""
    return {"id": one.id, "at": timestamp(one.at), "facts": json_codec.encode(one)}


def mute_from(row: Row) -> Mute:
    """The mute of a row."""
    return json_codec.decode(row["facts"], type=Mute)


def habit_row(one: Habit) -> Row:
    """The row of a habit."""
    return {"id": one.id, "facts": json_codec.encode(one)}


def habit_from(row: Row) -> Habit:
    """The habit of a row."""
    return json_codec.decode(row["facts"], type=Habit)


def schedule_row(one: Schedule) -> Row:
    """The row of a schedule."""
    return {"id": one.id, "added_at": timestamp(one.added_at), "facts": json_codec.encode(one)}


def schedule_from(row: Row) -> Schedule:
    """The schedule of a row."""
    return json_codec.decode(row["facts"], type=Schedule)


def sent_report_from(row: Row) -> tuple[ReportKey, date]:
    """Channel, department and kind of a row, and the first day of the latest report that was sent."""
    key = ReportKey(_text(row["channel"]), _text(row["department"]), QuotaKind(row["kind"]))
    return key, date.fromisoformat(row["first"])


def block_key(block: Block) -> tuple[str, str, str]:
    """The key of a block, in the table's columns."""
    return block.target, block.department or "", block.origin


def block_values(block: Block) -> tuple[Any, ...]:
    """The row of a block, by `BLOCK_COLUMNS`."""
    return (
        *block_key(block),
        block.reason,
        block.actor,
        _instant_text(block.started_at),
        _instant_text(block.expires_at) if block.expires_at else None,
        block.announced,
        block.number,
        block.is_provisional,
    )


def block_of(values: Sequence[Any]) -> Block:
    """The block of a row by `BLOCK_COLUMNS`."""
    target, department, origin, reason, actor, started_at, expires_at, announced, text, is_provisional = values
    number = int(text)
    return Block(
        _target(target),
        intern(reason),  # a list's blocks share theirs
        intern(actor),
        _origin(origin),
        _instant(started_at),
        _text(department) or None,
        _instant(expires_at) if expires_at else None,
        bool(announced),
        number if 0 < number < MOST_NUMBERS else 0,  # 0: it gets another
        bool(is_provisional),
    )


def block_from(row: Row) -> Block:
    """The block of a row, of an older schema too."""
    return block_of([row.get(column, 0) for column in BLOCK_COLUMNS.split(", ")])


def learned_key(learned: LearnedAddress) -> tuple[str, str, str, str]:
    """The key of a learned address, in the table's columns."""
    target, department, origin = learned.block
    return target, department or "", origin, learned.address


def learned_values(learned: LearnedAddress) -> tuple[str, str, str, str, float, str]:
    """The row of a learned address."""
    return *learned_key(learned), learned.ends, learned.why


def learned_of(values: Sequence[Any]) -> LearnedAddress:
    """The learned address of a row."""
    target, department, origin, address, ends, why = values
    block = (_text(target), _text(department) or None, intern(origin))
    is_alias = kind_of(_text(address)) is TargetKind.NAME  # as it was in a packet
    return LearnedAddress(block, address if is_alias else _target(address), float(ends), _text(why))


def answer_values(one: HeardAddress) -> tuple[str, str, str, float, float, str, str]:
    """The row of an address in an answer. No name has a space in it."""
    return one.department, one.name, one.address, one.answered_s, one.kept_until_s, " ".join(one.aliases), one.server


def answer_of(values: Sequence[Any]) -> HeardAddress:
    """The address of a row."""
    department, name, address, answered_s, kept_until_s, aliases, server = values
    ip_address(address)
    return HeardAddress(
        intern(department),
        intern(_text(name)),
        _text(address),
        float(answered_s),
        float(kept_until_s),
        tuple(_text(aliases).split()),
        intern(server),
    )


def learned_from(row: Row) -> LearnedAddress:
    """The learned address of a row, of an older schema too."""
    return learned_of(
        [*(row[name] for name in ("target", "department", "origin", "address", "ends")), row.get("why", "")]
    )


def maintenance_row(number: int, maintenance: Maintenance) -> Row:
    """The row of a maintenance. `number`: its place in the plan, from 1."""
    anchor = maintenance.anchor and timestamp(maintenance.anchor)
    return {"id": number, **to_builtins(maintenance), "start": timestamp(maintenance.start), "anchor": anchor}


def maintenance_from(row: Row) -> Maintenance:
    """The maintenance of its row."""
    return convert(row, Maintenance, strict=False)


def moment_from(text: str) -> datetime:
    """The time in a text. Raises one of `NOT_A_ROW` for a text without a zone, too."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return at


_instant = lru_cache(maxsize=64)(moment_from)  # as `_instant_text`


def _target(value: object) -> str:
    """A target that the kernel's sets can have; `parse_target` would take twenty times as long."""
    text = _text(value)
    if is_ipv4_address(text):  # as most are
        return text
    if kind_of(text) is TargetKind.NAME:
        if not is_written_name(name_and_scope(text)[0]):
            raise ValueError(f"{text!r} is no target")
        return text
    try:
        _, first, last = set_and_range(text)
    except OSError as error:
        raise ValueError(f"{text!r} is no target") from error
    if first % (last - first + 1):
        raise ValueError(f"{text} is no prefix")
    return text


@lru_cache(maxsize=256)  # as `mark_of`
def _origin(value: str) -> str:
    mark_of(value, 0)  # raises `ValueError` for one that does not exist
    return intern(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
