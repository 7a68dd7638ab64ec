"""A web server that is not trusted, and neither is the person who names it, by the standard library's `http.client`.

They may administer the appliance, but not the computer. So only another computer is asked. Its name is resolved once,
and that address is judged and connected to, after each redirection too: a name that resolves otherwise a moment later
does not matter.
"""

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from threading import Timer
from time import monotonic
from typing import IO
from urllib.parse import SplitResult, urljoin, urlsplit

ANSWER_S = 10.0  # a server on the LAN that is silent for longer is down
LONGEST_VALIDATOR = 1024  # characters of an ETag that we would send back
MOST_REDIRECTIONS = 5  # as curl needs for any published list
MOST_ADDRESSES = 4  # of one name that are tried
LONGEST_URL = 2048  # of a redirection

_MOVED = frozenset({301, 302, 303, 307, 308})
_NAT64 = 0x64_FF9B << 96  # the prefix of RFC 6052, with the address of IPv4 at its end
_PORTS = {"http": http.client.HTTP_PORT, "https": http.client.HTTPS_PORT}

Address = IPv4Address | IPv6Address
Judge = Callable[[Address, Address | None], str | None]  # (its address, ours if connected) -> why nothing is fetched


class NotFetched(Exception):
    """A source that gives nothing; the text says why, in a sentence for people."""


def refusal_of(address: Address, own: Address | None) -> str | None:
    """Why nothing is fetched from this address: it is the computer itself, or nobody's; `None`: it may be.

    `own`: this computer's end of the connection; `None`: there is none yet.
    """
    inner = _embedded(address)
    if inner.is_loopback or inner.is_unspecified or address == own:
        return "it is this computer"
    if inner.is_link_local:
        return "it is a link-local address"
    return "it is no host's address" if inner.is_multicast or inner == IPv4Address("255.255.255.255") else None


def _embedded(address: Address) -> Address:
    """The address of IPv4 that one of IPv6 leads to, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if int(address) >> 32 == _NAT64 >> 32 or int(address) >> 32 == 0 < int(address) >> 16:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


@contextmanager
def as_not_fetched() -> Iterator[None]:
    """Turn the faults of a source into `NotFetched`."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise NotFetched(f"the server's certificate is not good: {error.verify_message}") from None
    except OSError as error:
        raise NotFetched(error.strerror or str(error) or type(error).__name__) from None
    except (http.client.HTTPException, ValueError) as error:
        raise NotFetched(f"no whole answer in HTTP: {type(error).__name__}") from None


class WebSource:
    """Asks web servers. `what`: the noun for what is fetched, or else posted; `judge`: tests have their own.

    `ca`: the file of the authority that is believed, instead of those of the system.
    """

    def __init__(
        self, what: str, judge: Judge = refusal_of, *, does: str = "fetched from", ca: str | None = None
    ) -> None:
        self._what, self._does = what, does
        self._judge = judge
        self._ca = ca

    @contextmanager
    def answer(self, url: str, headers: Mapping[str, str], deadline_s: float) -> Iterator[http.client.HTTPResponse]:
        """The answer to a GET, after redirections, for the length of a `with`; its body is still to be read.

        `deadline_s`: of the monotonic clock; then the connection ends. Raises `NotFetched`, and what `as_not_fetched`
        names.
        """
        for _ in range(MOST_REDIRECTIONS + 1):
            parts = self._checked(url)
            with self._connected(parts, deadline_s) as connection:
                target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                connection.request("GET", target, headers={"User-Agent": "appliance", **headers})
                answer = connection.getresponse()
                if answer.status not in _MOVED:
                    yield answer
                    return
                url = _redirected(url, answer.getheader("Location", ""))
        raise NotFetched(f"the server redirects more than {MOST_REDIRECTIONS} times")

    @contextmanager
    def posted(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes | IO[bytes] | None,
        deadline_s: float,
        *,
        method: str = "POST",
        wait_s: float = ANSWER_S,
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer to a POST, as for `answer`, but after no redirection: what is posted is for this server alone.

        `body`: a file needs its `Content-Length` among the headers. `wait_s`: for the next byte, at most.
        """
        parts = self._checked(url)
        with self._connected(parts, deadline_s) as connection:
            connection.sock.settimeout(wait_s)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body, {"User-Agent": "appliance", **headers})
            yield connection.getresponse()

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
                ssl.create_default_context(cafile=self._ca).wrap_socket(plain, server_hostname=host)
                if is_sealed
                else plain
            )
            yield connection

    def _reached(self, host: str, port: int) -> socket.socket:
        """A connection to the first address of this host that may be asked and answers."""
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
        """Raise `NotFetched` for an address that may not be asked."""
        judged = (ip_address(address.partition("%")[0]), ip_address(own.partition("%")[0]) if own else None)
        refusal = self._judge(*judged)
        if refusal is not None:
            raise NotFetched(f"no {self._what} is {self._does} {address}: {refusal}")

    def _checked(self, url: str) -> SplitResult:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
            text = f"a {self._what} goes by http or https, without a user's name in its address"
            raise NotFetched(text)
        return parts


def _redirected(url: str, location: str) -> str:
    """The next URL. What came sealed must not go on unsealed."""
    if not location or len(location) > LONGEST_URL:
        raise NotFetched("the server redirects to nowhere")
    after = urljoin(url, location)
    if urlsplit(url).scheme == "https" != urlsplit(after).scheme:
        raise NotFetched("the server redirects from https to something else")
    return after


def condition(version: str) -> dict[str, str]:
    """The header by which a server sends only what is newer than this validator; empty: none is known."""
    kind, _, value = version.partition(" ")
    return {kind: value} if value else {}


def validator(answer: http.client.HTTPResponse) -> str:
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
