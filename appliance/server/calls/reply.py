"""The base of what a call answers beside `success`: typed, so that the contract has a schema for every answer."""

from typing import Any

import msgspec
from msgspec import Struct


class Reply(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of a call that succeeded. A field that is `UNSET` is not sent."""


def keys(reply: Reply) -> dict[str, Any]:
    """The reply in its form on the wire."""
    return msgspec.to_builtins(reply)  # type: ignore[no-any-return]
