"""Reads the head of a request, strictly: what two programs could read in two ways is refused.

A proxy and a server that find different ends of one request let a stranger put a request of their own into another's
connection (RFC 9112, section 11.2). So a head has one meaning here, or it gets `400 Bad Request`: lines end with a line
feed and contain no other control character, no header is continued on the next line, and a body has one length.
"""

import re
from collections.abc import Callable
from email.message import Message

from msgspec import Struct

LONGEST_LINE_BYTES = 48 * 1024  # a token of the longest kind, in Basic's encoding
LONGEST_HEAD_BYTES = 64 * 1024

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # RFC 9110, section 5.6.2
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([!-~\x80-\xff]+) HTTP/([0-9])\.([0-9])\r?\n")
_HEADER = re.compile(rb"(" + _TOKEN + rb"):([\t -~\x80-\xff]*)\r?\n")
_ABSOLUTE = re.compile(r"(?:https?|wss?)://([^/?#]*)(.*)", re.IGNORECASE)
# A name, an address, or an IPv6 address without its brackets, as socket.io-client in Node sends it.
_AUTHORITY = re.compile(
    r"(?:[A-Za-z0-9._~%!$&'()*+;=-]{0,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?|[0-9A-Fa-f:.]{2,51}"
)
_LENGTH = re.compile(r"[0-9]{1,40}")  # a length beyond every limit is too large, not malformed


class RejectedRequest(Exception):
    """The request gets this status. `status`: such as `400 Bad Request`; `why`: a sentence for its developer."""

    def __init__(self, status: str, why: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        """`headers`: of the answer, beside those of every answer."""
        super().__init__(status)
        self.status = status
        self.body = f"{status}: {why}\n" if why else status
        self.headers = headers


class RequestHead(Struct, frozen=True):
    """A request without its body. `target`: a path with its query, or `*`; `keeps`: whether the connection goes on."""

    method: str
    target: str
    version: str
    headers: Message
    keeps: bool


def read_head(request_line: bytes, read_line: Callable[[int], bytes]) -> RequestHead:
    """The head that begins with this line. `read_line`: reads one line of so many bytes at most.

    Raises `RejectedRequest`.
    """
    match = _REQUEST_LINE.fullmatch(request_line)
    if match is None:
        raise RejectedRequest("400 Bad Request", "the first line must be: METHOD TARGET HTTP/1.1")
    if match[3] != b"1":
        raise RejectedRequest("505 HTTP Version Not Supported", "speak HTTP/1.1")
    method, version = match[1].decode(), "HTTP/1.0" if match[4] == b"0" else "HTTP/1.1"
    headers = _read_headers(read_line)
    _check_framing(headers, version)
    target, authority = _target(method, match[2].decode("latin-1"))
    _check_host(headers, authority)
    keeps = _keeps(headers, version)
    if version == "HTTP/1.0":
        del headers["Expect"], headers["Upgrade"]  # RFC 9110, sections 10.1.1 and 7.8: both came with HTTP/1.1
    return RequestHead(method, target, version, headers, keeps)


def _read_headers(read_line: Callable[[int], bytes]) -> Message:
    headers, size = Message(), 0
    while (line := read_line(LONGEST_LINE_BYTES)) not in (b"\r\n", b"\n"):
        size += len(line)
        if len(line) == LONGEST_LINE_BYTES or size > LONGEST_HEAD_BYTES:
            raise RejectedRequest("431 Request Header Fields Too Large", "no header of ours is so long")
        match = _HEADER.fullmatch(line)
        if match is None:
            raise RejectedRequest("400 Bad Request", "each header must be one line: NAME: VALUE")
        headers[match[1].decode()] = match[2].strip(b" \t").decode("latin-1")
    return headers


def _check_framing(headers: Message, version: str) -> None:
    lengths = headers.get_all("Content-Length", [])
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(one) for one in lengths):
        raise RejectedRequest("400 Bad Request", "there must be one Content-Length, a number")
    if "Transfer-Encoding" in headers and (lengths or version == "HTTP/1.0"):
        raise RejectedRequest("400 Bad Request", "Transfer-Encoding goes neither with Content-Length nor with HTTP/1.0")


def _target(method: str, text: str) -> tuple[str, str | None]:
    """The path and query, or `*`, and the authority of an absolute form (RFC 9112, section 3.2)."""
    if text.startswith("/"):
        return "/" + text.lstrip("/"), None
    if (absolute := _ABSOLUTE.fullmatch(text)) is not None:
        path = absolute[2] if absolute[2].startswith("/") else f"/{absolute[2]}"
        return path, absolute[1]
    if method in {"OPTIONS", "CONNECT"}:
        return "*", None
    raise RejectedRequest("400 Bad Request", "the target must be a path, or a URL of this appliance")


def _check_host(headers: Message, authority: str | None) -> None:
    """Refuse a second or malformed `Host`. A missing one is no fault: there is one site here, whatever its name."""
    hosts = headers.get_all("Host", [])
    if len(hosts) > 1 or not all(_AUTHORITY.fullmatch(one) for one in [*hosts, authority or ""]):
        raise RejectedRequest("400 Bad Request", "there must be one Host, such as 192.168.1.2:5001")
    if authority is not None:
        del headers["Host"]
        headers["Host"] = authority


def _keeps(headers: Message, version: str) -> bool:
    """Whether the connection goes on. One word remains in `Connection` where eventlet compares the whole of it."""
    words = {word.strip().lower() for value in headers.get_all("Connection", []) for word in value.split(",")}
    keeps = "close" not in words and (version == "HTTP/1.1" or "keep-alive" in words)
    if not keeps or version == "HTTP/1.0":
        del headers["Connection"]
        headers["Connection"] = "keep-alive" if keeps else "close"
    return keeps
