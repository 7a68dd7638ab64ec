"""Fetches block lists: from the folder of lists, and from HTTP servers by the standard library's `http.client`.

A source is not trusted, and neither is the person who names it: they may administer the appliance, but not the
computer. So a file is read only in the folder of lists, where no link leads out, and a server only where it is another
computer. Its name is resolved once, and that address is judged and connected to, after each redirection too: a name
that resolves otherwise a moment later does not matter.

Size and time are bounded, and every fault is a value: the caller keeps its former list. A list that has not changed is
not sent again (RFC 9110, section 13: `If-None-Match`, `If-Modified-Since`); for a file, its time and size show that.

It waits for the network: its caller runs it beside the event loop.
"""

import http.client
import os
import socket
import ssl
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path, PurePosixPath
from threading import Timer
from time import monotonic
from urllib.parse import SplitResult, urljoin, urlsplit

from appliance.core.blocking.lists.parser import LARGEST_BYTES, Fetched

ANSWER_S = 10.0  # a server on the LAN that is silent for longer is down
WHOLE_S = 60.0  # the largest list over a link of 2 Mbit/s; a server that trickles must not hold the thread for ever
LONGEST_VALIDATOR = 1024  # characters of an ETag that we would send back
MOST_REDIRECTIONS = 5  # as curl needs for any published list
MOST_ADDRESSES = 4  # of one name that are tried
LONGEST_URL = 2048  # of a redirection

_MOVED = frozenset({301, 302, 303, 307, 308})
_NAT64 = 0x64_FF9B << 96  # the prefix of RFC 6052, with the address of IPv4 at its end
_PORTS = {"http": http.client.HTTP_PORT, "https": http.client.HTTPS_PORT}

Address = IPv4Address | IPv6Address
Judge = Callable[[Address, Address | None], str | None]  # (its address, ours if connected) -> why no list is fetched


class NotFetched(Exception):
    """A source that gives no list; the text says why, in a sentence for people."""


def refusal_of(address: Address, own: Address | None) -> str | None:
    """Why no list is fetched from this address: it is the computer itself, or nobody's; `None`: it may be.

    `own`: this computer's end of the connection; `None`: there is none yet.
    """
    inner = _embedded(address)
    if inner.is_loopback or inner.is_unspecified or address == own:
        return "it is this computer"
    if inner.is_link_local:
        return "link-local addresses have no lists"
    return "it is no host's address" if inner.is_multicast or inner == IPv4Address("255.255.255.255") else None


