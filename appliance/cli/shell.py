"""The door of the command line: runs a verb, and turns every end of it into words and an exit code.

0: done. 1: failed, with one clear line on stderr (with `--json`, an object). 2: wrong usage. As the shell itself has
it, 130 after Ctrl-C, and 141 where the reader of the output has gone away (`appliance watch | head -1`).
"""

import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from appliance.cli.examples import add_examples
from appliance.core.text import AS_ITS_USER
from appliance.core.version import VERSION

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130  # 128 + SIGINT
EXIT_UNREAD = 141  # 128 + SIGPIPE

CHECKOUT = Path(__file__).parents[2]
COMMIT_FILE = CHECKOUT / ".commit"  # written by deploy/install, or by `git archive`


class Failed(Exception):
    """A verb failed; the text says what a person can do. `code`: the service's, for programs."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class ReaderGone(Exception):
    """The reader of the output has gone away."""


class VerbTable(MutableMapping[str, click.Command]):
    """The verbs by name. The module of one is imported when it is asked for: `appliance run` waits for none of them."""

    def __init__(self, modules: Mapping[str, Collection[str]]) -> None:
        """`modules`: the verbs of each module of the command line."""
        self._modules = {verb: module for module, verbs in modules.items() for verb in verbs}
        self._known: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        """The verb. Raises `KeyError`."""
        if name not in self._known:
            module = import_module(f"appliance.cli.{self._modules[name]}")
            self[name] = getattr(module, name.replace("-", "_"))
        return self._known[name]

    def __setitem__(self, name: str, verb: click.Command) -> None:
        """Add a verb, with its examples."""
        add_examples(verb, name)
        self._known[name] = verb

    def __delitem__(self, name: str) -> None:
        """Remove a verb."""
        self._modules.pop(name, None)
        self._known.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        """Their names: those that were added, then those of modules."""
        return iter([*(name for name in self._known if name not in self._modules), *self._modules])

    def __len__(self) -> int:
        """How many there are."""
        return len(list(iter(self)))


class Verbs(click.Group):
    """The group of all verbs."""

    def make_context(self, *words: Any, **options: Any) -> click.Context:
        """Parse the words; a help is printed here."""
        with told_when_unread():
            return super().make_context(*words, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        with told_when_unread():
            return super().invoke(ctx)

    def main(self, args: Any = None, *others: Any, **options: Any) -> NoReturn:
        """Run the verb that the words name, and exit."""
        words = sys.argv[1:] if args is None else list(args)
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 shows "°C" somehow
        try:
            exit_code = super().main(words, *others, **options | {"standalone_mode": False}) or 0
            with told_when_unread():
                if sys.stdout is not None:
                    sys.stdout.flush()  # here a full disk can still be told
        except (Failed, ReaderGone, KeyboardInterrupt, click.ClickException, click.Abort, OSError) as failure:
            exit_code = end_of(failure, "--json" in words)
        sys.exit(exit_code)


@contextmanager
def told_when_unread() -> Iterator[None]:
    """Name a broken pipe differently, which click would make exit code 1 of."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderGone from None


def note(text: str) -> None:
    """Tell something beside the output: on stderr, with `--json` as an object on a line."""
    as_json = click.get_current_context().params.get("as_json")
    click.echo(json.dumps({"note": text}) if as_json else text, err=True)


def fail(message: str, code: str | None = None) -> NoReturn:
    """End the verb with this line and exit code 1."""
    raise Failed(message, code)


def end_of(failure: BaseException, as_json: bool) -> int:
    """Tell what ended the verb; returns the exit code."""
    if isinstance(failure, ReaderGone):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be written has no reader
        return EXIT_UNREAD
    cause = failure.__cause__ or failure.__context__ if isinstance(failure, click.Abort) else failure
    if isinstance(cause, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    exit_code, text, code = EXIT_FAILED, "", None
    if isinstance(failure, click.ClickException):
        exit_code, text = failure.exit_code, failure.format_message()
    elif isinstance(failure, Failed):
        text, code = failure.message, failure.code
    else:
        text = (
            _os_text(failure)
            if isinstance(failure, OSError)
            else "the question was not answered; give the answer as an option"
        )
    if as_json:
        click.echo(json.dumps({"error": text, "code": code}), err=True)
    elif isinstance(failure, click.ClickException):
        failure.show()
    else:
        click.echo(f"appliance: {text}", err=True)
    return exit_code


def _os_text(error: OSError) -> str:
    """What the operating system refused, and what a person can do."""
    what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    if isinstance(error, PermissionError):
        return f"{what}; {AS_ITS_USER}"
    return what


def version_text() -> str:
    """The version and the commit; without the latter where neither the build nor git knows it."""
    commit = _commit()
    return VERSION + (f" ({commit})" if commit else "")


def _commit() -> str:
    import shutil
    import subprocess

    found = COMMIT_FILE.read_text().strip() if COMMIT_FILE.exists() else ""
    if found and not found.startswith("$"):  # `git archive` replaces "$Format:%h$"; a checkout still has it
        return found
    git = shutil.which("git")
    if git is None or not (CHECKOUT / ".git").exists():
        return ""
    trusted = f"safe.directory={CHECKOUT}"  # root asks about an ordinary user's checkout, which git refuses else
    words = [git, "--no-optional-locks", "-c", trusted, "-C", str(CHECKOUT), "describe", "--always", "--dirty"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603  fixed words
    return done.stdout.strip()
