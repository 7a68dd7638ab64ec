"""Reads and writes JSON from strangers: bounded in depth and in the length of integers, without NaN or Infinity.

python-socketio gets this module in place of its own `json`.
"""

import json
import math
import re
from typing import Any

LONGEST_INTEGER = 20  # characters: a 64-bit integer and its sign
DEEPEST_NESTING = 16  # levels of lists and objects; our calls have two

_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]')  # a string as a whole, or a bracket
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


class Malformed(ValueError):
    """Bytes that no honest client sends. The text names the fault and does not quote the bytes."""


def _depth(text: str) -> int:
    """Deepest nesting of the brackets outside strings; the text need not be well-formed."""
    depth = deepest = 0
    for mark in _BRACKETS.findall(text):
        depth += _STEPS.get(mark, 0)
        deepest = max(deepest, depth)
    return deepest


def loads(text: str) -> Any:
    """The JSON in this text. Raises `Malformed`, also for NaN, Infinity and nesting beyond `DEEPEST_NESTING`."""
    if text.count("[") + text.count("{") > DEEPEST_NESTING and _depth(text) > DEEPEST_NESTING:
        raise Malformed("nested too deeply")
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_int=_bounded_int, parse_float=_finite_float)
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed("no JSON, or nested too deeply") from None


def dumps(value: Any, **options: Any) -> str:
    """The value as JSON. Raises `ValueError` for NaN and Infinity, which no browser's parser accepts."""
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
        raise Malformed("a number beyond the range of a float")
    return value
