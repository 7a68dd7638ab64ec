"""The service's refusals in the shell's language, and times for a person."""

import re
import subprocess
import sys

import pytest

from appliance.cli.event_lines import EVENT_NAMES
from appliance.cli.wording import CALLS as WORDS
from appliance.cli.wording import COMMANDS, in_shell_words
from appliance.core.text import unknown_text
from appliance.server.calls.call_table import CALLS
from appliance.server.pages.contract import event_classes
from tests.test_documents import every_verb


def test_every_call_has_its_words_for_a_person_in_a_shell() -> None:
    assert set(WORDS) == set(CALLS)


def test_the_words_name_commands_that_exist() -> None:
    verbs = {verb for verb, _ in every_verb()}
    named = {re.sub(r" (start|stop|extend|--.*)$", "", words.removeprefix("appliance ")) for words in COMMANDS.values()}
    assert named <= verbs


def test_every_event_has_its_sentence() -> None:
    assert set(EVENT_NAMES) == {kind.name for kind in event_classes()}


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        ("10.0.0.1 is not blocked for all departments; ip:list shows what is", "appliance status shows what is"),
        ("addresses[17]: 127.0.0.1 is protected", "127.0.0.1 is protected"),
        ("departmentId: must be a department's id", "--department: must be a department's id"),
        ("duration: must be a whole number", "--duration: must be a whole number"),
        ("ask quota:extend", "ask a dashboard"),
    ],
)
def test_a_refusal_names_commands_and_options_instead_of_calls_and_keys(refusal: str, text: str) -> None:
    assert in_shell_words(refusal).endswith(text)
    assert ":" not in in_shell_words(refusal).replace("--department: ", "").replace("--duration: ", "")


@pytest.mark.parametrize("text", ["list:bogons is late", "02:00:5e:10:00:01 is blocked", "at [2001:db8::1]:5001"])
def test_what_only_looks_like_a_call_stays(text: str) -> None:
    assert in_shell_words(text) == text


def test_times_are_the_terminals() -> None:
    program = 'from appliance.cli.wording import *; print(in_shell_words("until 2024-12-15T20:49:29.000Z"))'
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, env={"TZ": "Asia/Kolkata"}, capture_output=True, text=True, check=True)
    assert done.stdout == "until 2024-12-16 02:19:29\n"


def test_an_unknown_word_is_told_with_the_ones_that_there_are() -> None:
    assert unknown_text("event", "usage:updat", ["usage:update", "error"]) == (
        'there is no event "usage:updat"; did you mean usage:update? (there are error, usage:update)'
    )
    assert unknown_text("department", "x", ["b", "a"]) == 'there is no department "x"; there are a, b'
    assert unknown_text("person called", "x", []) == 'there is no person called "x"'
    assert unknown_text("department", "x", map(str, range(99))).endswith("..., ...") is False
    assert len(unknown_text("department", "\x1b" * 5000, map(str, range(5000)))) < 400
