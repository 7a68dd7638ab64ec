"""Reading: makes a checked configuration of the bytes of a TOML file.

It reports every fault at once, each with its key, the value found and the values allowed, because a person who edits a
file over SSH should not meet its errors one by one. `msgspec` checks each value; this module walks the tables, so that
the first fault does not hide the others.
"""

import codecs
import re
import tomllib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from appliance.config.contradictions import contradictions
from appliance.config.line_numbers import line_of, line_of_syntax_error, lines_of_keys
from appliance.config.section import Section, SectionT
from appliance.config.sections import Config
from appliance.config.values import BitRate, Bytes, Station, Subnet, from_text, without_units
from appliance.core.operations.trial import LARGEST_CONFIG_BYTES
from appliance.core.text import AS_ITS_USER

# Names joined by dots: a key has four, an address four, a host a handful. The library takes minutes for 30,000.
_LONG_PATH = re.compile(r"""(?<![\w.'"-])(?:[\w'"-]+[ \t]*\.[ \t]*){20}""")
LONGEST_SHOWN = 60  # of a wrong value, in an error: enough to recognise it


class Fault(Struct, frozen=True):
    """What is wrong with a configuration. `line`: of its text, from 1; `None`: it is at no one line."""

    line: int | None
    message: str


class Problem(Struct, frozen=True):
    """A fault as the reader meets it. `path`: of its key."""

    path: str
    message: str


class ConfigError(Exception):
    """The configuration cannot be used; the text has a line for each fault."""


def load(path: Path) -> Config:
    """The configuration in this file. Raises `ConfigError` with a line for each fault."""
    return parse(_content(path), str(path))


def load_text(path: Path) -> str:
    """The text of this file, whatever its encoding. Raises `ConfigError` with a line for each fault in it."""
    content = _content(path)
    parse(content, str(path))
    return text_of(content)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_CONFIG_BYTES + 1)
    except OSError as error:
        advice = f"; {AS_ITS_USER}" if isinstance(error, PermissionError) else ""
        raise ConfigError(f"{path}: cannot be read: {error.strerror}{advice}") from None
    if len(content) > LARGEST_CONFIG_BYTES:
        raise ConfigError(f"{path}: larger than {LARGEST_CONFIG_BYTES} bytes, which no configuration is")
    return content


def parse(content: bytes, file_name: str) -> Config:
    """The configuration in this text. Raises `ConfigError` with a line for each fault, each beginning with the file."""
    try:
        text = text_of(content)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"line {line} has characters that are neither UTF-8 nor UTF-16"
        raise ConfigError(f"{file_name}: not a TOML file: {found}; save it as UTF-8") from None
    config, faults = judge(text)
    if config is None:
        raise ConfigError("\n".join(f"{file_name}: {one.message}" for one in faults))
    return config


def judge(text: str) -> tuple[Config | None, Sequence[Fault]]:
    """The configuration in this text, or `None` and all its faults."""
    if long_path := _LONG_PATH.search(text):
        line = text.count("\n", 0, long_path.start()) + 1
        return None, [Fault(line, f"line {line} joins more than 20 names by dots, which no key does")]
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return None, [Fault(line_of_syntax_error(str(error), text), f"not a TOML file: {error}")]
    problems: list[Problem] = []
    config = _section(Config, tables, "", problems)
    if config is not None and not problems:
        problems += [Problem(line.partition(":")[0], line) for line in contradictions(config)]
    if not problems:
        return config, ()
    lines = lines_of_keys(text)
    return None, [Fault(line_of(one.path, lines), one.message) for one in problems]


def text_of(content: bytes) -> str:
    """The text of a file as editors save it: with or without a byte order mark, in UTF-8 or UTF-16, of any line ends.

    TOML is UTF-8, whose first character is ASCII here: a zero byte beside it means UTF-16. Raises `UnicodeDecodeError`.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in content[:2]:
        encoding = "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
    return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")


# Byte order marks; that of UTF-32 begins as that of UTF-16 does.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_ALLOWED: dict[Any, str] = {  # the allowed values, for types without a description
    Bytes: 'a size with its unit, such as "5 GiB" or "5 GB"',
    BitRate: 'a rate with its unit, such as "1 Gbit" or "100 Mbit"',
    Subnet: 'an address or a prefix without host bits, such as "192.168.1.0/24"',
    Station: 'a MAC or an IP address, such as "02:00:5e:10:00:01" or "192.168.1.2"',
    ZoneInfo: 'a time zone\'s name, such as "Europe/Berlin"',
    bool: "true or false",
    float: "a number",
    int: "a whole number",
    str: "a text",
}


def _section(kind: type[SectionT], found: object, path: str, problems: list[Problem]) -> SectionT | None:
    if not isinstance(found, dict):
        problems.append(Problem(path, f"{path}: found {_short(found)}; allowed: a table"))
        return None
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    problems += [
        Problem(f"{path}.{key}".removeprefix("."), _unknown(key, path, list(fields)))
        for key in found
        if key not in fields
    ]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        key = f"{path}.{name}".removeprefix(".")
        if name in found:
            values[name] = _value(field.type, found[name], key, problems)
        elif field.required:
            problems.append(Problem(key, f"{key}: missing; needed: {_allowed(field.type)}"))
    return None if problems else kind(**values)


def _value(kind: Any, found: object, key: str, problems: list[Problem]) -> Any:
    """The value of one key; `None`: it is wrong, and `problems` has the fault. Lists are checked entry by entry."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return _section(kind, found, key, problems)
    if get_origin(kind) is tuple and isinstance(found, list):
        entry_kind = get_args(kind)[0]
        return tuple(_value(entry_kind, entry, f"{key}[{i}]", problems) for i, entry in enumerate(found, 1))
    try:
        return msgspec.convert(without_units(kind, found), kind, dec_hook=from_text)
    except msgspec.ValidationError:
        problems.append(Problem(key, f"{key}: found {_short(found)}; allowed: {_allowed(kind)}"))
        return None


def _allowed(kind: Any) -> str:
    if kind in _ALLOWED:
        return _ALLOWED[kind]
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "one of " + ", ".join(f'"{word}"' for word in kind)
    if get_origin(kind) is Annotated:
        return next(meta.description for meta in get_args(kind)[1:] if isinstance(meta, Meta) and meta.description)
    if get_origin(kind) is tuple:
        return f"a list, each entry {_allowed(get_args(kind)[0])}"
    if isinstance(kind, type) and issubclass(kind, Section):
        return "a table with " + ", ".join(field.encode_name for field in msgspec.structs.fields(kind))
    return _allowed(next(one for one in get_args(kind) if one is not type(None)))  # an optional value


def _unknown(name: str, path: str, known: list[str]) -> str:
    import difflib  # after a mistake only

    close = difflib.get_close_matches(name, known, n=1)
    hint = f'did you mean "{close[0]}"?' if close else "allowed: " + ", ".join(known)
    return f"{path}.{_short(name)}: unknown key; {hint}".removeprefix(".")


def _short(found: object) -> str:
    text = found if isinstance(found, str) else repr(found)
    shown = text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
    return f'"{shown}"' if isinstance(found, str) else shown
