"""Reads one entry of a list: the text between two separators, in all the ways in which people write a target.

    10.0.0.5   2001:db8::/32   aa:bb:cc:dd:ee:ff   example.com   =example.com   *.example.com      as `parse_target`
    .example.com   +.example.com                               the name and all below it
    10.0.0.5/24   10.0.0.0/255.255.255.0   10.0.0.0/0.0.0.255  the network; by hand that is refused, as it may be a slip
    10.0.0.1-10.0.0.9   10.0.0.1-9   10.0.0.*   10/8           ranges
    10.0.0.5:8080   [2001:db8::1]:443   http://example.com/x   the host, with a note that more than that is blocked
    10[.]0[.]0[.]5   hxxp://example[.]com                      written so that nobody follows it by mistake

No text here repeats the entry, because not everybody may see it.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_address, ip_network, summarize_address_range
from urllib.parse import urlsplit

from msgspec import Struct

from appliance.core.blocking.targets import TargetKind, kind_of, parse_target, target_text
from appliance.core.refusal import Refused

NO_TARGET = "no address, prefix, range, MAC address, URL or domain name"

_MARKS = re.compile("[.:\u3002-]")  # of which each entry has one
_DIGITS = r"(?:0|[1-9]\d{0,2})"
_SHORT_RANGE = re.compile(rf"({_DIGITS}(?:\.{_DIGITS}){{2}}\.){_DIGITS}-{_DIGITS}")
_STARS = re.compile(rf"({_DIGITS}(?:\.{_DIGITS}){{0,2}})((?:\.\*)+|\.)")  # with only a dot: TCP wrappers' prefix
_SHORT_PREFIX = re.compile(rf"({_DIGITS}(?:\.{_DIGITS}){{0,2}})/(\d{{1,2}})")
_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:/]+)):\d{1,5}")
_BRACKETS = re.compile(r"\[([0-9A-Fa-f:.]+)\](/\d{1,3})?")
_URL = re.compile(r"(?:h(?:tt|xx)ps?|ftp|tcp|udp)://", re.IGNORECASE)
_PADDED = re.compile(r"\d{3}(?:\.\d{3}){3}")


class NoEntry(Exception):
    """A text of which nothing is used; its own text says why, without repeating it."""


class Meaning(Struct, frozen=True):
    """What a text means. `note`: what of it was not used, or that more is blocked than it says; `None`: nothing.

    `excepted`: targets that the list wants to pass.
    """

    targets: Sequence[str] = ()
    note: str | None = None
    excepted: Sequence[str] = ()


def read_entry(text: str) -> Meaning:
    """The targets of an entry. Raises `NoEntry`."""
    word = text.strip().strip("\"'`")
    if word.startswith((".", "+.")):
        word = word.lstrip("+").removeprefix(".")
    plain = _plain(word)
    if plain is not None:
        return Meaning((plain,))
    word = word.replace("[.]", ".").replace("(.)", ".").replace("[:]", ":")
    for reader in (_range, _network, _with_port, _of_url):
        found = reader(word)
        if found is not None:
            return found
    raise NoEntry(NO_TARGET)


def try_entry(text: str) -> Meaning | None:
    """The targets of an entry; `None`: it cannot be read."""
    if not _MARKS.search(text):
        return None  # most fields beside an entry
    try:
        return read_entry(text)
    except NoEntry:
        return None


def is_entry(text: str) -> bool:
    """Whether this can be read."""
    return try_entry(text) is not None


def is_name(reading: Meaning) -> bool:
    """Whether all its targets are domain names."""
    return all(kind_of(one) is TargetKind.NAME for one in reading.targets)


def _plain(word: str) -> str | None:
    if not word or word.isspace() or (word[-1:].isdigit() and "-" in word and "." in word):
        return None  # most ranges: no need to fail first
    try:
        return parse_target(word)
    except Refused:
        return None


def _range(word: str) -> Meaning | None:
    if _SHORT_RANGE.fullmatch(word):
        start, _, last = word.partition("-")
        word = f"{start}-{start.rpartition('.')[0]}.{last}"
    stars = _STARS.fullmatch(word)
    if stars and stars[1].count(".") + stars[2].count("*") <= 3:
        known = stars[1].split(".")
        return _parsed(f"{'.'.join(known + ['0'] * (4 - len(known)))}/{8 * len(known)}")
    first, dash, last = word.partition("-")
    if not dash:
        return _padded(word)
    try:
        begin, end = ip_address(_unpadded(first.strip())), ip_address(_unpadded(last.strip()))
        return Meaning([target_text(one) for one in summarize_address_range(begin, end)])
    except TypeError:
        return None
    except ValueError:
        return _padded(word)  # also a name with a dash and digits


def _padded(word: str) -> Meaning | None:
    return _parsed(_unpadded(word.removesuffix(".")))


def _unpadded(address: str) -> str:
    """Three digits for each number are decimal; fewer with a leading zero may be octal, and stay unread."""
    return ".".join(str(int(one)) for one in address.split(".")) if _PADDED.fullmatch(address) else address


def _network(word: str) -> Meaning | None:
    if "/" not in word or "://" in word:
        return None
    short = _SHORT_PREFIX.fullmatch(word)
    if short:
        numbers = short[1].split(".")
        word = f"{'.'.join(numbers + ['0'] * (4 - len(numbers)))}/{short[2]}"
    bracketed = _BRACKETS.fullmatch(word)
    if bracketed:
        word = f"{bracketed[1]}{bracketed[2] or ''}"
    try:
        return _parsed(str(ip_network(word, strict=False)))
    except ValueError:
        return None


def _with_port(word: str) -> Meaning | None:
    bracketed, port = _BRACKETS.fullmatch(word), _PORT.fullmatch(word)
    if bracketed:
        return _parsed(f"{bracketed[1]}{bracketed[2] or ''}")
    found = _parsed(port[1] or port[2]) if port else None
    return found and Meaning(found.targets, "the whole host is blocked, not only this port")


def _of_url(word: str) -> Meaning | None:
    begin = _URL.match(word)
    if begin is None:
        return None
    try:
        parts = urlsplit(f"http://{word[begin.end() :]}")
        host = parts.hostname or ""
    except ValueError:
        return None
    found = _parsed(host)
    if found is None:
        return None
    targets = [f"={one}" if kind_of(one) is TargetKind.NAME else one for one in found.targets]
    is_part = parts.path not in {"", "/"} or parts.query or ":" in parts.netloc.rpartition("]")[2]
    return Meaning(targets, "the whole host is blocked, not only this address on it" if is_part else None)


def _parsed(word: str) -> Meaning | None:
    try:
        return Meaning((parse_target(word),))
    except Refused:
        return None
