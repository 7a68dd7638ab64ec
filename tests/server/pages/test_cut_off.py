"""The page for computers that a quota cuts off, as any browser or program may ask for it."""

import base64
import hashlib
import io
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from appliance.core.metering.quota import Action, Limits, QuotaKind, RequestState
from appliance.monitor.metering.quota_requests import ASKING, LONGEST_NAME, LONGEST_TEXT
from appliance.server.pages.cut_off import LARGEST_FORM_BYTES, CutOffPage
from appliance.server.pages.cut_off_words import ENGLISH, GERMAN, size_words, span_words, words_for
from tests.monitor.metering.test_departments import BERLIN, A
from tests.monitor.metering.test_quota_requests import HOST, OTHER, Desk

GIB = 2**30
FORM = {"name": "T. Brandt", "text": "Payroll run"}


class Browser:
    """Asks the page of a desk, without a socket."""

    def __init__(self, desk: Desk, contact: str = "IT desk, ext. 4100") -> None:
        self.desk = desk
        self.page = CutOffPage(
            desk.appliance.metering.find_cut_off,
            desk.requests,
            zone=BERLIN,
            contact=contact,
            clock=lambda: desk.appliance.now,
            simulated=False,
        )
        self.headers: dict[str, str] = {}
        self.own, self.site = "::ffff:10.20.0.1", ""  # the connection's near end, and the header `Host`

    def get(
        self, path: str = "/", method: str = "GET", address: str = HOST, language: str = "", body: bytes = b""
    ) -> str:
        environ = {
            "SERVER_NAME": self.own,
            "SERVER_PORT": "80",
            "HTTP_HOST": self.site,
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "REMOTE_ADDR": address,
            "HTTP_ACCEPT_LANGUAGE": language,
            "CONTENT_LENGTH": str(len(body)),
            "eventlet.input": io.BytesIO(body),
            "appliance.hang_up": lambda: None,
        }
        shown = b"".join(self.page(environ, lambda status, headers: self.headers.update(headers, status=status)))
        assert int(self.headers["Content-Length"]) == len(shown) or method == "HEAD"
        return shown.decode()

    def ask(self, form: dict[str, str] | bytes = FORM, **others: str) -> str:
        body = form if isinstance(form, bytes) else urlencode(form).encode()
        return self.get("/ask", "POST", body=body, **others)

    @property
    def status(self) -> int:
        return int(self.headers["status"].split()[0])


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    return Browser(Desk(tmp_path))


@pytest.mark.parametrize(("method", "has_body"), [("GET", True), ("POST", True), ("HEAD", False)])
def test_head_has_the_length_of_get_and_no_body(browser: Browser, method: str, has_body: bool) -> None:
    assert bool(browser.get(method=method)) is has_body
    assert browser.status == 503
    assert int(browser.headers["Retry-After"]) == 11 * 3600 - 10


def test_it_says_why_until_when_and_whom_to_ask(browser: Browser) -> None:
    page = browser.get()
    assert "A \N{MIDDLE DOT} this computer is 10.20.0.11" in page
    assert "<h1>The quota for today is used up</h1>" in page
    assert "Your department has used its" in page
    assert "<b>midnight tonight (00:00, in 11 h)</b> connections to the outside are refused" in page
    assert "Nothing is wrong with your computer." in page
    assert "used, since 13:00" in page
    assert "opens 00:00" in page
    assert "Ask <b>IT desk, ext. 4100</b>" in page


def test_it_is_one_page_without_script_whose_policy_allows_its_own_style_and_form(browser: Browser) -> None:
    page, policy = browser.get(), browser.headers["Content-Security-Policy"]
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "form-action http://10.20.0.1:80;" in policy
    assert "unsafe" not in policy
    assert "<script" not in page
    assert " style=" not in page
    assert re.findall(r'(?:src|href|action)="([^"]*)"', page) == ["http://10.20.0.1:80/ask"]
    assert "prefers-color-scheme: dark" in style[1]


@pytest.mark.parametrize(
    ("own", "action", "source"),
    [
        ("10.20.0.1", "http://10.20.0.1:80/ask", "http://10.20.0.1:80"),
        ("fd20::1", "http://[fd20::1]:80/ask", "http:"),
        ("fe80::1%eth1", "/ask", "'self'"),
    ],
)
def test_its_form_goes_to_this_computer_and_not_to_the_site_that_was_asked_for(
    browser: Browser, own: str, action: str, source: str
) -> None:
    browser.own, browser.site = own, "bank.example"
    assert f'action="{action}"' in browser.get()
    assert f"form-action {source};" in browser.headers["Content-Security-Policy"]


