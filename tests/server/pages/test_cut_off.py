"""The page for computers that a quota cuts off, as any program may ask for it."""

from zoneinfo import ZoneInfo

import pytest

from appliance.core.moment import Moment
from appliance.server.pages.cut_off import CutOffPage
from tests.server import START


@pytest.mark.parametrize(("method", "has_body"), [("GET", True), ("POST", True), ("HEAD", False)])
def test_head_has_the_length_of_get_and_no_body(method: str, has_body: bool) -> None:
    page = CutOffPage(lambda *_: None, ZoneInfo("UTC"), "IT", lambda: Moment(START, 1.0, is_trusted=True), False)
    answered: dict[str, str] = {}
    environ = {"REQUEST_METHOD": method, "REMOTE_ADDR": "192.168.1.100", "appliance.hang_up": lambda: None}
    body = b"".join(page(environ, lambda status, headers: answered.update(headers, status=status)))
    assert answered["status"] == "404 Not Found"
    assert bool(body) is has_body
    assert int(answered["Content-Length"]) == len(body) or not has_body
