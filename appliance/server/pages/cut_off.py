"""The page on port 80 for the computers that a quota cuts off, where their people can ask for more.

The kernel redirects a cut-off host's HTTP to it, whatever server the host asked for. The answer is an error (503) with
the seconds until the quota resets, so that neither a person nor a program takes it for the page that they asked for.

`POST /ask` takes the form. It needs no token and no secret against other sites' forms, because it only asks: the worst
that a page of another site can do is to ask in a person's name, three times an hour. The form names this computer's own
address: what a person has typed is theirs and the IT team's, and once the quota is extended, the site that they asked
for is a stranger's again.
"""

import base64
import hashlib
import math
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from appliance.core.access.client_address import plain_address
from appliance.core.metering.account import Books
from appliance.core.metering.quota import EXCEEDED_PERCENT, QuotaRequest, RequestState
from appliance.core.moment import Moment
from appliance.core.refusal import Code, MustWait, Refused
from appliance.core.text import escape
from appliance.monitor.metering.departments import CutOff
from appliance.monitor.metering.quota_requests import ASKING, LONGEST_NAME, LONGEST_TEXT, QuotaRequests
from appliance.server.http.request_body import read_body
from appliance.server.http.request_filter import Environ
from appliance.server.http.request_head import RejectedRequest
from appliance.server.http.site import HEADERS, HTML, StartResponse, remote_address
from appliance.server.pages.cut_off_words import Words, reset_words, size_words, span_words, time_words, words_for

ASK = "/ask"
LARGEST_FORM_BYTES = 8192  # both texts at their longest, each character as twelve: an emoji, percent-encoded
MOST_FIELDS = 8
REFRESH_S = 30  # while a request is open; a person who waits looks as often
UNAVAILABLE = "503 Service Unavailable"
BAD = "400 Bad Request"

_BOLD = re.compile(r"\*\*(.+?)\*\*")
_SITE = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")

# The colours and sizes of the dashboard, as far as one page needs them.
_STYLE = """
:root { color-scheme: light dark; --ground: #f3f5f3; --surface: #fff; --line: #dde2de; --control: #7e8a83;
  --ink: #151b18; --ink-2: #434c47; --ink-3: #5c6660; --on-ink: #fff; --focus: #0b6a80; --crit: #ab2412;
  --crit-ink: #9c2110; }
@media (prefers-color-scheme: dark) { :root { --ground: #0e1311; --surface: #151b18; --line: #262f2a;
  --control: #76827b; --ink: #e9eeeb; --ink-2: #b4beb8; --ink-3: #8d9992; --on-ink: #0e1311; --focus: #7ccfe2;
  --crit: #f0715c; --crit-ink: #ff9a88; } }
*, ::before, ::after { box-sizing: border-box; }
a { color: inherit; }
body { margin: 0; background: var(--ground); color: var(--ink); min-height: 100vh; display: grid; place-items: center;
  font: 400 .8125rem/20px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
main { width: min(592px, 100%); padding: 16px; display: grid; gap: 24px; }
h1, h2, p { margin: 0; }
h1 { font-size: 2rem; line-height: 40px; font-weight: 600; letter-spacing: -.015em; }
h2 { font-size: .9375rem; line-height: 24px; font-weight: 600; }
.lead { font-size: 1.125rem; line-height: 28px; }
.row { display: flex; align-items: center; gap: 8px; color: var(--ink-2); }
.row span + span { margin-left: auto; }
.row svg { width: 16px; height: 16px; flex: none; fill: none; stroke: currentColor; stroke-width: 1.5;
  stroke-linecap: round; }
.bar { display: block; width: 100%; height: 26px; margin-bottom: 4px; overflow: visible; }
.bar .used { fill: var(--crit); } .bar .tick { fill: var(--ground); } .bar .notch { fill: var(--ink-3); }
section { background: var(--surface); border: 1px solid var(--line); border-radius: 8px; padding: 16px; }
form { display: grid; gap: 16px; margin-top: 12px; }
label { display: grid; gap: 4px; }
input { font: inherit; font-size: .9375rem; color: inherit; background: var(--surface); width: 100%; height: 40px;
  padding: 0 10px; border: 1px solid var(--control); border-radius: 4px; }
.send { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; }
button { font: inherit; font-weight: 500; min-height: 40px; padding: 0 12px; border: 0; border-radius: 4px;
  background: var(--ink); color: var(--on-ink); cursor: pointer; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
.dim { color: var(--ink-3); } .mid { color: var(--ink-2); } .fault { color: var(--crit-ink); margin-top: 8px; }
@media (pointer: coarse) { input, button { min-height: 44px; } }
@media print { section { display: none; } }
"""
_PAGE = """<!doctype html>
<html lang="{language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
{refresh}<title>{title}</title>
<style>{style}</style>
<main>
{content}</main>
</html>
"""
_ICON = (
    '<svg aria-hidden="true" viewBox="0 0 16 16"><path d="M2.5 11.5a6 6 0 1 1 11 0M8 9l2.8-3.2"/>'
    '<circle cx="8" cy="9.4" r=".8"/></svg>'
)
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


