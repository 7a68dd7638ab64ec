"""QUIC's Initial packets, whose keys anyone can derive: what a client says first (RFC 9000, RFC 9001, RFC 9369).

Only a client's Initials are decrypted. The keys follow from the first connection id that the client chose; it keeps
them when the server has told it another id, and begins again with those of a Retry. Removing the protection costs some
60 us here and four times that on a Raspberry Pi 4, so who calls has a budget. The header's protection comes off without
a key only as far as `Initial` goes: enough to know the flow.

Google's own QUIC (Q024 to Q043) sends its hello in the clear; it is read too, because captures have it.
"""

import hmac
import struct
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from msgspec import Struct

from appliance.core.traffic.flows.client_hello import ClientHello, host_name

MOST_PACKETS = 4  # of one datagram: clients join Initial, 0-RTT and Handshake
MOST_FRAMES = 128  # of one packet; Chrome cuts its hello into some twenty
_LONGEST_ID = 20  # RFC 9000 section 17.2
_SAMPLE_BYTES, _TAG_BYTES = 16, 16
_INITIAL_SECRET_BYTES = 32

_GOOGLE_ENTRY = struct.Struct("<4sI")  # a tag and where its value ends
_MOST_TAGS = 64


class Version(NamedTuple):
    """What differs between versions: the type of an Initial, the salt and the labels of the keys."""

    initial: int
    salt: bytes
    key: bytes
    iv: bytes
    protection: bytes


def _label(name: str, size: int) -> bytes:
    """HKDF's info for a label (RFC 8446 section 7.1), with the counter of its only block."""
    full = b"tls13 " + name.encode()
    return size.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0\x01"


class Side(Enum):
    """Whose packets keys are for: the label of its secret."""

    CLIENT = _label("client in", _INITIAL_SECRET_BYTES)
    SERVER = _label("server in", _INITIAL_SECRET_BYTES)


VERSIONS = {
    0x0000_0001: Version(
        0,
        bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
        _label("quic key", 16),
        _label("quic iv", 12),
        _label("quic hp", 16),
    ),
    0x6B33_43CF: Version(
        1,
        bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
        _label("quicv2 key", 16),
        _label("quicv2 iv", 12),
        _label("quicv2 hp", 16),
    ),
}


class Initial(NamedTuple):
    """An Initial packet, protected. `number_at`: where its number begins in `packet`, which ends with its tag."""

    version: int
    destination_id: bytes
    source_id: bytes
    packet: bytes
    number_at: int


class Keys(Struct, frozen=True):
    """The keys of the Initials of one side."""

    key: bytes
    iv: bytes
    protection: bytes


class CryptoFrame(NamedTuple):
    """A piece of the handshake, and its place."""

    at: int
    piece: bytes


def initials_in(payload: bytes) -> Iterator[Initial]:
    """The Initials of a datagram, which may have several packets; never raises."""
    at = 0
    for _ in range(MOST_PACKETS):
        try:
            found, end = _long_packet(payload, at)
        except (IndexError, ValueError):
            return
        if found is not None:
            yield found
        at = end


def _long_packet(data: bytes, start: int) -> tuple[Initial | None, int]:
    """The Initial at this place, or `None` for another packet with a long header; and where it ends."""
    first = data[start]
    version = VERSIONS.get(int.from_bytes(data[start + 1 : start + 5], "big"))
    if first & 0xC0 != 0xC0 or version is None:
        raise ValueError
    destination_id, at = _connection_id(data, start + 5)
    source_id, at = _connection_id(data, at)
    kind = first >> 4 & 3
    if kind == (version.initial - 1) & 3:  # Retry: without a length, and alone
        raise ValueError
    is_initial = kind == version.initial
    if is_initial:
        token_bytes, at = _number(data, at)
        at += token_bytes
    length, at = _number(data, at)
    end = at + length
    if end > len(data) or length < 4 + _SAMPLE_BYTES:
        raise ValueError
    if not is_initial:
        return None, end
    number = int.from_bytes(data[start + 1 : start + 5], "big")
    return Initial(number, destination_id, source_id, data[start:end], at - start), end


