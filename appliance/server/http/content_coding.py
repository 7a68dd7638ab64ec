"""Chooses the content coding of an answer by what its client accepts (RFC 9110, section 12.5.3)."""

import re
from collections.abc import Sequence

_WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


def choose_coding(accepted: str, offered: Sequence[str]) -> str | None:
    """The coding of `offered` that the client likes best, of equals the first; `None`: the content as it is.

    `accepted`: the value of `Accept-Encoding`, such as `gzip, br;q=0.5, *;q=0`. A weight that cannot be read counts
    as 0: every client takes the content as it is.
    """
    weights = dict(map(_weighted, accepted.lower().split(",")))
    rest = weights.get("*", 0.0)
    best = max(offered, key=lambda one: weights.get(one, rest), default=None)
    if best is None or weights.get(best, rest) <= weights.get("identity", 0.0):
        return None
    return best


def _weighted(element: str) -> tuple[str, float]:
    name, mark, parameter = element.partition(";")
    if not mark:
        return name.strip(), 1.0
    match = _WEIGHT.fullmatch(parameter.strip())
    return name.strip(), float(match[1]) if match else 0.0
