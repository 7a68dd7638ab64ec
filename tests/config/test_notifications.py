"""Channels and rules as a person writes them, with every kind of fault."""

from datetime import time

import pytest

from appliance.config import ConfigError, parse
from appliance.config.differences import changes
from appliance.core.alerting.channels import MailReceiver, Seal
from appliance.core.alerting.notice import Topic
from appliance.core.alerting.report_order import ReportOrder
from appliance.core.alerting.rules import NotificationRule
from appliance.core.detection.incident import Severity
from appliance.core.metering.quota import QuotaKind
from appliance.core.operations.update_window import window_of

BASE = """
[appliance]
position = "gateway"
[[departments]]
id = "a"
interface = "eth1"
"""
MAIL = """
[[notifications.mail]]
name = "it"
server = "mail.example.org"
sender = "pi@example.org"
recipients = ["it@example.org"]
"""
RULE = """
[[notifications.rules]]
channels = ["it"]
"""


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        parse((BASE + text).encode(), "file")
    return [line.removeprefix("file: ") for line in str(raised.value).splitlines()]


def test_a_channel_and_a_rule_need_few_keys() -> None:
    config = parse((BASE + MAIL + RULE).encode(), "file").notifications
    assert list(config.as_receivers()) == [
        MailReceiver(
            name="it",
            secret=None,
            ca=None,
            server="mail.example.org",
            port=465,
            seal=Seal.TLS,
            user=None,
            sender="pi@example.org",
            recipients=("it@example.org",),
        )
    ]
    assert config.as_rules() == (
        NotificationRule(channels=("it",), topics=None, least=Severity.HIGH, departments=None, quiet=None, digest_s=0),
    )


def test_a_rule_with_all_keys_is_the_core_s() -> None:
    more = 'events = ["quota:alert"]\nseverity = "low"\ndepartments = ["a"]\nquiet = "22:00-06:00"\ndigest = "1h"\n'
    config = parse((BASE + MAIL + RULE + more).encode(), "file").notifications
    assert config.as_rules() == (
        NotificationRule(
            channels=("it",),
            topics=frozenset({Topic.QUOTA_ALERT}),
            least=Severity.LOW,
            departments=frozenset({"a"}),
            quiet=window_of("22:00-06:00"),
            digest_s=3600,
        ),
    )


MAIL_KEY, RULE_KEY = "notifications.mail[1]", "notifications.rules[1]"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (MAIL, 'notifications: no rule sends anything to "it"; name it in the channels of a rule'),
        (RULE, f'{RULE_KEY}: the channel "it" is not configured; there are none'),
        (MAIL + MAIL + RULE, 'notifications: the name "it" is given twice; each channel needs its own'),
        (
            MAIL.replace('"mail.example.org"', '"mail example"') + RULE,
            f'{MAIL_KEY}.server: found "mail example"; allowed: a server\'s name or address',
        ),
        (
            MAIL.replace("it@example.org", "it") + RULE,
            f'{MAIL_KEY}.recipients[1]: found "it"; allowed: a mail address, such as "it@example.org"',
        ),
        (
            MAIL.replace('["it@example.org"]', "[]") + RULE,
            'notifications: "it" has 0 recipients; give 1 to 20',
        ),
        (
            MAIL + 'user = "pi"\n' + RULE,
            'notifications: "it" needs user and secret together, or neither',
        ),
        (
            MAIL + 'user = "pi"\nsecret = "mail"\nseal = "none"\n' + RULE,
            'notifications: "it" would send its password unsealed; its seal must be tls or starttls',
        ),
        (
            MAIL + 'password = "geheim"\n' + RULE,
            f'{MAIL_KEY}."password": unknown key; allowed: '
            "name, ca, server, sender, recipients, port, seal, user, secret",
        ),
        (
            MAIL + 'secret = "../token.secret"\nuser = "pi"\n' + RULE,
            f'{MAIL_KEY}.secret: found "../token.secret"; allowed: '
            "the name of a file in the folder of secrets: 1 to 32 letters, digits, '_', '.' or '-'",
        ),
        (
            MAIL + 'seal = "ssl"\n' + RULE,
            f'{MAIL_KEY}.seal: found "ssl"; allowed: one of "tls", "starttls", "none"',
        ),
        (MAIL + RULE.replace('["it"]', "[]"), f"{RULE_KEY}: it has no channels; name those that it sends to"),
        (MAIL + RULE + 'departments = ["b"]\n', f'{RULE_KEY}: the department "b" is not configured'),
        (
            MAIL + RULE + 'quiet = "22:00-22:00"\n',
            f"{RULE_KEY}: its quiet hours end when they begin; leave them out, or give two times",
        ),
        (
            MAIL + RULE + 'quiet = "at night"\n',
            f'{RULE_KEY}.quiet: found "at night"; allowed: two local times, such as "03:00-05:00"',
        ),
        (
            MAIL + RULE + 'digest = "2d"\n',
            f'{RULE_KEY}.digest: found "2d"; allowed: a whole number of seconds up to 86400 (a day), a text such as '
            '"1h", or 0 for none',
        ),
    ],
)
def test_each_fault_is_named_with_what_to_do(text: str, fault: str) -> None:
    assert fault in faults(text)