def _connection_id(data: bytes, at: int) -> tuple[bytes, int]:
    size = data[at]
    end = at + 1 + size
    if size > _LONGEST_ID or end > len(data):
        raise ValueError
    return data[at + 1 : end], end


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends (RFC 9000 section 16)."""
    end = at + (1 << (data[at] >> 6))
    if end > len(data):
        raise ValueError
    return int.from_bytes(data[at:end], "big") & (1 << 8 * (end - at) - 2) - 1, end


def keys_of(version: int, first_id: bytes, side: Side = Side.CLIENT) -> Keys:
    """The keys of a connection whose client sent its first packet to this connection id."""
    of = VERSIONS[version]
    secret = hmac.digest(hmac.digest(of.salt, first_id, "sha256"), side.value, "sha256")
    key, iv, protection = (hmac.digest(secret, label, "sha256") for label in (of.key, of.iv, of.protection))
    return Keys(key[:16], iv[:12], protection[:16])


def decrypt(initial: Initial, keys: Keys) -> bytes | None:
    """The frames in this packet; `None`: it was not made with these keys."""
    # Loaded by the first Initial: 9 MB that a network without QUIC does not need.
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    packet, at = initial.packet, initial.number_at
    sample = packet[at + 4 : at + 4 + _SAMPLE_BYTES]
    mask = Cipher(algorithms.AES(keys.protection), modes.ECB()).encryptor().update(sample)  # noqa: S305  RFC 9001 5.4.3
    header = bytearray(packet[: at + 4])
    header[0] ^= mask[0] & 0x0F
    size = (header[0] & 3) + 1
    header = header[: at + size]
    for place in range(size):
        header[at + place] ^= mask[1 + place]
    number = int.from_bytes(header[at:], "big")
    nonce = (int.from_bytes(keys.iv, "big") ^ number).to_bytes(12, "big")
    try:
        return AESGCM(keys.key).decrypt(nonce, packet[at + size :], bytes(header))
    except InvalidTag:
        return None


def crypto_frames(frames: bytes) -> Iterator[CryptoFrame]:
    """The pieces of the handshake in a packet's frames; stops at what no Initial has, and never raises."""
    at, count = 0, 0
    try:
        while at < len(frames) and count < MOST_FRAMES:
            kind = frames[at]
            if not kind:  # padding, to the end of the packet or between other frames
                rest = frames[at:].lstrip(b"\0")
                at = len(frames) - len(rest)
                continue
            count += 1
            at += 1
            if kind == _CRYPTO:
                place, at = _number(frames, at)
                size, at = _number(frames, at)
                yield CryptoFrame(place, frames[at : at + size])
                at += size
            elif kind in _ACKS:
                at = _skip_ack(frames, at, has_counts=kind == _ACK_WITH_COUNTS)
            elif kind != _PING:
                return
    except (IndexError, ValueError):
        return


_PING, _ACK, _ACK_WITH_COUNTS, _CRYPTO = 1, 2, 3, 6
_ACKS = frozenset({_ACK, _ACK_WITH_COUNTS})


def _skip_ack(frames: bytes, at: int, *, has_counts: bool) -> int:
    _, at = _number(frames, at)
    _, at = _number(frames, at)
    ranges, at = _number(frames, at)
    for _ in range(1 + 2 * min(ranges, MOST_FRAMES) + 3 * has_counts):
        _, at = _number(frames, at)
    return at


def google_hello(payload: bytes) -> ClientHello | None:
    """The hello of Google's own QUIC in this datagram: a table of tags and values, in the clear."""
    if len(payload) < 64 or payload[0] & 0x09 != 0x09 or payload[9:11] != b"Q0":  # flags: a version, an id of 8 bytes
        return None
    start = payload.find(b"CHLO", 0, 64)
    if start < 0:
        return None
    count = int.from_bytes(payload[start + 4 : start + 6], "little")
    values = start + 8 + count * _GOOGLE_ENTRY.size
    before = 0
    for number in range(min(count, _MOST_TAGS)):
        place = start + 8 + number * _GOOGLE_ENTRY.size
        if place + _GOOGLE_ENTRY.size > len(payload):
            return None
        tag, end = _GOOGLE_ENTRY.unpack_from(payload, place)
        if tag == b"SNI\0":
            return ClientHello(host_name(payload[values + before : values + end]))
        before = end
    return None
