"""Durations as people write them: `90` (seconds), `30m`, `2h`, `1d`, or several together as `1h30m`.

The same notation is read on the command line and in the configuration, and written in sentences for people.
"""

import re
from fractions import Fraction
from itertools import pairwise

ADVICE = 'give seconds, such as 90, or units, such as "30m", "2h", "1d" or "1h30m"'
LONGEST_TEXT = 40  # characters: more than every unit once; judged before anything is parsed

# The units from the longest to the shortest: seconds, the unit that is written, and what else people call it, as
# systemd does (systemd.time(7)). Months and years are missing, because their lengths differ.
_UNITS: tuple[tuple[int, str, tuple[str, ...]], ...] = (
    (604_800, "w", ("week", "weeks")),
    (86_400, "d", ("day", "days")),
    (3600, "h", ("hr", "hour", "hours")),
    (60, "m", ("min", "minute", "minutes")),
    (1, "s", ("sec", "second", "seconds")),
)
_SECONDS = {word: factor for factor, short, others in _UNITS for word in (short, *others)}
_NUMBER = r"(\d{1,12}(?:\.\d{1,6})?)"
_PLAIN = re.compile(_NUMBER, re.ASCII)
_PART = re.compile(_NUMBER + r" ?([a-z]+) ?", re.ASCII)


def seconds_of(text: str) -> int | float:
    """The seconds of a duration; whole ones as `int`. Raises `ValueError`, whose text says what may be written.

    Units come from the longest to the shortest and once each, so that a slip such as `1h2h` is not added up.
    """
    asked = text.strip()
    if len(asked) > LONGEST_TEXT:
        raise ValueError(f"it is too long for a duration; {ADVICE}")
    plain = _PLAIN.fullmatch(asked)
    total = Fraction(plain[1]) if plain else _sum_of_parts(asked)
    return int(total) if total.denominator == 1 else float(total)


def _sum_of_parts(asked: str) -> Fraction:
    parts = _PART.findall(asked.lower())
    # A capital M is a month or a mega elsewhere; every other unit means the same in both cases.
    is_whole = "".join(part[0] for part in _PART.finditer(asked.lower())).strip() == asked.lower() and "M" not in asked
    factors = [_SECONDS.get(unit, 0) for _, unit in parts]
    is_ordered = all(one > other for one, other in pairwise(factors))
    if not parts or not is_whole or not is_ordered or 0 in factors:
        raise ValueError(f'"{asked}" is no duration; {ADVICE}')
    return sum((Fraction(number) * factor for (number, _), factor in zip(parts, factors, strict=True)), Fraction())


def duration_text(duration_s: float) -> str:
    """A duration for a person, in whole seconds, as `seconds_of` reads it: `1h30m`; nothing is `0s`."""
    left, text = round(duration_s), ""
    for factor, unit, _ in _UNITS[1:]:  # people count in days, not in weeks
        amount, left = divmod(left, factor)
        text += f"{amount}{unit}" if amount else ""
    return text or "0s"