def test_an_event_that_nobody_is_told_of_is_named_with_those_that_are() -> None:
    [fault] = faults(MAIL + RULE + 'events = ["usage:update"]\n')
    assert fault.startswith(f'{RULE_KEY}.events[1]: found "usage:update"; allowed: one of "quota:alert", "quota:host"')


def test_nine_channels_are_too_many() -> None:
    text = "".join(MAIL.replace('"it"', f'"{number}"', 1) for number in range(9))
    assert "notifications: 9 channels; at most 8 are possible" in faults(text + RULE)


def test_a_change_is_told_in_sentences() -> None:
    def config(text: str):
        return parse((BASE + text).encode(), "file")

    plain, with_port = config(MAIL + RULE), config(MAIL + "port = 587\n" + RULE)
    assert list(changes(config(""), plain)) == [
        "The channel it is new: notifications leave by it.",
        "The rules of notifications change: there are 1, there were 0.",
    ]
    assert list(changes(plain, with_port)) == ["The channel it: port is 587, was 465."]
    assert "The channel it is removed, with what waits for it." in changes(plain, config(""))
    assert list(changes(plain, plain)) == []


HOOK = """
[[notifications.webhooks]]
name = "it"
url = "https://chat.example.org/hook"
"""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (HOOK, 'notifications: "it" needs a secret, with which its messages are signed'),
        (
            HOOK.replace("/hook", "/{secret}") + 'form = "slack"\n',
            'notifications: "it" has {secret} in its url, and needs the secret',
        ),
        (
            HOOK.replace("https", "http") + 'form = "ntfy"\nsecret = "x"\n',
            'notifications: "it" would send its secret unsealed; its url must begin with https',
        ),
        (
            HOOK.replace("https://", "https://user:geheim@") + 'secret = "x"\n',
            'notifications.webhooks[1].url: found "https://user:geheim@chat.example.org/hook"; allowed: a URL such as '
            '"https://192.168.1.2/hook", in whose path {secret} may stand for the secret',
        ),
        (
            HOOK + 'form = "irc"\n',
            'notifications.webhooks[1].form: found "irc"; '
            'allowed: one of "json", "ntfy", "slack", "teams", "mattermost"',
        ),
    ],
)
def test_a_webhook_that_would_tell_its_secret_is_refused(text: str, fault: str) -> None:
    assert fault in faults(text + RULE)


BROKER = """
[[notifications.mqtt]]
name = "it"
server = "192.168.1.5"
"""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            BROKER + 'user = "pi"\nsecret = "x"\nseal = "none"\n',
            'notifications: "it" would send its password unsealed; its seal must be tls',
        ),
        (BROKER + 'secret = "x"\n', 'notifications: "it" needs user and secret together, or neither'),
        (
            BROKER + 'prefix = "#"\n',
            'notifications.mqtt[1].prefix: found "#"; allowed: a topic, such as "office/appliance"',
        ),
        (
            BROKER + 'seal = "starttls"\n',
            'notifications.mqtt[1].seal: found "starttls"; allowed: "tls" or "none"',
        ),
    ],
)
def test_a_broker_that_would_be_told_a_password_unsealed_is_refused(text: str, fault: str) -> None:
    assert fault in faults(text + RULE)


def test_a_channel_of_each_kind_can_be_configured_beside_the_others() -> None:
    text = MAIL + HOOK.replace('"it"', '"hook"') + 'secret = "x"\n' + BROKER.replace('"it"', '"home"')
    text += '[[notifications.syslog]]\nname = "logs"\nserver = "logs.example.org"\n'
    config = parse((BASE + text + RULE.replace('"it"', '"it", "hook", "home", "logs"')).encode(), "file")
    shown = [(one.name, one.kind, one.target) for one in config.notifications.as_receivers()]
    assert shown == [
        ("it", "mail", "it@example.org by mail.example.org:465"),
        ("hook", "webhook", "https://chat.example.org (json)"),
        ("logs", "syslog", "logs.example.org:6514"),
        ("home", "mqtt", "192.168.1.5:8883 (appliance/)"),
    ]


REPORT = """
[[notifications.reports]]
channels = ["it"]
span = "week"
"""


def test_reports_go_by_mail_one_for_each_department() -> None:
    config = parse((BASE + MAIL + REPORT).encode(), "file")
    orders = list(config.notifications.as_report_orders(["a", "b"]))
    assert orders == [ReportOrder("it", one, QuotaKind.WEEKLY, time(6)) for one in ("a", "b")]
    more = parse((BASE + MAIL + REPORT + 'departments = ["a"]\nat = "07:30"\n').encode(), "file")
    assert list(more.notifications.as_report_orders(["a", "b"])) == [
        ReportOrder("it", "a", QuotaKind.WEEKLY, time(7, 30))
    ]
    assert changes(config, more, frozenset()) == ["The reports by mail change: there are 1, there were 1."]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (REPORT, '"it" is no channel of mail, by which alone reports are sent; there are none'),
        (MAIL + REPORT.replace('"it"', ""), "it has no channels; name those that it is sent by"),
        (MAIL + REPORT + 'departments = ["b"]', 'the department "b" is not configured'),
        (MAIL + REPORT.replace("week", "year"), '"day", "week" or "month"'),
        (MAIL + REPORT + 'at = "6:00"', 'a local time, such as "06:00"'),
    ],
)
def test_a_report_that_cannot_be_sent_is_a_fault(text: str, fault: str) -> None:
    assert any(fault in line for line in faults(text))
