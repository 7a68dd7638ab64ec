"""Fetches block lists from files, and from HTTP servers on the LAN by the standard library's `http.client`.

A source is not trusted. Its size and time are bounded, redirections are not followed, and every fault is a value: the
caller keeps its former list. A list that has not changed is not sent again (RFC 9110, section 13: `If-None-Match`,
`If-Modified-Since`); for a file, its time and size show that.

It waits for the network: its caller runs it beside the event loop.
"""

import http.client
import os
import socket
import stat
from datetime import timedelta
from email.utils import parsedate_to_datetime
from threading import Timer
from time import monotonic
from urllib.parse import urlsplit

from appliance.core.blocking.lists.parser import LARGEST_BYTES, Fetched

ANSWER_S = 10.0  # a server on the LAN that is silent for longer is down
WHOLE_S = 60.0  # the largest list over a link of 2 Mbit/s; a server that trickles must not hold the thread for ever
LONGEST_VALIDATOR = 1024  # characters of an ETag that we would send back


def fetch(source: str, version: str, whole_s: float = WHOLE_S) -> Fetched:
    """Fetch the list at this path or `http://` URL, unless it still has this version (empty: none is known).

    `whole_s`: seconds in which a server must have sent all of it.
    """
    try:
        return _download(source, version, whole_s) if source.startswith("http://") else _read(source, version)
    except OSError as error:
        return Fetched(trouble=error.strerror or str(error) or type(error).__name__)
    except (http.client.HTTPException, ValueError) as error:
        return Fetched(trouble=f"no whole answer in HTTP: {type(error).__name__}")


def _read(path: str, version: str) -> Fetched:
    # A pipe would block the thread, and a device never end: only regular files are read.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return Fetched(trouble="not a file")
        current = f"{found.st_ino}/{found.st_mtime_ns}/{found.st_size}"
        if current == version:
            return Fetched(version=version)
        content = file.read(LARGEST_BYTES + 1)
    return _whole(content, current)


def _download(url: str, version: str, whole_s: float) -> Fetched:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_S)
    connection.connect()
    # `timeout` bounds one wait only: a server that sends a byte now and then would block the thread for ever.
    end = Timer(whole_s, connection.sock.shutdown, (socket.SHUT_RDWR,))
    deadline_s = monotonic() + whole_s
    end.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"User-Agent": "appliance", **_condition(version)})
        fetched = _answer(connection.getresponse(), version, deadline_s)
    finally:
        end.cancel()
        connection.close()
    return fetched


def _answer(answer: http.client.HTTPResponse, version: str, deadline_s: float) -> Fetched:
    if answer.status == http.client.NOT_MODIFIED:
        return Fetched(version=version)
    if 300 <= answer.status < 400:
        return Fetched(trouble="the server says that it has moved; give the address it has now as source")
    if answer.status != http.client.OK:
        return Fetched(trouble=f"the server answers {answer.status}")
    return _whole(_body(answer, deadline_s), _validator(answer))


def _condition(version: str) -> dict[str, str]:
    kind, _, value = version.partition(" ")
    return {kind: value} if value else {}


def _validator(answer: http.client.HTTPResponse) -> str:
    """The condition of the next request: its header and value; empty: there is none."""
    dated = [("Last-Modified", "If-Modified-Since")] if _is_settled(answer) else []
    for header, condition in (("ETag", "If-None-Match"), *dated):
        value = answer.getheader(header, "")
        if value and len(value) <= LONGEST_VALIDATOR and value.isprintable():
            return f"{condition} {value}"
    return ""


def _is_settled(answer: http.client.HTTPResponse) -> bool:
    """Whether a later change will have a later date: these have whole seconds (RFC 9110, section 8.8.2.2)."""
    try:
        modified, sent = (parsedate_to_datetime(answer.getheader(name, "")) for name in ("Last-Modified", "Date"))
        return sent - modified >= timedelta(seconds=1)
    except (OverflowError, TypeError, ValueError):  # no date, or none with a time zone
        return False


def _body(answer: http.client.HTTPResponse, deadline_s: float) -> bytes:
    """The body, up to a byte more than a list may have. Raises `IncompleteRead` where it ends early."""
    content = answer.read(LARGEST_BYTES + 1)
    if len(content) <= LARGEST_BYTES and (answer.length or monotonic() >= deadline_s):
        raise http.client.IncompleteRead(content)
    return content


def _whole(content: bytes, version: str) -> Fetched:
    if len(content) > LARGEST_BYTES:
        return Fetched(trouble=f"it is larger than {LARGEST_BYTES >> 20} MiB")
    return Fetched(content, version)
