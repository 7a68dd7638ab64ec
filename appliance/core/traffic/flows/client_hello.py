"""The ClientHello: the first message of a TLS handshake, which names the site in the clear (RFC 8446, RFC 6066).

`HelloStream` takes the bytes of a TCP connection as they become contiguous; QUIC's CRYPTO frames carry the message
without records. A message is read once, when it is whole, or as far as `MOST_BYTES` reaches. No bytes raise, and the
work is bounded by the number of records and extensions.

A hello may carry another one, encrypted (ECH, RFC 9849); its own name is then that of the operator's front. Browsers
also send an imitation of it to servers that have no key, with the true name outside, which nobody can tell from the
real thing. So `has_encrypted` says only that there is one; `core.traffic.naming` judges the name.
"""

import re
import struct

from msgspec import Struct

MOST_BYTES = 16_384  # of a handshake, the most of one record (RFC 8446 section 5.1); real ones have 0.2 to 4 KiB
MOST_RECORDS = 64  # of one message; the smallest that are seen are cut into a handful
MOST_EXTENSIONS = 64  # browsers send up to 20
PREFIX_BYTES = 2048  # of another protocol before its client begins TLS (STARTTLS, a proxy's CONNECT)
LONGEST_NAME = 253  # RFC 1035 section 2.3.4, as text
HANDSHAKE, ALERT = 0x16, 0x15  # types of a record
RECORD_BYTES, MAJOR = 5, 3  # a record's header, and the version in it since SSL 3

_RECORD = struct.Struct("!BBBH")  # type, version, length
_EXTENSION = struct.Struct("!HH")  # type, length
_CLIENT_HELLO = 1
_HEADER_BYTES = 4  # type, and the length in 24 bits
_RANDOM_BYTES = 34  # version and random
_SERVER_NAME, _ENCRYPTED_HELLO = 0, 0xFE0D  # IANA, TLS extension types
_HOST_NAME = 0
# What a name may have: host names, addresses and a port, which some programs send. Everything else is no name.
_NAME = re.compile(rb"[A-Za-z0-9._:-]+")
_BEGIN = re.compile(rb"\x16\x03[\x00-\x04]..\x01\x00..\x03[\x00-\x04]", re.DOTALL)
BEGIN_BYTES = 11
_SHORTEST = 38  # a hello with empty lists


class ClientHello(Struct, frozen=True):
    """What a client says first. `name`: of the server, in lower case without the last dot; empty where it has none."""

    name: str
    has_encrypted: bool = False


def message_bytes(data: bytes | bytearray) -> int | None:
    """The length of the handshake message that begins here, with its header; `None`: unknown yet; 0: no hello."""
    if not data:
        return None
    if data[0] != _CLIENT_HELLO:
        return 0
    if len(data) < _HEADER_BYTES:
        return None
    length = _HEADER_BYTES + int.from_bytes(data[1:_HEADER_BYTES], "big")
    return length if length >= _SHORTEST else 0


def parse_hello(message: bytes | bytearray) -> ClientHello | None:
    """The hello in this handshake message, which may be cut; `None`: it is none."""
    if message_bytes(message) == 0:
        return None
    try:
        return _parse(bytes(message[:MOST_BYTES]))
    except (struct.error, IndexError):
        return None


def _parse(data: bytes) -> ClientHello:
    end = min(len(data), _HEADER_BYTES + int.from_bytes(data[1:_HEADER_BYTES], "big"))
    at = _HEADER_BYTES + _RANDOM_BYTES
    at += 1 + data[at]  # session
    at += 2 + int.from_bytes(data[at : at + 2], "big")  # ciphers
    at += 1 + data[at]  # compressions
    at += 2  # the length of all extensions
    name, has_encrypted = "", False
    for _ in range(MOST_EXTENSIONS):
        if at + _EXTENSION.size > end:
            break
        kind, length = _EXTENSION.unpack_from(data, at)
        at += _EXTENSION.size
        if kind == _SERVER_NAME and not name:
            name = _server_name(data[at : min(at + length, end)])
        has_encrypted = has_encrypted or kind == _ENCRYPTED_HELLO
        at += length
    return ClientHello(name, has_encrypted)


def _server_name(data: bytes) -> str:
    """The host name in the extension (RFC 6066 section 3); empty where it is cut or cannot be a name."""
    kind, length = data[2], int.from_bytes(data[3:5], "big")
    return host_name(data[5 : 5 + length]) if kind == _HOST_NAME and len(data) >= 5 + length else ""


def host_name(found: bytes) -> str:
    """These bytes as a name; empty where they cannot be one."""
    if len(found) > LONGEST_NAME + 1 or not _NAME.fullmatch(found):
        return ""
    return found.decode().lower().removesuffix(".")


def begins_hello(payload: bytes) -> bool:
    """Whether a TLS record with a hello begins here."""
    return _BEGIN.match(payload) is not None


class HelloStream:
    """The begin of what a client sends over TCP, read for its hello as it arrives in order.

    `is_done`: nothing more is needed. `hello`: what was found. Where another protocol comes first, the hello is
    searched for within `PREFIX_BYTES`.
    """

    __slots__ = ("_at", "_message", "_records", "_start", "hello", "is_done")

    def __init__(self) -> None:
        self.hello: ClientHello | None = None
        self.is_done = False
        self._start: int | None = None  # where TLS begins
        self._at = 0  # the next record
        self._records = 0
        self._message = bytearray()

    def read(self, data: bytes) -> None:
        """Read on. `data`: all that came without a gap, from the first byte."""
        if self.is_done:
            return
        if self._start is None and not self._find(data):
            return
        self._take_records(data)

    def _find(self, data: bytes) -> bool:
        if data[0] == HANDSHAKE:
            if len(data) > 1:
                self._start, self.is_done = 0, data[1] != MAJOR
            return not self.is_done and len(data) > 1
        found = _BEGIN.search(data, 0, PREFIX_BYTES + BEGIN_BYTES)
        if found is None:
            self.is_done = len(data) >= PREFIX_BYTES + BEGIN_BYTES
            return False
        self._start = self._at = found.start()
        return True

    def _take_records(self, data: bytes) -> None:
        while not self.is_done and len(data) >= self._at + RECORD_BYTES:
            kind, major, _, length = _RECORD.unpack_from(data, self._at)
            end = self._at + RECORD_BYTES + length
            self._records += 1
            if kind != HANDSHAKE or major != MAJOR or not length or self._records > MOST_RECORDS:
                self._finish()
                return
            if len(data) < end:
                self._records -= 1
                if end > MOST_BYTES <= len(data):
                    self._message += data[self._at + RECORD_BYTES :]
                    self._finish()
                return
            self._message += data[self._at + RECORD_BYTES : end]
            self._at = end
            wanted = message_bytes(self._message)
            if wanted is not None and len(self._message) >= wanted:
                self._finish()

    def _finish(self) -> None:
        self.is_done = True
        self.hello = parse_hello(self._message)
        self._message = bytearray()
