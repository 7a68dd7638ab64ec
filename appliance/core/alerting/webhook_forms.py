"""Forms of a webhook: a message as its receiver understands it, as headers and a body.

The appliance's own form is signed as the Standard Webhooks specification says (version 1): the identity, the time and
the body under HMAC-SHA256, so that a receiver can tell it from anybody else's, and a repetition from a second message.
Chat services know who writes by a secret part of the URL, and ntfy by a token.
"""

import base64
import hashlib
import hmac
import json
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from datetime import datetime
from email.header import Header

from msgspec import Struct

from appliance.core.alerting.channels import Form
from appliance.core.alerting.message import AlertMessage
from appliance.core.detection.incident import Severity
from appliance.core.moment import timestamp

LONGEST_CHAT = 3500  # characters: Slack cuts at 4,000, and ntfy makes a file of more than 4,096 bytes
SECRET_PREFIX = "whsec_"  # noqa: S105  of a secret in base64, as the specification writes them
NTFY_BYTES = 4000
NTFY_PRIORITIES = {Severity.LOW: "2", Severity.MEDIUM: "3", Severity.HIGH: "4", Severity.CRITICAL: "5"}


class Posted(Struct, frozen=True):
    """What is posted."""

    headers: Mapping[str, str]
    body: bytes


def posted(form: Form, message: AlertMessage, secret: str, now: datetime) -> Posted:
    """The message in this form. `secret`: empty for none; `now`: of this attempt."""
    return _FORMS[form](message, secret, now)


def _json(message: AlertMessage, secret: str, now: datetime) -> Posted:
    body = _encoded(
        {
            "id": message.id,
            "timestamp": timestamp(message.at),
            "severity": message.severity,
            "title": message.title,
            "text": message.text,
            "notices": [
                {
                    "number": one.number,
                    "timestamp": timestamp(one.at),
                    "event": one.topic,
                    "severity": one.severity,
                    "departmentId": one.department,
                    "text": one.text,
                }
                for one in message.notices
            ],
        }
    )
    sent_at = str(int(now.timestamp()))
    headers = {"Content-Type": "application/json", "webhook-id": message.id, "webhook-timestamp": sent_at}
    if secret:
        signed = hmac.digest(_key(secret), f"{message.id}.{sent_at}.".encode() + body, hashlib.sha256)
        headers["webhook-signature"] = f"v1,{base64.b64encode(signed).decode()}"
    return Posted(headers, body)


def _key(secret: str) -> bytes:
    if secret.startswith(SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except NotBase64:
            pass  # then it is a text that begins so
    return secret.encode()


def _ntfy(message: AlertMessage, secret: str, _: datetime) -> Posted:
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Title": _header(message.title),
        "Priority": NTFY_PRIORITIES[message.severity],
    }
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    return Posted(headers, _clipped(message.text).encode()[:NTFY_BYTES].decode(errors="ignore").encode())


def _header(text: str) -> str:
    """A text in a header, by RFC 2047 where it has letters beyond ASCII; in one line."""
    return text if text.isascii() else Header(text, "utf-8", maxlinelen=10_000).encode()


def _slack(message: AlertMessage, _: str, __: datetime) -> Posted:
    # The three characters by which Slack knows links and mentions.
    text = f"*{message.title}*\n{message.text}"
    for character, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, written)
    return _chat({"text": _clipped(text)})


def _mattermost(message: AlertMessage, _: str, __: datetime) -> Posted:
    # As code, in which neither a mention nor a link of a stranger's text is one.
    text = f"{message.title}\n{message.text}".replace("```", "'''")
    return _chat({"text": f"```\n{_clipped(text)}\n```"})


def _teams(message: AlertMessage, _: str, __: datetime) -> Posted:
    texts = [_clipped(message.title), *(_clipped(line) for line in _clipped(message.text).splitlines())]
    blocks = [{"type": "TextBlock", "text": _plain(text), "wrap": True} for text in texts if text]
    blocks[0]["weight"] = "Bolder"
    card = {"type": "AdaptiveCard", "version": "1.4", "body": blocks}
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return _chat({"type": "message", "attachments": [attachment]})


def _plain(text: str) -> str:
    """A text without the Markdown that a card understands: a stranger's link is none."""
    for character in "\\[]()*_":
        text = text.replace(character, f"\\{character}")
    return text


def _chat(content: object) -> Posted:
    return Posted({"Content-Type": "application/json"}, _encoded(content))


def _encoded(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _clipped(text: str) -> str:
    return text if len(text) <= LONGEST_CHAT else f"{text[: LONGEST_CHAT - 1]}…"


_FORMS: Mapping[Form, Callable[[AlertMessage, str, datetime], Posted]] = {
    Form.JSON: _json,
    Form.NTFY: _ntfy,
    Form.SLACK: _slack,
    Form.TEAMS: _teams,
    Form.MATTERMOST: _mattermost,
}
