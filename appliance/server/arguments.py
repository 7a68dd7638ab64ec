"""What a call takes: typed arguments, judged key by key before a handler sees them.

A refusal names the key and what it must be, because it may be all that the writer of a dashboard gets to read.
"""

import types
from datetime import datetime
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta, Struct

from appliance.core.history import Step
from appliance.core.quota import Kind
from appliance.core.refusal import Code, Refused
from appliance.server.packets import clipped

# Control characters would reach terminals and logs, and U+2028 to U+202E turn or break the line of whoever reads it.
_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e]*\Z"
DepartmentId = Annotated[str, Meta(min_length=1, max_length=64, description="a department's id, such as dept123")]
Address = Annotated[
    str, Meta(min_length=1, max_length=64, description="an address or prefix, such as 192.168.1.100 or 10.1.0.0/16")
]
Sentence = Annotated[
    str, Meta(min_length=1, max_length=200, pattern=_LINE, description="one line of 1 to 200 characters")
]
BlockSeconds = Annotated[
    int,
    Meta(ge=0, le=31536000 * 10, description="a whole number of seconds up to 10 years, or 0 for until it is lifted"),
]
MaintenanceSeconds = Annotated[
    int, Meta(ge=60, le=86400, description="a whole number of seconds from 60 to 86400 (a minute to a day)")
]
Instant = Annotated[datetime, Meta(tz=True, description="a time with its zone, such as 2024-12-16T02:00:00.000Z")]

QuotaKind = Annotated[Kind, Meta(description="daily, weekly or monthly")]
Bytes = Annotated[int, Meta(ge=0, le=2**63 - 1, description="a whole number of bytes from 0 to 2^63 - 1")]
GrantedBytes = Annotated[int, Meta(ge=1, le=2**53, description="a whole number of bytes from 1 to 2^53")]

HistoryStep = Annotated[Step, Meta(description="one of " + ", ".join(Step))]
HostAddress = Annotated[
    str, Meta(min_length=1, max_length=64, description="a host's address, such as 192.168.1.100 or 2001:db8::1")
]


class Argument(Struct, frozen=True, kw_only=True, rename="camel"):
    """An object that a call takes."""


class BlockArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `ip:block` takes. `department_id`: left out for all departments."""

    address: Address
    reason: Sentence = "blocked by hand"
    duration: BlockSeconds = 0
    department_id: DepartmentId | None = None


class UnblockArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `ip:unblock` takes: the block's address and department, as it was made."""

    address: Address
    department_id: DepartmentId | None = None


class ListArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `ip:list` takes. `department_id`: left out for all that the caller may see."""

    department_id: DepartmentId | None = None


class StartArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `maintenance:start` takes. `start_time`: left out for now."""

    duration: MaintenanceSeconds = 3600  # the contract's own example
    impact: Sentence = "System is in read-only mode"
    start_time: Instant | None = None


class LimitArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `quota:set` takes. `limit`: bytes; null for no limit of this kind."""

    department_id: DepartmentId
    type: QuotaKind
    limit: Bytes | None


class ExtendArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `quota:extend` takes: bytes more until the running period ends, and why."""

    department_id: DepartmentId
    type: QuotaKind
    bytes: GrantedBytes
    reason: Sentence


class HistoryArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `history:get` takes. `host`: left out for the whole department; `from`, `to`: `to` is not in the range."""

    department_id: DepartmentId
    host: HostAddress | None = None
    since: Instant = msgspec.field(name="from")
    until: Instant = msgspec.field(name="to")
    step: HistoryStep


class Nothing(Argument, frozen=True, kw_only=True, rename="camel"):
    """What a call takes that needs no argument."""


def parse(kind: Any, found: object) -> Any:
    """A client's argument, typed. `found`: `None` where it sent none. Raises `Refused` with the name of the key."""
    if not isinstance(kind, type):
        return _value(kind, found, "the argument")
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    given = {} if found is None else found
    if not isinstance(given, dict):
        raise Refused(Code.BAD_REQUEST, f"the argument must be an object with {', '.join(fields) or 'nothing in it'}")
    unknown = next((key for key in given if key not in fields), None)
    if unknown is not None:
        raise Refused(Code.BAD_REQUEST, f"{clipped(unknown)}: unknown; known are {', '.join(fields) or 'no keys'}")
    missing = next((name for name, field in fields.items() if field.required and name not in given), None)
    if missing is not None:
        raise Refused(Code.BAD_REQUEST, f"{missing}: missing; it must be {_description(fields[missing].type)}")
    return kind(**{fields[name].name: _value(fields[name].type, value, name) for name, value in given.items()})


def _value(kind: Any, found: object, name: str) -> Any:
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError:
        raise Refused(Code.BAD_REQUEST, f"{name}: must be {_description(kind)}") from None


def _description(kind: Any) -> str:
    inner = get_args(kind)[0] if isinstance(kind, types.UnionType) or not hasattr(kind, "__metadata__") else kind
    return next(str(meta.description) for meta in inner.__metadata__ if isinstance(meta, Meta))
