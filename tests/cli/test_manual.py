"""The manual page says what the commands say, and groff has nothing against it."""

import re
import subprocess

from appliance.cli.main import main
from appliance.cli.manual import manual_page
from tests.test_documents import EVERYWHERE, every_verb

# groff wraps nothing here, so that a text can be found again.
GROFF = ["groff", "-man", "-ww", "-Tutf8", "-P-c", "-rLL=2000n"]


def shown() -> subprocess.CompletedProcess[str]:
    return subprocess.run(GROFF, input=manual_page(main), capture_output=True, text=True, check=False)


def test_the_manual_page_is_shown_without_a_warning() -> None:
    done = shown()
    assert (done.returncode, done.stderr) == (0, "")


def test_the_manual_page_has_every_command_with_its_options_and_examples() -> None:
    text = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", shown().stdout)
    head, commands = text.split("\nCOMMANDS\n")
    for verb, options in every_verb():
        start = re.search(rf"^   appliance {verb}\b(?! (list|revoke))", commands, re.MULTILINE)
        assert start
        section = commands[start.start() :].partition("\n   appliance ")[0]
        assert [one for one in options - EVERYWHERE if one not in section] == []
        assert f"              appliance {verb}" in section
    assert [one for one in EVERYWHERE if one not in head] == []
