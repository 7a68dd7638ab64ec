import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from email.header import decode_header, make_header

import pytest

from appliance.core.alerting.channels import Form
from appliance.core.alerting.message import AlertMessage, Sender, compose
from appliance.core.alerting.notice import Notice, Topic
from appliance.core.alerting.webhook_forms import LONGEST_CHAT, posted
from appliance.core.detection.incident import Severity

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def message(text: str = "scan", count: int = 1, severity: Severity = Severity.HIGH) -> AlertMessage:
    notices = [Notice(NOON, Topic.INCIDENT, severity, "a", text, number) for number in range(1, count + 1)]
    return compose("it", notices, 0, Sender("pi", {"a": "Radiology"}, UTC))


def test_the_own_form_has_every_notice() -> None:
    one = message(count=1000)
    body = json.loads(posted(Form.JSON, one, "geheim", NOON).body)
    assert (body["id"], body["severity"], body["timestamp"]) == (one.id, "high", "2026-11-23T12:00:00.000Z")
    assert [notice["number"] for notice in body["notices"]] == list(range(1, 1001))
    assert body["notices"][0] == {
        "number": 1,
        "timestamp": "2026-11-23T12:00:00.000Z",
        "event": "security:incident",
        "severity": "high",
        "departmentId": "a",
        "text": "scan",
    }


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("geheim", b"geheim"),
        ("whsec_" + base64.b64encode(b"\x00\xff" * 16).decode(), b"\x00\xff" * 16),
        ("whsec_no base64", b"whsec_no base64"),
    ],
)
def test_the_own_form_is_signed_so_that_its_receiver_can_check_it(secret: str, key: bytes) -> None:
    one = posted(Form.JSON, message(), secret, NOON)
    signed = f"{one.headers['webhook-id']}.{one.headers['webhook-timestamp']}.".encode() + one.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert one.headers["webhook-signature"] == f"v1,{expected}"
    assert one.headers["webhook-timestamp"] == str(int(NOON.timestamp()))


def test_the_known_example_of_the_specification_has_its_signature() -> None:
    """The parts and the signature of the specification's own test, over the function that signs."""
    signed = b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert base64.b64encode(hmac.digest(key, signed, "sha256")) == b"g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_ntfy_gets_title_priority_and_its_token() -> None:
    one = posted(Form.NTFY, message("böse", severity=Severity.CRITICAL), "tk_1", NOON)
    assert str(make_header(decode_header(one.headers["Title"]))) == "[pi] critical: Radiology: böse"
    assert (one.headers["Priority"], one.headers["Authorization"]) == ("5", "Bearer tk_1")
    assert one.body.decode() == "2026-11-23 12:00:00 critical: Radiology: böse"
    assert one.headers["Title"].isascii()


@pytest.mark.parametrize("form", [Form.SLACK, Form.MATTERMOST, Form.TEAMS])
def test_a_chat_shows_a_stranger_s_text_and_no_mention_or_link_of_it(form: Form) -> None:
    body = posted(form, message("<!channel> [here](http://x) ```@all"), "", NOON).body.decode()
    found = json.loads(body)
    if form is Form.SLACK:
        assert "&lt;!channel&gt;" in found["text"]
    elif form is Form.MATTERMOST:
        assert found["text"].count("```") == 2
        assert found["text"].startswith("```")
        assert found["text"].endswith("```")
    else:
        blocks = found["attachments"][0]["content"]["body"]
        assert blocks[0]["weight"] == "Bolder"
        assert all("\\[here\\]\\(http" in block["text"] for block in blocks)
        assert found["type"] == "message"


@pytest.mark.parametrize("form", [Form.SLACK, Form.MATTERMOST, Form.TEAMS, Form.NTFY])
def test_a_chat_gets_no_more_than_it_takes(form: Form) -> None:
    one = posted(form, message("ä" * 490, count=20), "", NOON)
    assert len(one.body) <= (4096 if form is Form.NTFY else 28_000)
    assert len(one.body) > LONGEST_CHAT / 2
    one.body.decode()
