"""The shell's common ground: where a verb finds configuration and state, and how it tells what it cannot do."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from appliance.client import Client

DEFAULT_CONFIG = Path("/etc/appliance/appliance.toml")
EXIT_FAILED = 1

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the configuration and the state are. `config`: `None` where there is none and defaults are chosen."""

    config: Path | None
    state_dir: Path


def with_paths(verb: F) -> F:
    """Give a verb `--config` and `--state-dir`, as one `Paths`."""

    def call(config: Path | None, state_dir: Path | None, **words: Any) -> Any:
        return verb(_place(config, state_dir), **words)

    call.__name__, call.__doc__ = verb.__name__, verb.__doc__
    call.__click_params__ = getattr(verb, "__click_params__", [])  # type: ignore[attr-defined]
    path = click.Path(path_type=Path)
    state = click.option(
        "--state-dir", type=path, envvar="APPLIANCE_STATE_DIR", help="Where secret, books and blocks are kept."
    )
    config = click.option("--config", type=path, envvar="APPLIANCE_CONFIG", help="The TOML file.")
    return config(state(call))  # type: ignore[return-value]


def _place(config: Path | None, state_dir: Path | None) -> Paths:
    if config is None and DEFAULT_CONFIG.exists():
        config = DEFAULT_CONFIG
    if state_dir is None and "STATE_DIRECTORY" in os.environ:  # systemd's; the first of a list
        state_dir = Path(os.environ["STATE_DIRECTORY"].split(":")[0])
    if state_dir is None:
        state_dir = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "appliance"
    return Paths(config, state_dir)


@contextmanager
def explained_failures() -> Iterator[None]:
    """Turn the failures that a person can mend into one clear message and exit code 1."""
    from appliance.config import ConfigError
    from appliance.core.refusal import Refused
    from appliance.server.access import AccessError

    try:
        yield
    except (ConfigError, AccessError, Refused) as error:
        fail(str(error))


@contextmanager
def connected_client(place: Paths) -> Iterator["Client"]:
    """A client of the service that runs, for the length of a `with`; what it refuses is told and gives exit code 1."""
    from appliance.client import CallFailed

    with explained_failures():
        try:
            with connection(place) as client:
                yield client
        except CallFailed as failure:
            fail(str(failure))


@contextmanager
def connection(place: Paths) -> Iterator["Client"]:
    """A client of the service that runs. Raises `CallFailed`, `ConfigError`, `AccessError`."""
    from appliance.client import connected, reachable_url
    from appliance.service.own_token import own_token

    server = server_section(place)
    url = reachable_url(server.host, server.port, tls=server.tls)
    with connected(url, lambda: own_token(place.state_dir), certificate(server, place)) as client:
        yield client


def certificate(server: Any, place: Paths) -> Path | None:
    """The service's certificate; `None` where it speaks HTTP."""
    from appliance.config.sections import certificate_file

    return certificate_file(server, place.state_dir) if server.tls else None


def server_section(place: Paths) -> Any:
    """Where the service is to be found: as the configuration says that it runs, one on trial before the file's."""
    from appliance.config import ServerSection, load

    draft = place.state_dir / "trial.toml"
    if draft.exists():
        return load(draft).server
    return load(place.config).server if place.config else ServerSection()


def fail(message: str) -> None:
    """One clear line, and exit code 1."""
    click.echo(f"appliance: {message}", err=True)
    sys.exit(EXIT_FAILED)
