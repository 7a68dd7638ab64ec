"""TLS hellos and QUIC packets, written from the RFCs and not from our parsers."""

import hmac
import struct
from collections.abc import Sequence
from itertools import pairwise

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = {1: 0x0000_0001, 2: 0x6B33_43CF}
SALT = {
    1: bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
    2: bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
}
LABEL = {1: "quic", 2: "quicv2"}
INITIAL = {1: 0xC0, 2: 0xD0}
SERVER_HELLO = b"\x16\x03\x03\x00\x3a\x02\x00\x00\x36\x03\x03" + bytes(52)
ALERT = b"\x15\x03\x03\x00\x02\x02\x70"
CLIENT_ID, SERVER_ID = b"client00", b"server00"


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack("!HH", kind, len(data)) + data


def server_name(name: str | bytes) -> bytes:
    encoded = name.encode() if isinstance(name, str) else name
    return extension(0, struct.pack("!HBH", len(encoded) + 3, 0, len(encoded)) + encoded)


def message(name: str | bytes | None, *, padding: int = 0, encrypted: bool = False, name_last: bool = False) -> bytes:
    """A ClientHello. `encrypted`: with another one in it; `padding`: bytes of a key share, as large keys have."""
    named = [server_name(name)] if name is not None else []
    others = [extension(10, b"\x00\x02\x00\x1d"), extension(51, bytes(padding)), extension(43, b"\x02\x03\x04")]
    if encrypted:
        others.append(extension(0xFE0D, b"\x00\x00\x01\x00\x01\x2a" + bytes(200)))
    extensions = b"".join([*others, *named] if name_last else [*named, *others])
    body = b"\x03\x03" + bytes(32) + b"\x20" + bytes(32) + b"\x00\x02\x13\x01" + b"\x01\x00"
    body += struct.pack("!H", len(extensions)) + extensions
    return b"\x01" + len(body).to_bytes(3, "big") + body


def records(content: bytes, size: int = 16_384) -> bytes:
    """The content in records of at most this size."""
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    return b"".join(b"\x16\x03\x01" + len(one).to_bytes(2, "big") + one for one in pieces)


def record(name: str | bytes | None, *, padding: int = 0, encrypted: bool = False) -> bytes:
    return records(message(name, padding=padding, encrypted=encrypted, name_last=True))


def number(value: int) -> bytes:
    return value.to_bytes(1, "big") if value < 64 else (value | 0x4000).to_bytes(2, "big")


def crypto(at: int, piece: bytes) -> bytes:
    return b"\x06" + number(at) + number(len(piece)) + piece


def expanded(secret: bytes, name: str, size: int) -> bytes:
    label = b"tls13 " + name.encode()
    info = size.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0\x01"
    return hmac.digest(secret, info, "sha256")[:size]


def initial(
    frames: bytes,
    *,
    version: int = 1,
    first_id: bytes = SERVER_ID,
    source_id: bytes = CLIENT_ID,
    destination_id: bytes | None = None,
    side: str = "client in",
    packet_number: int = 0,
    token: bytes = b"",
    size: int = 0,
) -> bytes:
    """An Initial, whose keys follow from the id to which the client's first packet went."""
    to = first_id if destination_id is None else destination_id
    secret = expanded(hmac.digest(SALT[version], first_id, "sha256"), side, 32)
    key, iv, mask_key = (expanded(secret, f"{LABEL[version]} {n}", k) for n, k in (("key", 16), ("iv", 12), ("hp", 16)))
    frames += bytes(max(0, size - len(frames)))
    header = bytes([INITIAL[version] | 1]) + struct.pack("!I", VERSION[version])
    header += bytes([len(to)]) + to + bytes([len(source_id)]) + source_id + number(len(token)) + token
    header += (2 + len(frames) + 16 | 0x4000).to_bytes(2, "big") + packet_number.to_bytes(2, "big")
    nonce = (int.from_bytes(iv, "big") ^ packet_number).to_bytes(12, "big")
    protected = AESGCM(key).encrypt(nonce, frames, header)
    sample = (header[-2:] + protected)[4:20]
    mask = Cipher(algorithms.AES(mask_key), modes.ECB()).encryptor().update(sample)
    first = bytes([header[0] ^ mask[0] & 0x0F])
    return first + header[1:-2] + bytes(a ^ b for a, b in zip(header[-2:], mask[1:3], strict=True)) + protected


def initials(
    name: str, *, version: int = 1, padding: int = 0, pieces: Sequence[int] = (), first_id: bytes = SERVER_ID
) -> list[bytes]:
    """The client's datagrams, each with as much of the hello. `pieces`: where it is cut between them."""
    hello = message(name, padding=padding)
    ends = [0, *pieces, len(hello)]
    return [
        initial(crypto(at, hello[at:end]), version=version, packet_number=place, size=1150, first_id=first_id)
        for place, (at, end) in enumerate(pairwise(ends))
    ]


def initial_answer(*, version: int = 1, first_id: bytes = SERVER_ID, client_id: bytes = CLIENT_ID) -> bytes:
    """The server's first packet."""
    return initial(
        crypto(0, b"\x02" + bytes(90)),
        version=version,
        first_id=first_id,
        destination_id=client_id,
        source_id=b"chosen00",
        side="server in",
        size=1150,
    )
