"""Finds the text of a list in its bytes, whatever program wrote them, or says that they are no list.

A server that is broken answers with a page for people, with nothing, or with half of it. None of that may be taken for
a list without entries, because that would lift all blocks.
"""

import re
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE

_GZIP = b"\x1f\x8b"
# How the files of other programs begin.
_BINARY = (
    b"PK\x03\x04",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    b"7z\xbc\xaf",
    b"%PDF",
    b"\x7fELF",
    b"SQLite format 3",
)
# Of two marks that begin alike, the longer comes first.
_MARKS = {
    BOM_UTF32_LE: "utf-32-le",
    BOM_UTF32_BE: "utf-32-be",
    BOM_UTF8: "utf-8",
    BOM_UTF16_LE: "utf-16-le",
    BOM_UTF16_BE: "utf-16-be",
}
_LOOKED_AT = 4096  # characters in which a page says that it is one
_PAGE_BEGIN = re.compile(r"\s*<(?!require|limit|files|directory|location|ifmodule)", re.IGNORECASE)
_PAGE = re.compile(r"<!doctype\b|<html\b|<body\b|<head>", re.IGNORECASE)


class NoList(Exception):
    """The content as a whole is no list; the text says why, in a sentence for people."""


def list_text(content: bytes, largest_bytes: int) -> str:
    """The text of a list. `largest_bytes`: of what a gzip file contains. Raises `NoList`."""
    if content.startswith(_GZIP):
        content = _unpacked(content, largest_bytes)
    if content.startswith(_BINARY):
        raise NoList("it is a compressed or binary file, not a text")
    text = _decoded(content)
    if "\x00" in text:
        raise NoList("it is binary, not a text")
    if _PAGE_BEGIN.match(text) or _PAGE.search(text, 0, _LOOKED_AT):
        raise NoList("it is a page in HTML or XML, not a list")
    return text


def _unpacked(content: bytes, largest_bytes: int) -> bytes:
    unpacked = b""
    while content.startswith(_GZIP):  # several, one behind the other, are one file (RFC 1952 section 2.2)
        unpacker = zlib.decompressobj(wbits=31)
        try:
            unpacked += unpacker.decompress(content, largest_bytes + 1 - len(unpacked))
        except zlib.error:
            raise NoList("it is a gzip file that is damaged") from None
        if len(unpacked) > largest_bytes:
            raise NoList(f"unpacked, it is larger than {largest_bytes >> 20} MiB")
        if not unpacker.eof:
            raise NoList("it is a gzip file that ends in the middle")
        content = unpacker.unused_data
    return unpacked


def _decoded(content: bytes) -> str:
    mark = next((one for one in _MARKS if content.startswith(one)), b"")
    encoding = _MARKS[mark] if mark else _guessed(content)
    width = {"utf-16": 2, "utf-32": 4}.get(encoding[:6], 1)
    if len(content) % width:
        raise NoList("it ends in the middle of a character")
    return content.removeprefix(mark).decode(encoding, errors="replace")


def _guessed(content: bytes) -> str:
    """UTF-16 without a mark has a zero beside each letter of the alphabet; nothing else has."""
    sample = content[:256]
    zeros = sample.count(0, 0) and [sample[at::2].count(0) for at in (0, 1)]
    if not zeros or max(zeros) * 5 < len(sample):
        return "utf-8"
    return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
