"""Writes the manual page from the commands themselves: `python -m appliance.cli.manual`, which deploy/install runs.

The page is in the man macros of groff (groff_man(7)). What every verb takes is described once.
"""

from collections.abc import Iterator

import click

from appliance.cli.examples import EXAMPLES
from appliance.cli.options import DEFAULT_CONFIG
from appliance.cli.shell import version_text

SECTION = 8  # of the manual: commands of administrators
EVERYWHERE = ("--config", "--state-dir", "--json", "--help")

EXITS = (
    ("0", "Done."),
    ("1", "Failed; the standard error says why."),
    ("2", "Wrong usage."),
    ("130", "Ended by Ctrl-C."),
    ("141", "The reader of the output has gone away."),
)
FILES = (
    (str(DEFAULT_CONFIG), "The configuration."),
    ("/var/lib/appliance", "The state of an installation: books, blocks, people, secret."),
    ("~/.local/state/appliance", "The state without an installation."),
)
ENVIRONMENT = (
    ("APPLIANCE_CONFIG, APPLIANCE_STATE_DIR", "As --config and --state-dir."),
    ("TZ", "The time zone in which times are shown."),
)


def manual_page(main: click.Group) -> str:
    """The whole page."""
    context = click.Context(main, info_name="appliance")
    first, *paragraphs = _paragraphs(main)
    any_verb = main.commands["status"]
    lines = [
        f'.TH APPLIANCE {SECTION} "" "appliance {_text(version_text())}"',
        ".SH NAME",
        f"appliance \\- {_text(first.rstrip('.'))}",
        ".SH SYNOPSIS",
        ".B appliance",
        _text("COMMAND [OPTIONS] [ARGUMENTS]"),
        ".SH DESCRIPTION",
        *(line for one in paragraphs for line in (".PP", _text(one))),
        *_example_lines(""),
        ".SH OPTIONS",
        _text("Every command takes:"),
        *_option_lines(any_verb, click.Context(any_verb), is_common=True),
        ".TP",
        f".B {_text('--version')}",
        "Without a command: show the version and the commit.",
        ".SH COMMANDS",
    ]
    for name, verb in main.commands.items():
        lines += _verb_lines(name, verb, context)
    for heading, rows in (("EXIT STATUS", EXITS), ("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        lines += [
            f".SH {heading}",
            *(line for term, text in rows for line in (".TP", f".B {_text(term)}", _text(text))),
        ]
    return "\n".join(lines) + "\n"


def _verb_lines(name: str, verb: click.Command, parent: click.Context) -> Iterator[str]:
    context = click.Context(verb, parent, info_name=name.rpartition(" ")[2])
    arguments = " ".join(one.make_metavar(context) for one in verb.params if isinstance(one, click.Argument))
    if not isinstance(verb, click.Group) or verb.invoke_without_command:
        yield f".SS {_text(f'appliance {name} {arguments}'.strip())}"
        for paragraph in _paragraphs(verb):
            yield ".PP"
            yield _text(paragraph)
        yield from _option_lines(verb, context, is_common=False)
        yield from _example_lines(name)
    if isinstance(verb, click.Group):
        for inner, one in verb.commands.items():
            yield from _verb_lines(f"{name} {inner}", one, context)


def _option_lines(verb: click.Command, context: click.Context, *, is_common: bool) -> Iterator[str]:
    for one in verb.get_params(context):
        is_wanted = isinstance(one, click.Option) and (one.opts[-1] in EVERYWHERE) is is_common
        record = one.get_help_record(context) if is_wanted else None
        if record is not None:
            yield from (".TP", f".B {_text(record[0])}", _text(record[1]))


def _example_lines(name: str) -> Iterator[str]:
    yield from (".PP", "Examples:", ".RS", ".nf")
    for words, what in EXAMPLES[name]:
        yield _text(f"# {what}")
        yield _text(f"appliance {words}")
    yield from (".fi", ".RE")


def _paragraphs(command: click.Command) -> list[str]:
    return [" ".join(one.split()) for one in (command.help or "").split("\n\n")]


def _text(text: str) -> str:
    """A line that groff shows as it is: no escapes, no request at its beginning, hyphens that can be copied."""
    shown = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\`")
    return f"\\&{shown}" if shown.startswith((".", "'")) else shown


if __name__ == "__main__":
    from appliance.cli.main import main as verbs

    print(manual_page(verbs), end="")