class _View(Struct, frozen=True):
    """What a request sees: its language, the time in the zone of the quotas, its address, and why it is cut off.

    `action`: the URL that its form goes to.
    """

    words: Words
    now: datetime
    address: str
    cut_off: CutOff
    action: str


class _Form(Struct, frozen=True):
    """What a person has typed, the sentence about what is wrong with it, and the site that they asked for.

    `rejected`: the status of a request whose form could not be read.
    """

    name: str = ""
    text: str = ""
    fault: str = ""
    site: str = ""
    rejected: str = ""


class CutOffPage:
    """The WSGI application. `find`: the cut-off of an address; `zone`: of the times; `contact`: of the IT team."""

    def __init__(
        self,
        find: Callable[[str, Moment], CutOff | None],
        requests: QuotaRequests,
        *,
        zone: ZoneInfo,
        contact: str,
        clock: Callable[[], Moment],
        simulated: bool,
    ) -> None:
        self._find, self._requests, self._clock = find, requests, clock
        self._zone, self._contact = zone, contact
        self._label = " (SIMULATED)" if simulated else ""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer any request with the reason why it goes no further, and take a request for more."""
        # The connection was meant for another server, which the host reaches again later.
        environ["appliance.hang_up"]()
        now, address = self._clock(), remote_address(environ)
        words = words_for(environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        cut_off = self._find(address, now) if address else None
        is_asking = environ["REQUEST_METHOD"] == "POST" and environ.get("PATH_INFO") == ASK
        form = _read_form(environ) if is_asking else _Form(site=_site(environ.get("HTTP_HOST", "")))
        action, source = _target(environ)
        extra: list[tuple[str, str]] = []
        if cut_off is None or address is None:
            status, page = "404 Not Found", self._stranger(words, form.site if is_asking else "")
        else:
            view = _View(words, now.wall.astimezone(self._zone), address, cut_off, action)
            wait_s = max(1, round((cut_off.last.resets_at - now.wall).total_seconds()))
            status = UNAVAILABLE
            if is_asking:
                status, form, wait_s = self._take(form, view, now, wait_s)
            extra, page = [("Retry-After", str(wait_s))] if status[0] != "2" else [], self._notice(view, form)
        start_response(status, [("Content-Type", HTML), ("Content-Length", str(len(page))), *extra, *_headers(source)])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [page]

    def _stranger(self, words: Words, site: str) -> bytes:
        """The page of a computer that is not cut off. `site`: what a person who has sent the form wanted to see."""
        more = f'{escape(words.open_again)} <a href="http://{site}/">{site}</a>' if site else escape(words.reload)
        content = f"<h1>{escape(words.not_cut_off)}</h1>\n<p>{escape(words.not_cut_off_text)} {more}</p>\n"
        return self._page(words, words.not_cut_off, content)

    def _take(self, form: _Form, view: _View, now: Moment, wait_s: int) -> tuple[str, _Form, int]:
        """Take a request for more: the status, the form that is shown again, and when a next try makes sense."""
        words = view.words
        if form.rejected:
            return form.rejected, replace(form, fault=words.unreadable), wait_s
        try:
            self._requests.ask(view.cut_off, view.address, form.name, form.text, now)
        except MustWait as refused:
            span = span_words(timedelta(seconds=refused.wait_s), words)
            fault = words.too_often.format(number=ASKING.burst, span=span)
            return "429 Too Many Requests", replace(form, fault=fault), math.ceil(refused.wait_s)
        except Refused as refused:
            status, fault = {
                Code.BAD_REQUEST: (BAD, words.refused),
                Code.RATE_LIMITED: ("429 Too Many Requests", words.too_many),
            }.get(refused.code, (UNAVAILABLE, words.disk))
            sentence = fault.format(name=LONGEST_NAME, text=LONGEST_TEXT, contact=self._contact)
            return status, replace(form, fault=sentence), wait_s
        return "200 OK", form, wait_s

    def _notice(self, view: _View, form: _Form) -> bytes:
        """The page of a computer that is cut off."""
        words, books, request = view.words, view.cut_off.last, self._requests.latest(view.cut_off, view.address)
        is_waiting = request is not None and request.state is RequestState.OPEN and not form.fault
        here = words.here.format(department=view.cut_off.department.name, address=view.address)
        sentences = words.host if view.cut_off.host else words.department
        used = sentences[books.kind].format(limit=size_words(books.limit_bytes or 0, words))
        until = words.until.format(when=reset_words(books.resets_at.astimezone(self._zone), view.now, words))
        content = (
            f'<div class="row">{_ICON}<span>{escape(here)}</span></div>\n<h1>{escape(words.title[books.kind])}</h1>\n'
            f'<p class="lead">{escape(used)} {_bold(until)}</p>\n{self._bar(view, books)}'
            f"{self._waiting(view, request) if is_waiting and request else self._form(view, form, request)}"
            f'<p class="mid">{_bold(words.urgent.format(contact=self._contact))}</p>\n'
        )
        seen = f"http://{form.site}/" if form.site else "/"
        return self._page(words, words.title[books.kind], content, refresh=seen if is_waiting else "")

    def _bar(self, view: _View, books: Books) -> str:
        """The used-up quota as a bar, with the thresholds, and a notch for how much of the period is over."""
        words, limit = view.words, books.limit_bytes or 0
        gone = (view.now - books.started_at) / (books.resets_at - books.started_at)
        ticks = "".join(
            f'<rect class="tick" x="{one}%" width="1" height="16"/>'
            for one in view.cut_off.limits.thresholds
            if one < EXCEEDED_PERCENT
        )
        used, size = size_words(books.used_bytes, words, limit), size_words(limit, words)
        text = words.used.format(used=used, limit=size)
        if books.exceeded_at is not None:
            text = words.since.format(used=used, limit=size, time=self._time(books.exceeded_at, view))
        opens = words.opens.format(time=self._time(books.resets_at, view))
        return (
            f'<div><svg class="bar" role="img" aria-label="{escape(text)}">'
            f'<rect class="used" width="100%" height="16" rx="1"/>{ticks}'
            f'<svg x="{min(1.0, max(0.0, gone)):.1%}" y="19" overflow="visible">'
            '<path class="notch" d="M-4 4L0 0L4 4z"/></svg></svg>\n'
            f'<div class="row"><span>{escape(text)}</span><span>{escape(opens)}</span></div></div>\n'
        )

    def _form(self, view: _View, form: _Form, request: QuotaRequest | None) -> str:
        words, fault = view.words, escape(form.fault)
        if request is not None and request.state is RequestState.DECLINED and not fault:
            fault = escape(words.declined.format(actor=request.actor, time=self._time(request.at, view)))
            fault += f" <bdi>{escape(request.reason)}</bdi>" if request.reason else ""
        return (
            f'<section aria-labelledby="ask"><h2 id="ask">{escape(words.ask)}</h2>\n'
            + (f'<p class="fault" role="alert">{fault}</p>\n' if fault else "")
            + f'<form method="post" action="{escape(view.action)}" accept-charset="utf-8">\n'
            f'<input type="hidden" name="site" value="{escape(form.site)}">\n'
            f'<label>{escape(words.name)}<input name="name" required maxlength="{LONGEST_NAME}" autocomplete="name"'
            f' value="{escape(form.name)}"></label>\n'
            f'<label>{escape(words.text)}<input name="text" required maxlength="{LONGEST_TEXT}" autocomplete="off"'
            f' value="{escape(form.text)}"></label>\n'
            f'<div class="send"><button>{escape(words.send)}</button><span class="dim">{escape(words.promise)}</span>'
            "</div></form></section>\n"
        )

    def _waiting(self, view: _View, request: QuotaRequest) -> str:
        words = view.words
        text = words.waiting_since.format(time=self._time(request.at, view))
        return (
            f'<section role="status"><h2>{escape(words.waiting)}</h2>\n<p dir="auto">{escape(request.text)}</p>\n'
            f'<p class="mid">{escape(text)}</p></section>\n'
        )

    def _time(self, at: datetime, view: _View) -> str:
        return time_words(at.astimezone(self._zone), view.now, view.words)

    def _page(self, words: Words, title: str, content: str, *, refresh: str = "") -> bytes:
        """`refresh`: what was asked for, which is loaded again after a while."""
        return _PAGE.format(
            language=words.language,
            refresh=f'<meta http-equiv="refresh" content="{REFRESH_S}; url={escape(refresh)}">\n' if refresh else "",
            title=escape(title + self._label),
            style=_STYLE,
            content=content,
        ).encode()


def _bold(text: str) -> str:
    """A sentence of the table in HTML; `**` begins and ends what is bold."""
    return _BOLD.sub(r"<b>\1</b>", escape(text))


def _target(environ: Environ) -> tuple[str, str]:
    """The URL of this page by the address of the connection, which is this computer's, and its source for the policy.

    The path alone where no URL can name it: an address of one link only. A policy cannot name an address of IPv6
    (CSP Level 3, section 2.3.1), so it lists the scheme.
    """
    own = plain_address(environ["SERVER_NAME"])
    address = None if own is None else ip_address(own)
    if address is None or address.is_link_local:
        return ASK, "'self'"
    host = f"[{address}]" if address.version == 6 else str(address)
    origin = f"http://{host}:{environ['SERVER_PORT']}"
    return f"{origin}{ASK}", "http:" if address.version == 6 else origin


def _headers(source: str) -> list[tuple[str, str]]:
    """The headers of every answer. `source`: where the form may go; a style and this form are all that a page needs."""
    policy = (
        f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action {source};"
        " frame-ancestors 'none'"
    )
    return [(name, policy if name == "Content-Security-Policy" else value) for name, value in HEADERS]


def _site(text: str) -> str:
    """The host of a URL, with its port; empty: this is none, or one that a link had better not name."""
    return text if _SITE.fullmatch(text) else ""


def _read_form(environ: Environ) -> _Form:
    """What a person has sent; a field that is missing is empty."""
    site = _site(environ.get("HTTP_HOST", ""))
    try:
        body = read_body(environ, LARGEST_FORM_BYTES)
        found = parse_qs(body.decode("ascii"), errors="replace", max_num_fields=MOST_FIELDS)
    except RejectedRequest as rejected:
        return _Form(site=site, rejected=rejected.status)
    except ValueError:
        return _Form(site=site, rejected=BAD)
    name, text, sent = (found.get(key, [""])[0] for key in ("name", "text", "site"))
    return _Form(name, text, site=_site(sent) or site)
