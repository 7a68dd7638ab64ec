"""A WebSocket client of our own that can also send wrong frames."""

import base64
import json
import os
import socket
import struct

WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"


class WebSocket:
    """A client's end of a connection. Making it performs the handshake."""

    def __init__(self, connection: socket.socket, path: str = WEBSOCKET, headers: str = "") -> None:
        self.socket = connection
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n".encode()
        )
        self.file = self.socket.makefile("rb")
        self.answer: list[str] = []
        while (line := self.file.readline()) not in (b"\r\n", b""):
            self.answer.append(line.decode().strip())

    def __enter__(self) -> "WebSocket":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def send(self, text: str | bytes, opcode: int = 1) -> None:
        self.socket.sendall(frame(text, opcode))

    def read(self) -> str | None:
        """The next text; `None`: the connection has ended."""
        try:
            head = self.file.read(2)
            if len(head) < 2 or head[0] & 15 == 8:
                return None
            size = head[1] & 127
            if size > 125:
                size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
            return self.file.read(size).decode()
        except (ConnectionResetError, BrokenPipeError):
            return None

    def log_in(self, token: str) -> None:
        self.read()
        self.send("40" + json.dumps({"token": token}))
        answer = self.read()
        assert answer is not None, "hung up on"
        assert answer.startswith("40"), answer

    def is_dropped(self) -> bool:
        """Read until the server ends the connection."""
        while (text := self.read()) is not None:
            assert text == "1" or text.startswith("42"), text
        return True


def frame(
    content: str | bytes, opcode: int = 1, *, head: int = 128, masked: bool = True, size: int | None = None
) -> bytes:
    """A frame as a client sends it. `head`: FIN and the reserved bits; `size`: the length that it claims."""
    content = content if isinstance(content, bytes) else content.encode()
    size = len(content) if size is None else size
    mask = 128 if masked else 0
    length = bytes([mask | size]) if size < 126 else bytes([mask | 127]) + struct.pack("!Q", size)
    return bytes([head | opcode]) + length + (bytes(4) if masked else b"") + content
