"""The page on port 80 for the computers that a quota cuts off.

The kernel redirects a cut-off host's HTTP to it, whatever server the host asked for. The answer is an error (503) with
the seconds until the quota resets, so that neither a person nor a program takes it for the page that they asked for.
"""

from collections.abc import Callable, Iterable
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from appliance.core.metering.account import Books
from appliance.core.moment import Moment
from appliance.monitor.metering.departments import CutOff
from appliance.server.http.site import HEADERS, HTML, StartResponse, remote_address

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1rem; color: #222; }}
h1 {{ font-size: 1.6rem; }}
dt {{ color: #666; margin-top: .8rem; }}
dd {{ margin: 0; font-size: 1.2rem; }}
</style>
<h1>{title}</h1>
<p>{explanation}</p>
{facts}<p>Questions? Ask {contact}.</p>
</html>
"""
# The page's own style is all that it may load.
_HEADERS = [
    (name, value.replace("default-src 'none'", "default-src 'none'; style-src 'unsafe-inline'"))
    for name, value in HEADERS
]


class CutOffPage:
    """The WSGI application. `find`: the cut-off of an address; `zone`: of the times; `contact`: of the IT team."""

    def __init__(
        self,
        find: Callable[[str, Moment], CutOff | None],
        zone: ZoneInfo,
        contact: str,
        clock: Callable[[], Moment],
        simulated: bool,
    ) -> None:
        self._find = find
        self._zone = zone
        self._contact = contact
        self._clock = clock
        self._label = " (SIMULATED)" if simulated else ""

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer any request with the reason why it goes no further."""
        # The connection was meant for another server, which the host reaches again later.
        environ["appliance.hang_up"]()
        now = self._clock()
        address = remote_address(environ)
        cut_off = self._find(address, now) if address else None
        if cut_off is None:
            text = "This computer is not cut off by a quota. The appliance's own page is on port 5001."
            status, extra, page = "404 Not Found", [], self._page("Not cut off", text)
        else:
            wait_s = max(1, round((max(one.resets_at for one in cut_off.books) - now.wall).total_seconds()))
            text = f"{_host(cut_off)} has used up its quota. Until it resets, connections to the outside are refused."
            facts = "".join(_facts(one, self._zone) for one in cut_off.books)
            status, extra = "503 Service Unavailable", [("Retry-After", str(wait_s))]
            page = self._page("Internet quota used up", text, facts)
        start_response(status, [("Content-Type", HTML), ("Content-Length", str(len(page))), *extra, *_HEADERS])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [page]

    def _page(self, title: str, explanation: str, facts: str = "") -> bytes:
        contact = escape(self._contact)
        return _PAGE.format(title=title + self._label, explanation=explanation, facts=facts, contact=contact).encode()


def _host(cut_off: CutOff) -> str:
    """The host or department whose quota is used up, in HTML."""
    department = f"<strong>{escape(cut_off.department)}</strong>"
    if cut_off.host is None:
        return f"The department {department}"
    return f"This computer, <strong>{escape(cut_off.host)}</strong> of {department},"


def _facts(books: Books, zone: ZoneInfo) -> str:
    limit = books.limit_bytes or 0
    until = books.resets_at.astimezone(zone).strftime("%A, %d %B %Y, %H:%M (%Z)")
    return (
        f"<dl><dt>Quota</dt><dd>{books.kind}: {_size(limit)}</dd><dt>Used</dt><dd>{_size(books.used_bytes)}</dd>"
        f"<dt>Resets</dt><dd>{escape(until)}</dd></dl>\n"
    )


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.2f} GiB" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.1f} MiB"
