import pytest

from appliance.core.access.redaction import LONGEST_TEXT, redacted

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
# A text with something secret, what must be gone, and what must be there.
CASES = [
    (f"login with {TOKEN} failed", TOKEN, "login with [token] failed"),
    ("hash $argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA was", "c2FsdA", "hash [hash] was"),
    ("anna.b@example.org asks for more", "example.org", "[address] asks for more"),
    ("Authorization: Bearer abc.def-123", "abc.def", "Bearer [secret]"),
    ('url = "https://hooks.example.com/services/T00/B00/XXX"', "T00", "https://hooks.example.com/"),
    ("see https://ann:pw@host.example/x", "pw", "https://host.example/"),
    ('password = "correct horse"', "horse", "password = [removed]"),
    ('recipients = ["it@example.org", "boss"]', "boss", "recipients = [removed]"),
    ('{"token": "abc def"}', "abc", '"token": [removed]'),
    ("Pairing code, for 60 minutes and one person: ABCD-EF23", "EF23", "one person: [code]"),
    ("-----BEGIN PRIVATE KEY-----\nMIIE\nabc=\n-----END PRIVATE KEY-----\nrest", "MIIE", "rest"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEcut", "MIIE", "[key or certificate]"),
    ("id 3f1c9a0b7d2e4c583f1c9a0b7d2e4c58 used", "9a0b", "id [secret] used"),
    ("the word is hunter2hunter2", "hunter2", "the word is [secret]"),
]
HARMLESS = [
    "eth1: link down, 14 errors at 2026-11-29T13:45:00.000Z (10.0.0.1/24, fe80::1)",
    '  File "/opt/appliance/current/appliance/service/running.py", line 120, in _drive',
    "appliance.monitor.metering.departments: the kernel refuses the meters; the former ones stay in force",
    'daily = "5 GiB"',
]


@pytest.mark.parametrize(("text", "secret", "left"), CASES)
def test_what_is_secret_is_gone_and_the_rest_is_there(text: str, secret: str, left: str) -> None:
    told = redacted(text, ["hunter2hunter2"])
    assert secret not in told
    assert left in told


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_needed_to_understand_a_fault_stays(text: str) -> None:
    assert redacted(text) == text


def test_a_long_text_keeps_its_end_and_short_words_are_not_secrets() -> None:
    assert redacted("a" * LONGEST_TEXT + " end").endswith(" end")
    assert len(redacted("-" * (2 * LONGEST_TEXT))) == LONGEST_TEXT
    assert redacted("a link is up", ["is", ""]) == "a link is up"
