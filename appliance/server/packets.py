"""What a client may put on the wire: Socket.IO packets and JSON, judged before any of it is used.

python-socketio takes more than our clients send, and some of that harms: binary attachments are held without bound,
and an event called `connect` or `*` reaches a handler that trusts its arguments. Here a packet is one that `socket.io-
client` would send to this server, or it is `Malformed`.

Serves python-socketio as its JSON module, its packet class and its logger.
"""

import json
import logging
import math
import re
import sys
from typing import Any

from socketio.packet import CONNECT, DISCONNECT, EVENT, Packet

LONGEST_INTEGER = 20  # characters: a 64-bit integer and its sign
LONGEST_LOGGED = 200  # characters of what a stranger can make us write
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]')  # a string as a whole, or a bracket
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}
RESERVED_EVENTS = frozenset({"connect", "connect_error", "disconnect", "*"})  # handlers' names, not a client's to send


class Malformed(ValueError):
    """Bytes that no honest client sends; the text says what is wrong with them, without quoting them."""


class Json:
    """JSON as python-socketio asks for it. `nesting`: how many levels a text may have; our calls have two."""

    def __init__(self, nesting: int) -> None:
        self._nesting = nesting

    def loads(self, text: str, **_: Any) -> Any:
        """The JSON in this text. Raises `Malformed` for what JSON does not have (NaN) and for what only harms."""
        if text.count("[") + text.count("{") > self._nesting and _depth(text) > self._nesting:
            raise Malformed("nested too deeply")
        return loads(text)

    def dumps(self, value: Any, **options: Any) -> str:
        """The value as JSON."""
        return dumps(value, **options)


def _depth(text: str) -> int:
    """How deep the brackets outside of strings are nested; no more than the text needs to be well-formed."""
    depth = deepest = 0
    for mark in _BRACKETS.findall(text):
        depth += _STEPS.get(mark, 0)
        deepest = max(deepest, depth)
    return deepest


def loads(text: str) -> Any:
    """The JSON in this text. Raises `Malformed`."""
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_int=_bounded_int, parse_float=_finite_float)
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed("no JSON, or nested too deeply") from None


def dumps(value: Any, **options: Any) -> str:
    """The value as JSON. Raises `ValueError` for NaN and Infinity, on which every browser's parser would give up."""
    return json.dumps(value, allow_nan=False, **options)


def _refuse_constant(_: str) -> float:
    raise Malformed("a number that JSON does not have")


def _bounded_int(digits: str) -> int:
    if len(digits) > LONGEST_INTEGER:
        raise Malformed("an integer beyond 64 bits")
    return int(digits)


def _finite_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise Malformed("a number beyond what a float holds")
    return value


class StrictPacket(Packet):  # type: ignore[misc]  # the library ships no types
    """A Socket.IO packet that decodes only what a client of ours has reason to send."""

    def decode(self, encoded_packet: object) -> int:
        """Take in a packet. Returns 0, the number of attachments; raises `Malformed`."""
        if not isinstance(encoded_packet, str):
            raise Malformed("binary data, which no call takes")
        if encoded_packet[:1] not in _SHAPES:
            raise Malformed("a packet of a type that clients do not send")
        try:
            attachments = super().decode(encoded_packet)
            if "\\u" in encoded_packet:  # half a surrogate pair, which neither UTF-8 nor the store could take
                json.dumps(self.data, ensure_ascii=False).encode()
        except Malformed:
            raise
        except (ValueError, IndexError, RecursionError):
            raise Malformed("a packet that cannot be read") from None
        if attachments or not _SHAPES[encoded_packet[0]](self.data):
            raise Malformed("a packet whose content does not fit its type")
        return 0


def _is_event(data: object) -> bool:
    return isinstance(data, list) and len(data) > 0 and isinstance(data[0], str) and data[0] not in RESERVED_EVENTS


# What the data of each packet type must be. Acknowledgements are missing: the server asks for none.
_SHAPES = {
    str(CONNECT): lambda data: data is None or isinstance(data, dict),
    str(DISCONNECT): lambda data: data is None,
    str(EVENT): _is_event,
}


class OneLine(logging.LoggerAdapter[logging.Logger]):
    """A logger for libraries that a stranger can provoke: one clipped line for each record, never a traceback.

    Below an error they tell of every packet, with the tokens in them, and of every request that they did not like: that
    is not written at all.
    """

    def log(self, level: int, msg: object, *args: object, **options: object) -> None:
        """Write one line; of an exception only its kind and text."""
        if level >= logging.ERROR:
            text = str(msg) % args if args else str(msg)
            fault = sys.exception() if options.get("exc_info") else None
            self.logger.log(level, "%s", clipped(f"{text}: {fault!r}" if fault else text))


def clipped(text: object) -> str:
    """A text fit for one line of the log: control characters escaped, at most 200 characters."""
    line = str(text)[:LONGEST_LOGGED].encode("unicode_escape", "backslashreplace").decode("ascii")
    return line if len(line) <= LONGEST_LOGGED else line[: LONGEST_LOGGED - 3] + "..."
