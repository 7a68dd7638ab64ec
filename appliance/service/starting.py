"""Starts the service from the words of the command line, or says in one clear line why it cannot."""

import errno
import logging
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NoReturn

from appliance import config as configuration
from appliance.config import Config, ConfigError
from appliance.core.operations.trial import inherited_trial
from appliance.core.state_files import RESTORE_MARKER
from appliance.core.text import AS_ITS_USER
from appliance.monitor.operations.config_trial import ConfigTrial, Successor
from appliance.server.access import AccessError
from appliance.server.http.listener import listen
from appliance.server.http.tls import Tls, TlsUnavailable
from appliance.service.access.announcement import Announcement, announcement
from appliance.service.access.authentication import aside_in_turn
from appliance.service.composition import build_appliance
from appliance.service.log_limits import LogRateLimit
from appliance.service.machines import CannotStart, Machine, choose_config, simulated_machine
from appliance.service.running import BACKLOG, Service
from appliance.service.supervision.crash_reports import CrashReports
from appliance.service.supervision.known_secrets import known_secrets
from appliance.service.supervision.restart_pace import VARIABLE, RestartPace
from appliance.system.erasure import is_marked
from appliance.system.ownership import END_WITHIN_S, LOOK_S, OwnedElsewhere, own_packet_filter, own_state
from appliance.system.storage.config_files import ConfigFileWriter

log = logging.getLogger("appliance")

TRIAL_VARIABLE = "APPLIANCE_TRIAL"  # by it, a process hands the configuration trial on to the program that replaces it
EXIT_FAILED = 1
EXPECTED = (CannotStart, ConfigError, AccessError)  # each says in a line what a person can do
FAILING_MEDIUM = {errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO}  # other errors are a wrong --state-dir
LOCAL_HOSTS = frozenset({"0.0.0.0", "127.0.0.1", "localhost"})  # noqa: S104  of IPv4, `localhost` among them