def _embedded(address: Address) -> Address:
    """The address of IPv4 that one of IPv6 leads to, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if int(address) >> 32 == _NAT64 >> 32 or int(address) >> 32 == 0 < int(address) >> 16:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


class ListSource:
    """Fetches lists. `folder`: where files of lists are; `judge`: tests have their own."""

    def __init__(self, folder: Path, judge: Judge = refusal_of) -> None:
        self._folder = folder
        self._judge = judge

    def fetch(self, source: str, version: str, whole_s: float = WHOLE_S) -> Fetched:
        """Fetch the list at this path or URL, unless it still has this version (empty: none is known).

        `whole_s`: seconds in which a server must have sent all of it.
        """
        try:
            return self._read(source, version) if source.startswith("/") else self._download(source, version, whole_s)
        except NotFetched as trouble:
            return Fetched(trouble=str(trouble))
        except ssl.SSLCertVerificationError as error:
            return Fetched(trouble=f"the server's certificate is not good: {error.verify_message}")
        except OSError as error:
            return Fetched(trouble=error.strerror or str(error) or type(error).__name__)
        except (http.client.HTTPException, ValueError) as error:
            return Fetched(trouble=f"no whole answer in HTTP: {type(error).__name__}")

    def _read(self, path: str, version: str) -> Fetched:
        # A pipe would block the thread, and a device never end: only regular files are read.
        descriptor = self._opened(path)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return Fetched(trouble="not a file")
            current = f"{found.st_ino}/{found.st_mtime_ns}/{found.st_size}"
            if current == version:
                return Fetched(version=version)
            content = file.read(LARGEST_BYTES + 1)
        return _whole(content, current)

    def _opened(self, path: str) -> int:
        """The file's descriptor. It is opened folder by folder, and a link is not followed."""
        try:
            parts = PurePosixPath(path).relative_to(self._folder).parts
        except ValueError:
            parts = ()
        if not parts or ".." in parts:
            raise NotFetched(f"a list's file must be in {self._folder}; move it there")
        here = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts[:-1]:
                there = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
                os.close(here)
                here = there
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            return os.open(parts[-1], flags, dir_fd=here)
        finally:
            os.close(here)

    def _download(self, url: str, version: str, whole_s: float) -> Fetched:
        deadline_s = monotonic() + whole_s
        for _ in range(MOST_REDIRECTIONS + 1):
            parts = _checked(url)
            with self._connected(parts, deadline_s) as connection:
                target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                headers = {"User-Agent": "appliance", "Accept-Encoding": "identity, gzip", **_condition(version)}
                connection.request("GET", target, headers=headers)
                answer = connection.getresponse()
                if answer.status not in _MOVED:
                    return _answer(answer, version, deadline_s)
                url = _redirected(url, answer.getheader("Location", ""))
        raise NotFetched(f"the server redirects more than {MOST_REDIRECTIONS} times")

    @contextmanager
    def _connected(self, parts: SplitResult, deadline_s: float) -> Iterator[http.client.HTTPConnection]:
        """A connection to an address of this URL's host that was judged."""
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        with ExitStack() as open_parts:
            plain = open_parts.enter_context(self._reached(host, port))
            # `timeout` bounds one wait only: a server that sends a byte now and then would block the thread for ever.
            guard = open_parts.enter_context(plain.dup())
            end = Timer(max(0.0, deadline_s - monotonic()), guard.shutdown, (socket.SHUT_RDWR,))
            end.start()
            open_parts.callback(end.cancel)
            connection = http.client.HTTPConnection(host, port, timeout=ANSWER_S)
            open_parts.callback(connection.close)
            is_sealed = parts.scheme == "https"
            connection.sock = (
                ssl.create_default_context().wrap_socket(plain, server_hostname=host) if is_sealed else plain
            )
            yield connection

    def _reached(self, host: str, port: int) -> socket.socket:
        """A connection to the first address of this host that may have lists and answers."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))[:MOST_ADDRESSES]
        trouble: Exception = NotFetched("its name has no address")
        for address in addresses:
            try:
                self._require_good(address, None)
                made = socket.create_connection((address, port), ANSWER_S)
                try:
                    self._require_good(address, made.getsockname()[0])
                except NotFetched:
                    made.close()
                    raise
            except (OSError, NotFetched) as error:
                trouble = error
            else:
                return made
        raise trouble

    def _require_good(self, address: str, own: str | None) -> None:
        """Raise `NotFetched` for an address that may have no list."""
        judged = (ip_address(address.partition("%")[0]), ip_address(own.partition("%")[0]) if own else None)
        refusal = self._judge(*judged)
        if refusal is not None:
            raise NotFetched(f"no list is fetched from {address}: {refusal}")


def _checked(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise NotFetched("a list is fetched by http or https, without a user's name in its address")
    return parts


def _redirected(url: str, location: str) -> str:
    """The next URL. What came sealed must not go on unsealed."""
    if not location or len(location) > LONGEST_URL:
        raise NotFetched("the server redirects to nowhere")
    after = urljoin(url, location)
    if urlsplit(url).scheme == "https" != urlsplit(after).scheme:
        raise NotFetched("the server redirects from https to something else")
    return after


def _answer(answer: http.client.HTTPResponse, version: str, deadline_s: float) -> Fetched:
    if answer.status == http.client.NOT_MODIFIED and version:
        return Fetched(version=version)
    if answer.status != http.client.OK:
        return Fetched(trouble=f"the server answers {answer.status}")
    coding = answer.getheader("Content-Encoding", "identity").strip().lower()
    if coding not in {"", "identity", "gzip", "x-gzip"}:
        return Fetched(trouble="the server packs the list in a way that was not asked for")
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
