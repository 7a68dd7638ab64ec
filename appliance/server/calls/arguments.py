"""Checks the arguments of calls, key by key, before a handler gets them.

A refusal names the key and what it must be, because the developer of a dashboard may read nothing else.
"""

import re
import types
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from ipaddress import ip_address
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo

from appliance.core.metering.meter import is_mac
from appliance.core.refusal import Code, Refused
from appliance.core.text import clipped

# Control characters would reach terminals and logs; U+2028 to U+202E reverse or break the line there.
LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e]*\Z"
_ENTRY = re.compile(r"`\$\[(\d+)\]")
DepartmentId = Annotated[str, Meta(min_length=1, max_length=64, description="a department's id, such as dept123")]
Sentence = Annotated[
    str, Meta(min_length=1, max_length=200, pattern=LINE, description="one line of 1 to 200 characters")
]
Instant = Annotated[datetime, Meta(tz=True, description="a time with its zone, such as 2024-12-16T02:00:00.000Z")]

HostAddress = Annotated[
    str, Meta(min_length=1, max_length=64, description="a host's address, such as 192.168.1.100, or its MAC address")
]
YesOrNo = Annotated[bool, Meta(description="true or false")]


class Argument(Struct, frozen=True, kw_only=True, rename="camel"):
    """The argument of a call, as an object."""


class Nothing(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of a call that needs none."""


def host_of(text: str) -> str:
    """A host's IP or MAC address in its canonical form. Raises `Refused` for anything else."""
    mac = text.lower().replace("-", ":")
    if is_mac(mac):
        return mac
    try:
        return str(ip_address(text))
    except ValueError:
        raise Refused(
            Code.BAD_REQUEST, "host: must be a host's address, such as 192.168.1.100, or its MAC address"
        ) from None


def parse(kind: Any, found: object) -> Any:
    """A client's argument, typed. `found`: `None` where it sent none. Raises `Refused`, which names the key."""
    if not isinstance(kind, type):
        return _value(kind, found, "the argument")
    fields = _fields(kind)
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


@cache  # reading annotations takes three times as long as the rest of the check
def _fields(kind: type[Struct]) -> Mapping[str, FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def _value(kind: Any, found: object, name: str) -> Any:
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        entry = _ENTRY.search(str(error))  # the index in a list
        where = f"{name}[{entry[1]}]" if entry else name
        raise Refused(Code.BAD_REQUEST, f"{where}: must be {_description(kind)}") from None


def _description(kind: Any) -> str:
    inner = get_args(kind)[0] if isinstance(kind, types.UnionType) or not hasattr(kind, "__metadata__") else kind
    return next(str(meta.description) for meta in inner.__metadata__ if isinstance(meta, Meta))
