"""The documents for people say what the code does: its verbs, calls, events, keys and files, all of them and no others.

A fault names the document and the word.
"""

import re
import shlex
import tomllib
from collections.abc import Collection, Iterator
from typing import Any, get_args, get_origin

import click
import msgspec
import pytest
from msgspec import UNSET

from appliance.cli.examples import EXAMPLES
from appliance.cli.main import main
from appliance.config.section import Section
from appliance.config.sections import Config
from appliance.core.refusal import Code
from appliance.events import Event, Part
from appliance.server.calls.call_table import CALLS
from appliance.server.pages.contract import event_classes
from tests.documents import CONFIGURATION, EVENTS, PAGES, PROJECT, README, Page, blocks

MOST_README_LINES = 150
EVERYWHERE = {"--config", "--state-dir", "--json", "--help"}  # options of every verb, documented once

_COMMAND = re.compile(r"(?<![\w./$-])(?:\.venv/run/bin/)?appliance (?=[a-z\[-])(?P<words>[^#)>&;]*)")
_FILE = re.compile(r"(?<![\w./-])(?P<path>(?:appliance|deploy|tests)/[\w./-]*\w/?)")
_NAME = re.compile(r"[a-z]+:[a-z]+")  # of an event or a call
_KEYS = re.compile(r"\{([\w?, ]+)\}")


# --- the command line -------------------------------------------------------------------------------------------------


def command_lines() -> Iterator[tuple[str, str]]:
    """Each command line of `appliance` that a document prints, with its place."""
    printed = [(page.name, span) for page in PAGES for span in page.spans()]
    for block in blocks("sh"):
        printed += [(block.where, line) for line in block.text.replace("\\\n", " ").splitlines()]
    for where, line in printed:
        if match := _COMMAND.search(line):
            yield where, match["words"].rstrip(" |")


def understood(line: str) -> tuple[str, set[str]]:
    """The verb of a printed line and the options that it names. Raises `click.UsageError`."""
    words = shlex.split(re.sub(r"[\[\]]", " ", line))
    command: click.Command = main
    verb = []
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        verb.append(words.pop(0))
        if verb[-1] not in command.commands:
            raise click.UsageError(f"there is no verb {' '.join(verb)}")
        command = command.commands[verb[-1]]
    _, left, given = command.make_parser(click.Context(command)).parse_args([word for word in words if word != "..."])
    if left:
        raise click.UsageError(f"{' '.join(verb)} takes no {left}")
    return " ".join(verb), {one.opts[0] for one in given if isinstance(one, click.Option)}