def run(config_file: Path | None, state_dir: Path, *, simulate: bool, show: Callable[[Announcement], None]) -> int:
    """Run until a signal asks to stop; returns the exit code. Raises `CannotStart`, `ConfigError` or `AccessError`.

    `show`: tells the person or the program at the console that the service is there.
    To try another configuration, or to leave the one on trial, the process replaces itself.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    logging.logMultiprocessing = False  # else the first line loads `multiprocessing`, for the name of this process
    runtime = os.environ.get(VARIABLE, "")
    pace = RestartPace(runtime)
    pace.wait(monotonic, sleep)
    with ExitStack() as owned:
        _own(state_dir, owned)  # before all else: what lies there may be another appliance's
        if is_marked(state_dir) and not simulate:
            _finish_reset(state_dir)
            config_file = config_file if config_file is not None and config_file.exists() else None
        if (state_dir / RESTORE_MARKER).exists() and not simulate:
            config_file = _finish_restore(state_dir) or config_file
        reports = owned.enter_context(CrashReports(state_dir, runtime, EXPECTED, partial(known_secrets, state_dir)))
        exit_code, successor = _run(config_file, state_dir, simulate=simulate, show=show)
        if exit_code:
            reports.record()
    if not exit_code:
        pace.forget()
    if successor is not None:
        _become(successor, state_dir, config_file)
    return exit_code


def _run(
    config_file: Path | None, state_dir: Path, *, simulate: bool, show: Callable[[Announcement], None]
) -> tuple[int, Successor | None]:
    """The exit code, and what is to replace this process."""
    drafts = ConfigFileWriter(config_file, state_dir)
    content = drafts.read()
    current = inherited_trial(os.environ.pop(TRIAL_VARIABLE, ""), content, monotonic())
    if current is None:
        drafts.discard()
    trial = ConfigTrial(drafts, current, content, aside_in_turn())
    try:
        exit_code = _serve(config_file, state_dir, trial, content if current else None, simulate, show)
    except EXPECTED as reason:
        if current is None:
            raise
        log.error("the new configuration does not start, the former comes back: %s", reason)
        exit_code = EXIT_FAILED
    if exit_code and trial.current is not None and trial.successor is None:
        trial.successor = Successor(None)
    return exit_code, trial.successor


def _finish_reset(state_dir: Path) -> None:
    from appliance.service.backup.factory_reset import finish_reset  # what it needs, most starts do without

    try:
        finish_reset(state_dir)
    except OSError as error:
        raise CannotStart(
            f"the reset that was ordered cannot be finished: {error}; erase the medium elsewhere"
        ) from None


def _finish_restore(state_dir: Path) -> Path | None:
    """Put in place what a backup had; returns the configuration file that it has written, `None`: it had none."""
    from appliance.service.backup.restoration import finish_restore  # the same

    try:
        found = finish_restore(state_dir)
    except OSError as error:
        raise CannotStart(f"the restore that was ordered cannot be finished: {error}; make room, or mend it") from None
    log.warning("restored, as %s was at %s; what was there before is in %s", found.host, found.made_at, found.former)
    return found.config_file


def _own(state_dir: Path, owned: ExitStack) -> None:
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(state_dir, os.R_OK | os.X_OK):
            raise CannotStart(f"{state_dir}: not permitted; {AS_ITS_USER}, or choose another with --state-dir")
        own_state(state_dir, owned)
    except OwnedElsewhere as reason:
        raise CannotStart(str(reason)) from None
    except OSError as error:
        if error.errno not in FAILING_MEDIUM:
            text = f"{state_dir}: cannot be made: {error.strerror}; choose another with --state-dir"
            raise CannotStart(text) from None
        log.error("%s: cannot be made: %s; all is kept in memory", state_dir, error.strerror)


def _serve(
    config_file: Path | None,
    state_dir: Path,
    trial: ConfigTrial,
    content: bytes | None,
    simulate: bool,
    show: Callable[[Announcement], None],
) -> int:
    """Serve with the configuration on trial (`content`), or with that of the file (`None`)."""
    config, origin, text_without_file = _config(config_file, content, simulate)
    trial.run(config, text_without_file, partial(_start_obstacle, config))
    for handler in logging.getLogger().handlers:
        handler.addFilter(LogRateLimit())
    listening_sockets = [_listen(config.server.host, config.server.port)]
    listening_sockets += _listen_beside(config.server.host, config.server.port)
    with ExitStack() as owned:
        if not simulate:
            _own_packet_filter(owned)
        machine = simulated_machine(config) if simulate else _open_real_machine(config, state_dir)
        appliance = build_appliance(config=config, machine=machine, state_dir=state_dir, trial=trial)
        told = partial(announcement, appliance, origin, state_dir)
        return Service(appliance).run(listening_sockets, lambda: show(told()))


def _start_obstacle(running: Config, other: Config) -> str | None:
    """Why the service could not start with the other configuration, as far as it differs; `None`: it could."""
    new = other.server
    if new.port != running.server.port:  # at the same port, the service itself is in the way
        try:
            listen(new.host, new.port, BACKLOG).close()
        except OSError as error:
            return f"port {new.port} on {new.host} cannot be used: {error.strerror}"
    if new.tls and new.certificate:
        try:
            Tls(Path(new.certificate), Path(new.key or new.certificate))
        except TlsUnavailable as error:
            return str(error)
    return None


def _own_packet_filter(owned: ExitStack) -> None:
    try:
        own_packet_filter(owned)
    except OwnedElsewhere as reason:
        raise CannotStart(str(reason)) from None


def _open_real_machine(config: Config, state_dir: Path) -> Machine:
    from appliance.service.real_machine import open_real_machine  # 10 MB, which a simulation does without

    return open_real_machine(config, state_dir)


def _become(successor: Successor, state_dir: Path, config_file: Path | None) -> NoReturn:
    """Replace the process with the same program and words; everything is closed by then.

    The word after the state directory names the configuration file, which a reset or a restore may have changed.
    """
    words = sys.orig_argv[1:]
    words[words.index(str(state_dir)) + 1] = str(config_file or "")
    trial = {TRIAL_VARIABLE: successor.trial.as_text()} if successor.trial else {}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *words], {**os.environ, **trial})  # noqa: S606


def _config(config_file: Path | None, content: bytes | None, simulate: bool) -> tuple[Config, str, str]:
    """The configuration, where it comes from, for a person, and its text where it comes from no file."""
    if content is not None:
        return configuration.parse(content, "the new configuration"), "Configuration: a new one, on trial", ""
    if config_file is not None:
        return configuration.load(config_file), f"Configuration: {config_file}", ""
    if simulate:
        from appliance.simulator import CONFIG

        config = configuration.parse(CONFIG.encode(), "the simulator's configuration")
        return config, "Configuration: the simulator's", CONFIG
    config, text = choose_config()
    return config, f"No configuration was given. Chosen for a first look:\n\n{text}", text


def _listen(host: str, port: int) -> Any:
    """A listening socket, also on an address that the computer does not have yet.

    Never with SO_REUSEPORT: two services would share the port, and each client would find the one or the other. A port
    that is taken may be that of a service that is ending.
    """
    deadline_s = monotonic() + END_WITHIN_S
    while True:
        try:
            return listen(host, port, BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or monotonic() >= deadline_s:
                raise CannotStart(f"port {port} on {host} cannot be used: {error.strerror}") from None
        sleep(LOOK_S)


def _listen_beside(host: str, port: int) -> list[Any]:
    """A socket at ::1 beside an address that serves `localhost`: that name may lead there first, or only there."""
    if host not in LOCAL_HOSTS:
        return []
    try:
        return [listen("::1", port, BACKLOG)]
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            log.warning("another program has port %d on ::1, and may answer those who ask for localhost", port)
        return []  # or there is no IPv6, and localhost is 127.0.0.1
