"""Frames of RFC 6455, as far as this server speaks it: bytes to messages and back, without a socket.

The reader checks a client's bytes as they come: what the protocol forbids, or what is longer than the longest message,
is a `FrameFault`. It keeps one message and one frame of a client at most. Extensions are not negotiated, so reserved
bits are faults too. Unmasking is one XOR of two long integers: byte by byte, in Python, a message of 16 kB would take
longer than fifty clients' events.
"""

import base64
import binascii
from enum import IntEnum
from hashlib import sha1

from msgspec import Struct

MOST_FRAGMENTS = 64  # of one message; no client of ours sends any, and each costs as much as a message
LONGEST_CONTROL = 125  # RFC 6455, section 5.5
ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
KEY_BYTES = 16  # RFC 6455, section 4.1


class Opcode(IntEnum):
    """The kind of a frame (RFC 6455, section 5.2)."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


OPCODES = frozenset(Opcode)


class Status(IntEnum):
    """The reason for closing a connection (RFC 6455, section 7.4.1)."""

    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    NO_TEXT = 1007
    TOO_BIG = 1009


class FrameFault(Exception):
    """Bytes that no honest client sends: the connection must be closed with this status."""

    def __init__(self, status: Status, text: str) -> None:
        super().__init__(text)
        self.status = status


class Message(Struct, frozen=True):
    """A whole message or a control frame; a text's content is UTF-8."""

    opcode: Opcode
    content: bytes


def text_frame(content: bytes) -> bytes:
    """A complete text message."""
    return _frame(Opcode.TEXT, content)


def pong_frame(content: bytes) -> bytes:
    """The answer to a ping with this content."""
    return _frame(Opcode.PONG, content)


def close_frame(status: Status) -> bytes:
    """The server's close frame."""
    return _frame(Opcode.CLOSE, status.to_bytes(2, "big"))


def _frame(opcode: Opcode, content: bytes) -> bytes:
    size = len(content)
    if size <= LONGEST_CONTROL:
        return bytes((0x80 | opcode, size)) + content
    if size < 1 << 16:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + content
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + content


def accept_token(key: str) -> bytes | None:
    """The handshake's answer to this `Sec-WebSocket-Key`; `None`: the key is invalid."""
    try:
        if len(base64.b64decode(key, validate=True)) != KEY_BYTES:
            return None
    except (binascii.Error, ValueError):
        return None
    return base64.b64encode(sha1(key.encode() + ACCEPT_GUID).digest())  # noqa: S324  the protocol requires it


class FrameReader:
    """Turns a client's bytes into messages. `longest_bytes`: of one message."""

    __slots__ = ("_buffer", "_content", "_fragments", "_longest_bytes", "_opcode")

    def __init__(self, longest_bytes: int) -> None:
        self._longest_bytes = longest_bytes
        self._buffer = bytearray()
        self._opcode: Opcode | None = None  # of the message whose fragments are coming
        self._content = b""
        self._fragments = 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that these bytes complete. Raises `FrameFault`; then the reader must not be used any more."""
        buffer = self._buffer
        buffer += data
        messages, start = [], 0
        while (frame := self._frame(start)) is not None:
            first, content_start, end = frame
            mask = bytes(buffer[content_start - 4 : content_start])
            message = self._completed(first, unmask(bytes(buffer[content_start:end]), mask))
            if message is not None:
                messages.append(message)
            start = end
        del buffer[:start]
        return messages

    def _frame(self, start: int) -> tuple[int, int, int] | None:
        """First byte, and start and end of the content, of the frame that starts here; `None`: it is not complete."""
        buffer, available = self._buffer, len(self._buffer) - start
        if available < 2:
            return None
        first, second = buffer[start], buffer[start + 1]
        size = second & 127
        self._check(first, second, size)
        header = 6 if size < 126 else 8 if size == 126 else 14
        if available < header:
            return None
        if size >= 126:
            size = int.from_bytes(buffer[start + 2 : start + header - 4], "big")
        if size > self._longest_bytes:
            raise FrameFault(Status.TOO_BIG, f"a frame of more than {self._longest_bytes} bytes")
        end = start + header + size
        return (first, start + header, end) if len(buffer) >= end else None

    def _check(self, first: int, second: int, size: int) -> None:
        opcode = first & 15
        if first & 0x70 or opcode not in OPCODES:
            raise FrameFault(Status.PROTOCOL_ERROR, "a frame with reserved bits or opcode")
        if not second & 0x80:
            raise FrameFault(Status.PROTOCOL_ERROR, "a frame that is not masked")
        if opcode & 8:
            if not first & 0x80 or size > LONGEST_CONTROL:
                raise FrameFault(Status.PROTOCOL_ERROR, "a control frame that is long or in fragments")
        elif (opcode == Opcode.CONTINUATION) == (self._opcode is None):
            raise FrameFault(Status.PROTOCOL_ERROR, "fragments of messages in each other")

    def _completed(self, first: int, content: bytes) -> Message | None:
        """The message that this frame completes; `None`: more fragments follow."""
        opcode, is_final = Opcode(first & 15), bool(first & 0x80)
        if opcode & 8:
            return Message(opcode, content)
        if opcode is not Opcode.CONTINUATION and is_final:
            return _message(opcode, content)
        self._opcode = self._opcode or opcode
        self._content += content
        self._fragments += 1
        if len(self._content) > self._longest_bytes or self._fragments > MOST_FRAGMENTS:
            raise FrameFault(Status.TOO_BIG, f"fragments of more than {self._longest_bytes} bytes, or too many")
        if not is_final:
            return None
        message = _message(self._opcode, self._content)
        self._opcode, self._content, self._fragments = None, b"", 0
        return message


def _message(opcode: Opcode, content: bytes) -> Message:
    if opcode is Opcode.TEXT:
        try:
            content.decode()
        except UnicodeDecodeError:
            raise FrameFault(Status.NO_TEXT, "a text that is not UTF-8") from None
    return Message(opcode, content)


def unmask(content: bytes, mask: bytes) -> bytes:
    """Remove this mask of four bytes from the content (RFC 6455, section 5.3)."""
    size = len(content)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(content, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")
