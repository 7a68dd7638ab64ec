"""Shared by the verbs: the paths of configuration and state, the connection to the service, and failures."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource
from msgspec import Struct

from appliance.cli import unit_state_dir
from appliance.cli.shell import Failed, ReaderGone, end_of, fail, told_when_unread
from appliance.core.state_files import CONFIG_FILE

if TYPE_CHECKING:
    from appliance.client import CallFailed, Client
    from appliance.config import Config

DEFAULT_CONFIG = Path(CONFIG_FILE)

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, and a failure as JSON too.")


class Paths(Struct, frozen=True):
    """The paths of configuration and state. `config`: `None` where there is no file and defaults apply."""

    config: Path | None
    state_dir: Path


def with_paths(verb: F) -> F:
    """Add `--config` and `--state-dir` to a verb, as one `Paths`."""

    def call(config: Path | None, state_dir: Path | None, **options: Any) -> Any:
        return verb(_paths(_nearest("config", config), _nearest("state_dir", state_dir)), **options)

    call.__name__, call.__doc__ = verb.__name__, verb.__doc__
    call.__click_params__ = getattr(verb, "__click_params__", [])  # type: ignore[attr-defined]
    path = click.Path(path_type=Path, readable=False)  # who may not read it is told more than that
    state = click.option(
        "--state-dir", type=path, envvar="APPLIANCE_STATE_DIR", help="The directory of secret, books and blocks."
    )
    config = click.option("--config", type=path, envvar="APPLIANCE_CONFIG", help="The TOML file.")
    return config(state(call))  # type: ignore[return-value]


def _nearest(name: str, found: Path | None) -> Path | None:
    """The option as it was written behind the verb, else as it was before it: `appliance token --state-dir S list`."""
    context = click.get_current_context()
    above = context.parent.params.get(name) if context.parent else None
    is_written = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    return found if is_written or above is None else above


def _paths(config: Path | None, state_dir: Path | None) -> Paths:
    if config is None and DEFAULT_CONFIG.exists():
        config = DEFAULT_CONFIG
    if state_dir is None:
        state_dir = Path(unit_state_dir() or _home_state() / "appliance")
    return Paths(config, state_dir.absolute())  # the same for the service, whatever folder it changes to


def _home_state() -> Path:
    try:
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    except RuntimeError:
        fail("this user has no home folder; say where the state is with --state-dir")


@contextmanager
def explained_failures() -> Iterator[None]:
    """Turn failures that a person can fix into one clear message in the shell's language, and exit code 1."""
    try:
        yield
    except Exception as failure:  # the kinds are loaded where something failed, and not by each verb
        from appliance.cli.wording import in_shell_words
        from appliance.config import ConfigError
        from appliance.core.refusal import Refused
        from appliance.server.access import AccessError
        from appliance.service.machines import CannotStart

        if isinstance(failure, Refused):
            raise Failed(in_shell_words(failure.message), failure.code) from None
        if isinstance(failure, ConfigError | AccessError | CannotStart):
            raise Failed(str(failure)) from None
        raise


def ended(failure: BaseException, *, as_json: bool) -> int:
    """Tell what ended the service; returns the exit code."""
    try:
        with told_when_unread(), explained_failures():
            raise failure
    except (Failed, KeyboardInterrupt, OSError, ReaderGone) as explained:
        return end_of(explained, as_json)


@contextmanager
def connected_client(paths: Paths) -> Iterator["Client"]:
    """A client of the running service, for the length of a `with`; a refusal is printed, with exit code 1."""
    from appliance.client import CallFailed

    with explained_failures():
        try:
            with connection(paths) as client:
                yield client
        except CallFailed as failure:
            fail(explanation(failure, paths), failure.code)


def explanation(failure: "CallFailed", paths: Paths) -> str:
    """Why a call failed, in the shell's language."""
    from appliance.cli.wording import in_shell_words

    text = in_shell_words(str(failure))
    if failure.code == "E_UNAUTHORIZED":  # the service has another secret than the one that was read here
        text += f"; its state is not in {paths.state_dir}: run this with sudo, as its user or with its --state-dir"
    return text


@contextmanager
def connection(paths: Paths) -> Iterator["Client"]:
    """A client of the running service. Raises `CallFailed`, `ConfigError`, `AccessError`."""
    from appliance.client import connected
    from appliance.server.http.address import reachable_url
    from appliance.service.access.own_token import own_token

    server = server_section(paths)
    url = reachable_url(server.host, server.port, tls=server.tls)
    with connected(url, lambda: own_token(paths.state_dir), certificate(server, paths)) as client:
        yield client


def certificate(server: Any, paths: Paths) -> Path | None:
    """The service's certificate; `None` where it speaks HTTP."""
    from appliance.config.sections import certificate_file

    return certificate_file(server, paths.state_dir) if server.tls else None


def server_section(paths: Paths) -> Any:
    """The `[server]` section of the running service: of the configuration on trial, else of the file."""
    from appliance.config import ServerSection

    config = current_config(paths)
    return config.server if config else ServerSection()


def current_config(paths: Paths) -> "Config | None":
    """The configuration on trial, else that of the file; `None` where there is no file. Raises `ConfigError`."""
    from appliance.config import ConfigError, load

    draft = paths.state_dir / "trial.toml"
    if draft.exists():
        with suppress(ConfigError):  # no service runs with a draft that has faults
            return load(draft)
    return load(paths.config) if paths.config else None
