"""Reads the body of a request: of the length that it declares, or in chunks, and never more than its page takes."""

import re
from typing import Any

from appliance.server.http.request_head import RejectedRequest

LONGEST_CHUNK_LINE = 256  # bytes; a chunk's size in eight digits, and extensions that nobody sends
MOST_TRAILERS = 16  # lines after the last chunk, which are ignored
MOST_CHUNKS = 4096  # chunks of one byte would cost as much as whole requests

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[^\r\n]*)?\r\n")


def declares_body(environ: dict[str, Any]) -> bool:
    """Whether a body follows the head of this request."""
    return int(environ.get("CONTENT_LENGTH", "0")) > 0 or "HTTP_TRANSFER_ENCODING" in environ


def read_body(environ: dict[str, Any], most_bytes: int) -> bytes:
    """The whole body of this request. Raises `RejectedRequest`; then the connection cannot be used any more."""
    source = environ["eventlet.input"]
    try:
        if "HTTP_TRANSFER_ENCODING" in environ:
            return _chunked(environ, source, most_bytes)
        return _sized(source, int(environ.get("CONTENT_LENGTH", "0")), most_bytes)
    except TimeoutError:
        raise RejectedRequest("408 Request Timeout") from None
    except OSError:
        raise RejectedRequest("400 Bad Request") from None


def _sized(source: Any, length: int, most_bytes: int) -> bytes:
    if length > most_bytes:
        raise _too_large(most_bytes)
    body: bytes = source.read(length)
    if len(body) != length:
        raise RejectedRequest("400 Bad Request", "the body ended early")
    return body


def _chunked(environ: dict[str, Any], source: Any, most_bytes: int) -> bytes:
    """The chunks of the body (RFC 9112, section 7.1). eventlet's own reader takes lines without end, and odd sizes."""
    if environ["HTTP_TRANSFER_ENCODING"].strip().lower() != "chunked":
        raise RejectedRequest("411 Length Required", "send Content-Length, or Transfer-Encoding: chunked alone")
    if source.should_send_hundred_continue:
        source.send_hundred_continue_response()
        source.is_hundred_continue_response_sent = True
    body = b""
    for _ in range(MOST_CHUNKS):
        line = _CHUNK_LINE.fullmatch(source.rfile.readline(LONGEST_CHUNK_LINE))
        if line is None:
            break
        size = int(line[1], 16)
        if not size:
            _skip_trailers(source.rfile)
            source.chunk_length = 0  # eventlet's sign that the body was read to its end
            return body
        if len(body) + size > most_bytes:
            raise _too_large(most_bytes)
        chunk = source.rfile.read(size + 2)
        if len(chunk) != size + 2 or chunk[-2:] != b"\r\n":
            break
        body += chunk[:-2]
    raise RejectedRequest("400 Bad Request", "the chunks of the body cannot be read")


def _skip_trailers(file: Any) -> None:
    for _ in range(MOST_TRAILERS):
        if file.readline(LONGEST_CHUNK_LINE) == b"\r\n":
            return
    raise RejectedRequest("400 Bad Request", "the chunks of the body do not end")


def _too_large(most_bytes: int) -> RejectedRequest:
    return RejectedRequest("413 Content Too Large", f"at most {most_bytes} bytes are taken here")