def test_who_has_asked_comes_back_to_the_site_when_it_is_granted(browser: Browser) -> None:
    browser.site = "bank.example:8080"
    assert '<input type="hidden" name="site" value="bank.example:8080">' in browser.get()
    browser.site = "10.20.0.1"
    page = browser.ask({**FORM, "site": "bank.example:8080"})
    assert '<meta http-equiv="refresh" content="30; url=http://bank.example:8080/">' in page


@pytest.mark.parametrize("site", ["", "javascript:alert(1)//", "a.example/path", '"><script>', "[::1", "e" * 300])
def test_a_site_that_is_no_host_is_not_named(browser: Browser, site: str) -> None:
    assert '<meta http-equiv="refresh" content="30; url=/">' in browser.ask({**FORM, "site": site})


def test_who_sends_the_form_after_the_grant_reads_that_the_site_is_open(tmp_path: Path) -> None:
    browser = Browser(Desk(tmp_path, of_host=True))
    page = browser.ask({**FORM, "site": "bank.example"}, address=OTHER)
    assert browser.status == 404
    assert 'open again: <a href="http://bank.example/">bank.example</a>' in page
    assert browser.desk.listed() == []


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("", ENGLISH),
        ("de", GERMAN),
        ("de-AT,de;q=0.9,en;q=0.8", GERMAN),
        ("en-GB,en;q=0.9,de;q=0.8", ENGLISH),
        ("fr,de;q=0.5,en;q=0.4", GERMAN),
        ("fr-FR,fr", ENGLISH),
        ("de;q=0", ENGLISH),
        ("en;q=0.1,de", GERMAN),
        ("de;q=9,;;,=,\0" + "x" * 9000, ENGLISH),
    ],
)
def test_it_speaks_the_language_that_the_browser_prefers(language: str, words: object) -> None:
    assert words_for(language) is words


def test_all_of_it_is_german_where_that_is_preferred(browser: Browser) -> None:
    page = browser.get(language="de-DE,de")
    assert '<html lang="de">' in page
    assert "<h1>Das Kontingent für heute ist aufgebraucht</h1>" in page
    assert "Bis <b>Mitternacht (00:00, in 11 Std.)</b>" in page
    assert "Um mehr bitten" in page
    assert "Die IT hat Ihre Bitte" in browser.ask(language="de")
    assert "{" not in page.partition("</style>")[2]


@pytest.mark.parametrize(
    ("limits", "title", "when"),
    [
        ({QuotaKind.WEEKLY: 1000, QuotaKind.DAILY: 10}, "this week", "Monday, 30 November, 00:00 (in 6 d 11 h)"),
        ({QuotaKind.MONTHLY: 1000}, "this month", "Tuesday, 1 December, 00:00 (in 7 d 11 h)"),
    ],
)
def test_of_several_used_up_quotas_it_names_the_one_that_resets_last(
    tmp_path: Path, limits: dict[QuotaKind, int], title: str, when: str
) -> None:
    desk = Desk(tmp_path)
    desk.appliance.reconfigure(Limits(limits, on_exceeded=Action.BLOCK))
    page = Browser(desk).get()
    assert f"The quota for {title} is used up" in page
    assert when in page


def test_a_host_with_a_quota_of_its_own_is_told_so(tmp_path: Path) -> None:
    page = Browser(Desk(tmp_path, of_host=True)).get()
    assert "This computer has used its" in page


def test_a_request_reaches_the_desk_and_the_page_waits_with_the_person(browser: Browser) -> None:
    page = browser.ask({"name": "T. Brändt", "text": "Payroll <b>run</b> & \N{EURO SIGN}"})
    assert browser.status == 200
    [request] = browser.desk.requests.requests([A], browser.desk.appliance.now)
    assert (request.name, request.text, request.address) == ("T. Brändt", "Payroll <b>run</b> & \N{EURO SIGN}", HOST)
    for shown in (page, browser.get()):
        assert "The IT team has your request" in shown
        assert "Asked at 13:00" in shown
        assert "Payroll &lt;b&gt;run&lt;/b&gt; &amp; \N{EURO SIGN}" in shown
        assert '<meta http-equiv="refresh" content="30; url=/">' in shown
        assert "<form" not in shown
    assert browser.status == 503
    assert "<form" in browser.get(address=OTHER)


def test_a_declined_person_reads_who_and_why_and_may_ask_again(browser: Browser) -> None:
    browser.ask()
    desk = browser.desk
    [request] = desk.requests.requests([A], desk.appliance.now)
    desk.requests.decline(request, "ben", "<the> quota is for all", desk.appliance.now)
    page = browser.get()
    assert "ben declined what you asked for at 13:00. <bdi>&lt;the&gt; quota is for all</bdi>" in page
    assert "<form" in page
    assert "refresh" not in page
    assert "The IT team has your request" in browser.ask({**FORM, "text": "and if we ask nicely"})


