"""A webhook, by the standard library's `http.client`: posts messages to a web server, as `web_source` judges servers.

What the server answers with a 2xx, it has taken. The appliance's own form has an identity that is the same in each
attempt, by which a receiver knows a repetition; chat services know none, and show a message twice where they die
between taking it and saying so.
"""

from datetime import UTC, datetime
from time import monotonic
from urllib.parse import quote

from appliance.core.alerting.channels import SECRET, ReadSecret, SecretMissing, WebhookReceiver
from appliance.core.alerting.message import AlertMessage
from appliance.core.alerting.webhook_forms import posted
from appliance.system.web.web_source import Judge, NotFetched, WebSource, as_not_fetched, refusal_of

WHOLE_S = 30.0  # of a delivery
LONGEST_SHOWN = 200  # bytes of an answer that a person reads


class WebhookOutlet:
    """`ports.Outlet` by HTTP. `judge`: tests have their own."""

    def __init__(self, receiver: WebhookReceiver, secret: ReadSecret, judge: Judge = refusal_of) -> None:
        self._receiver, self._secret = receiver, secret
        self._web = WebSource("message", judge, does="sent to", ca=receiver.ca)

    def send(self, message: AlertMessage) -> str | None:
        """Deliver a message; returns `None`, or why the server has not taken it; the secret is not in it."""
        try:
            secret = self._secret()
        except SecretMissing as missing:
            return str(missing)
        hidden = quote(secret, safe="/")
        url = self._receiver.url.replace(SECRET, hidden)
        one = posted(self._receiver.form, message, "" if SECRET in self._receiver.url else secret, datetime.now(UTC))
        try:
            with as_not_fetched(), self._web.posted(url, one.headers, one.body, monotonic() + WHOLE_S) as answer:
                if 200 <= answer.status < 300:
                    return None
                shown = answer.read(LONGEST_SHOWN).decode(errors="replace")
                return _without(hidden, f"the server answers {answer.status} {answer.reason}: {shown}")
        except NotFetched as trouble:
            return str(trouble)


def _without(secret: str, text: str) -> str:
    """An answer without the secret, which some servers repeat with the path."""
    return text.replace(secret, "...") if secret else text
