"""What a call answers beside `success`: typed, so that the contract has a schema for every answer.

A handler returns a `Reply` of its own file; its annotation is where the contract reads it from. A call with several
forms of answer has a class for each: `-> BlockReply | BlocksReply`. What is inside an answer is a `Part`, a list, a
tuple or a plain value.
"""

import types
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Struct


class Reply(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of a call that succeeded. A field that is `UNSET` is not sent."""

    def payload(self) -> dict[str, Any]:
        """The reply in its form on the wire, without `success`."""
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]


class Done(Reply, frozen=True, kw_only=True, rename="camel"):
    """The call is done, and there is nothing more to say."""


def replies_of(handler: Callable[..., Reply]) -> tuple[type[Reply], ...]:
    """The forms of the answer that a handler returns, from its annotation."""
    found = get_type_hints(handler)["return"]
    return get_args(found) if isinstance(found, types.UnionType) else (found,)
