"""The command line knows every verb that one of its modules has."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages

import click

from appliance import cli
from appliance.cli.main import main


def verbs(group: click.Group) -> Iterator[click.Command]:
    """Its verbs, and theirs."""
    for verb in group.commands.values():
        yield verb
        if isinstance(verb, click.Group):
            yield from verbs(verb)


def test_no_module_has_a_verb_that_the_command_line_does_not_find() -> None:
    modules = [import_module(one.name) for one in walk_packages(cli.__path__, f"{cli.__name__}.")]
    there = {one for module in modules for one in vars(module).values() if isinstance(one, click.Command)}
    assert len(there) > len(main.commands)
    assert {one.name for one in there - {main, *verbs(main)}} == set()