@pytest.mark.parametrize("path", ["/", "/ask"])
def test_a_person_who_is_not_cut_off_is_told_so(tmp_path: Path, path: str) -> None:
    browser = Browser(Desk(tmp_path, of_host=True))
    for method in ("GET", "POST"):
        page = browser.get(path, method, address=OTHER, body=urlencode(FORM).encode())
        assert browser.status == 404
        assert "Not cut off" in page
    assert browser.desk.listed() == []


def test_a_post_that_was_meant_for_another_server_asks_nothing(browser: Browser) -> None:
    browser.get("/login", "POST", body=urlencode(FORM).encode())
    assert browser.status == 503
    assert browser.desk.listed() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"name=eva",
        b"text=x&name=",
        b"name=eva&text=%20%0d%0a",
        b"name=%ff%fe&text=",
        b"name=" + b"e" * (LONGEST_NAME + 1) + b"&text=x",
        b"name=eva&text=" + b"x" * (LONGEST_TEXT + 1),
        b"\xff\x00",
        b"&".join(b"name=x&text=y" for _ in range(9)),
        b'{"name": "eva", "text": "x"}',
    ],
)
def test_a_form_that_cannot_be_taken_is_shown_again_with_the_reason(browser: Browser, body: bytes) -> None:
    page = browser.ask(body)
    assert browser.status == 400
    assert '<p class="fault" role="alert">' in page
    assert browser.desk.listed() == []


def test_a_large_form_is_not_read(browser: Browser) -> None:
    browser.ask(b"name=eva&text=x&more=" + b"x" * LARGEST_FORM_BYTES)
    assert browser.status == 413
    assert browser.desk.listed() == []


def test_the_longest_texts_fit_into_the_form(browser: Browser) -> None:
    browser.ask({"name": "\N{GRINNING FACE}" * LONGEST_NAME, "text": "\N{GRINNING FACE}" * LONGEST_TEXT})
    assert browser.status == 200


def test_who_asks_too_often_reads_when_the_next_is_taken_and_keeps_what_was_typed(browser: Browser) -> None:
    for number in range(ASKING.burst):
        browser.ask({**FORM, "text": f"{number}"})
    page = browser.ask({"name": '"><script>', "text": "more"})
    assert (browser.status, browser.headers["Retry-After"]) == (429, "1200")
    assert "3 requests an hour are taken from one computer. The next one in 20 min." in page
    assert 'value="&quot;&gt;&lt;script&gt;"' in page


def test_a_full_disk_is_told_with_whom_to_ask(browser: Browser) -> None:
    browser.desk.store.is_full = True
    assert "Ask IT desk, ext. 4100 directly." in browser.ask()
    assert browser.status == 503


def test_after_a_grant_the_page_is_gone(tmp_path: Path) -> None:
    browser = Browser(Desk(tmp_path, of_host=True))
    browser.ask()
    appliance = browser.desk.appliance
    appliance.metering.extend_host(A, HOST, QuotaKind.DAILY, 5000, "exam", "ben", appliance.now)
    browser.desk.requests.grant(A, HOST, "ben", "exam", appliance.now)
    browser.get()
    assert browser.status == 404
    assert browser.desk.listed()[0][1] is RequestState.GRANTED


@pytest.mark.parametrize(
    ("size", "of", "text"),
    [
        (20 * GIB, None, "20 GiB"),
        (20 * GIB - 1, 20 * GIB, "20.0"),
        (20 * 10**9, None, "18.6 GiB"),
        (10**6, None, "0.95 MiB"),
        (512 * 2**20, 20 * GIB, "0.50"),
        (1500 * GIB, None, "1500 GiB"),
        (100_000, None, "97.7 KiB"),
        (99_000, 100_000, "96.7"),
        (1000, None, "0.98 KiB"),
        (100, None, "100 B"),
        (0, None, "0 B"),
    ],
)
def test_sizes_are_read_as_limits_are_set(size: int, of: int | None, text: str) -> None:
    assert size_words(size, ENGLISH, of) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1 min"), (61, "2 min"), (34_080, "9 h 28 min"), (3600, "1 h"), (86_400 * 2 + 3600 * 5 + 60, "2 d 5 h")],
)
def test_spans_have_two_units(seconds: int, text: str) -> None:
    assert span_words(timedelta(seconds=seconds), ENGLISH) == text