def verbs(command: click.Command = main, name: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every verb, with the options that are its own."""
    return ((verb, options - EVERYWHERE) for verb, options in every_verb(command, name))


def every_verb(command: click.Command = main, name: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every verb, with its options; a group counts where it does something by itself."""
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield name, {one.opts[0] for one in command.params if isinstance(one, click.Option)}
    if isinstance(command, click.Group):
        for inner, verb in command.commands.items():
            yield from every_verb(verb, f"{name} {inner}".strip())


def test_every_printed_command_line_is_understood() -> None:
    lines, faults = list(command_lines()), []
    for where, line in lines:
        try:
            understood(line)
        except click.UsageError as error:
            faults.append(f"{where}: appliance {line}: {error.format_message()}")
    assert len(lines) > 50
    assert faults == []


def test_every_verb_and_each_of_its_options_is_documented() -> None:
    documented: dict[str, set[str]] = {}
    for _, line in command_lines():
        verb, options = understood(line)
        documented.setdefault(verb, set()).update(options)
    missing = [f"appliance {verb}" for verb, _ in verbs() if verb not in documented]
    missing += [f"appliance {verb} {one}" for verb, options in verbs() for one in options - documented.get(verb, set())]
    assert missing == []


def test_every_verb_has_the_options_of_every_verb() -> None:
    lacking = [(verb, option) for verb, options in every_verb() for option in EVERYWHERE - {"--help"} - options]
    assert lacking == []


def test_every_example_of_a_help_is_understood_and_is_of_its_verb() -> None:
    groups = {"", "user", "panel", "backup", "notify", "schedule"}  # and the whole, which do nothing themselves
    assert set(EXAMPLES) == {*groups, *(verb for verb, _ in every_verb())}
    for verb, rows in EXAMPLES.items():
        assert [words for words, _ in rows if not understood(words)[0].startswith(verb)] == []


def test_options_of_every_verb_are_documented_once_for_all() -> None:
    spans = " ".join(span for page in PAGES for span in page.spans())
    assert [option for option in [*EVERYWHERE, "--version"] if option not in spans] == []


# --- events and calls -------------------------------------------------------------------------------------------------


def first_name(cell: str) -> str:
    return cell.partition("`")[2].partition("`")[0]


def differences(page: Page, documented: Collection[str], existing: Collection[str]) -> list[str]:
    """What a page lacks, and what it names although there is no such thing."""
    return [
        *(f"{page.name} lacks {name}" for name in existing if name not in documented),
        *(f"{page.name} names {name}, which does not exist" for name in documented if name not in existing),
    ]


def test_every_event_is_documented_and_no_other() -> None:
    rows = EVENTS.table("event", "receivers", "when")
    assert differences(EVENTS, {first_name(row[0]) for row in rows}, {kind.name for kind in event_classes()}) == []


def optional_keys(kind: type[Event | Part]) -> Iterator[str]:
    """The keys beyond the contract's, in an event and the objects in it."""
    for field in msgspec.structs.fields(kind):
        if field.default is UNSET:
            yield field.encode_name
        for inner in (field.type, *get_args(field.type)):
            if isinstance(inner, type) and issubclass(inner, Part):
                yield from optional_keys(inner)


@pytest.mark.parametrize("kind", event_classes(), ids=lambda kind: kind.__name__)
def test_every_key_beyond_the_contract_is_documented(kind: type[Event]) -> None:
    spans = EVENTS.spans()
    assert [key for key in optional_keys(kind) if key not in spans] == []


def test_every_call_is_documented_and_no_other() -> None:
    rows = EVENTS.table("call", "argument", "role")
    assert differences(EVENTS, [first_name(row[0]) for row in rows], CALLS) == []


@pytest.mark.parametrize("row", EVENTS.table("call", "argument", "role"), ids=lambda row: first_name(row[0]))
def test_a_call_is_documented_with_its_argument_and_its_role(row: list[str]) -> None:
    call = CALLS[first_name(row[0])]
    assert row[2] == f"{call.role}{' of all' if call.everywhere else ''}"
    if not isinstance(call.argument, type):
        assert row[1] == "a department's id" + ("; without it all" if type(None) in get_args(call.argument) else "")
        return
    found = _KEYS.search(row[1])
    documented = found[1].split(", ") if found else []
    fields = msgspec.structs.fields(call.argument)
    assert sorted(documented) == sorted(field.encode_name + "?" * (not field.required) for field in fields)
    assert documented or row[1].startswith("nothing")


def test_every_code_is_documented_and_no_other() -> None:
    assert differences(EVENTS, [first_name(row[0]) for row in EVENTS.table("code", "meaning")], list(Code)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_an_event_a_call_or_a_code_that_does_not_exist(page: Page) -> None:
    known = {*CALLS, *Code, *(kind.name for kind in event_classes())}
    named = [span for span in page.spans() if _NAME.fullmatch(span) or span.startswith("E_")]
    assert [name for name in named if name not in known] == []


# --- the configuration ------------------------------------------------------------------------------------------------


def keys_of(kind: type[Section], path: str = "") -> Iterator[str]:
    """Every key of the configuration, as `departments.quota.daily`."""
    for field in msgspec.structs.fields(kind):
        inner = get_args(field.type)[0] if get_origin(field.type) is tuple else field.type
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from keys_of(inner, f"{path}{field.encode_name}.")
        else:
            yield path + field.encode_name


def keys_in(table: dict[str, Any], path: str = "") -> Iterator[str]:
    for key, value in table.items():
        yield path + key
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from keys_in(inner, f"{path}{key}.")


def test_every_key_of_the_configuration_is_in_a_sample_of_its_page() -> None:
    documented = {key for block in CONFIGURATION.blocks("toml") for key in keys_in(tomllib.loads(block.text))}
    missing = [key for key in keys_of(Config) if key not in documented]
    assert [f"{CONFIGURATION.name} lacks {key}" for key in missing] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_section_or_a_key_of_the_configuration_that_does_not_exist(page: Page) -> None:
    keys = {part for key in keys_of(Config) for part in key.split(".")}
    named = [re.match(r"\[+([a-z_.]+)\]+$|([a-z_]+) = ", span) for span in page.spans()]
    words = [word for match in named if match for word in (match[1] or match[2]).split(".")]
    assert [word for word in words if word not in keys] == []


# --- files and links --------------------------------------------------------------------------------------------------


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    assert len(README.text.splitlines()) <= MOST_README_LINES
    linked = {link.partition("#")[0] for link in README.links()}
    assert [page.name for page in PAGES if page is not README and page.name not in linked] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Page) -> None:
    faults = []
    for link in page.links():
        path, _, anchor = link.partition("#")
        target = (page.path.parent / path).resolve() if path else page.path
        if not target.exists():
            faults.append(f"{link}: there is no such file")
        elif anchor and anchor not in Page(target.relative_to(PROJECT).as_posix()).anchors():
            faults.append(f"{link}: there is no such heading")
    assert faults == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_of_the_project_that_a_page_names_exists(page: Page) -> None:
    texts = [*page.spans(), *(block.text for block in page.blocks("sh"))]
    named = {match["path"] for text in texts for match in _FILE.finditer(text)}
    assert [path for path in sorted(named) if not (PROJECT / path).exists()] == []
