"""Starts the service from the words of the command line, or says in one clear line why it cannot."""

import errno
import logging
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NoReturn

from appliance import config as configuration
from appliance.client import reachable_url
from appliance.config import Config, ConfigError
from appliance.core.operations.trial import inherited_trial
from appliance.monitor.operations.config_trial import ConfigTrial, Successor
from appliance.server.access import AccessError
from appliance.server.http.listener import listen
from appliance.service.composition import Appliance, build_appliance
from appliance.service.log_limits import LogRateLimit
from appliance.service.machines import CannotStart, Machine, choose_config, simulated_machine
from appliance.service.ownership import END_WITHIN_S, LOOK_S, own_packet_filter, own_state
from appliance.service.running import BACKLOG, Service
from appliance.system.storage.config_files import ConfigFileWriter

log = logging.getLogger("appliance")

TRIAL_VARIABLE = "APPLIANCE_TRIAL"  # by it, a process hands the configuration trial on to the program that replaces it
EXIT_FAILED = 1
FAILING_MEDIUM = {errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO}  # other errors are a wrong --state-dir


def run(config_file: Path | None, state_dir: Path, *, simulate: bool) -> int:
    """Run until a signal asks to stop; returns the exit code. Raises `CannotStart`, `ConfigError` or `AccessError`.

    To try another configuration, or to leave the one on trial, the process replaces itself.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    with ExitStack() as owned:
        _own(state_dir, owned)  # before all else: what lies there may be another appliance's
        exit_code, successor = _run(config_file, state_dir, simulate=simulate)
    if successor is not None:
        _become(successor)
    return exit_code


def _run(config_file: Path | None, state_dir: Path, *, simulate: bool) -> tuple[int, Successor | None]:
    """The exit code, and what is to replace this process."""
    drafts = ConfigFileWriter(config_file, state_dir)
    content = drafts.read()
    current = inherited_trial(os.environ.pop(TRIAL_VARIABLE, ""), content, monotonic())
    if current is None:
        drafts.discard()
    trial = ConfigTrial(drafts, current, content)
    try:
        exit_code = _serve(config_file, state_dir, trial, content if current else None, simulate)
    except (CannotStart, ConfigError, AccessError) as reason:
        if current is None:
            raise
        log.error("the new configuration does not start, the former comes back: %s", reason)
        exit_code = EXIT_FAILED
    if exit_code and trial.current is not None and trial.successor is None:
        trial.successor = Successor(None)
    return exit_code, trial.successor


def _own(state_dir: Path, owned: ExitStack) -> None:
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        own_state(state_dir, owned)
    except OSError as error:
        if error.errno not in FAILING_MEDIUM:
            text = f"{state_dir}: cannot be made: {error.strerror}; choose another with --state-dir"
            raise CannotStart(text) from None
        log.error("%s: cannot be made: %s; all is kept in memory", state_dir, error.strerror)


def _serve(config_file: Path | None, state_dir: Path, trial: ConfigTrial, content: bytes | None, simulate: bool) -> int:
    """Serve with the configuration on trial (`content`), or with that of the file (`None`)."""
    config, origin = _config(config_file, content, simulate)
    for handler in logging.getLogger().handlers:
        handler.addFilter(LogRateLimit())
    listening_socket = _listen(config.server.host, config.server.port)
    with ExitStack() as owned:
        if not simulate:
            own_packet_filter(owned)
        machine = simulated_machine(config) if simulate else _open_real_machine(config, state_dir)
        appliance = build_appliance(config=config, machine=machine, state_dir=state_dir, trial=trial)
        _announce(appliance, origin, state_dir)
        return Service(appliance).run(listening_socket)


def _open_real_machine(config: Config, state_dir: Path) -> Machine:
    from appliance.service.real_machine import open_real_machine  # 10 MB, which a simulation does without

    return open_real_machine(config, state_dir)


def _become(successor: Successor) -> NoReturn:
    """Replace the process with the same program and words; everything is closed by then."""
    trial = {TRIAL_VARIABLE: successor.trial.as_text()} if successor.trial else {}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **trial})  # noqa: S606


def _config(config_file: Path | None, content: bytes | None, simulate: bool) -> tuple[Config, str]:
    """The configuration and where it comes from, for a person."""
    if content is not None:
        return configuration.parse(content, "the new configuration"), "Configuration: a new one, on trial"
    if config_file is not None:
        return configuration.load(config_file), f"Configuration: {config_file}"
    if simulate:
        from appliance.simulator import CONFIG

        return configuration.parse(CONFIG.encode(), "the simulator's configuration"), "Configuration: the simulator's"
    config, text = choose_config()
    return config, f"No configuration was given. Chosen for a first look:\n\n{text}"


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


def _announce(appliance: Appliance, origin: str, state_dir: Path) -> None:
    server, machine, tls = appliance.config.server, appliance.machine, appliance.authentication.tls
    url = reachable_url(server.host, server.port, tls=server.tls)
    simulated = "\n*** SIMULATED: nothing that this appliance reports is real. ***\n" if machine.is_simulated else ""
    seal = f"Certificate's SHA-256: {tls.fingerprint}\n" if tls else ""
    button = "The button is mocked: kill -USR1 of this process holds it, -USR2 presses it.\n" if machine.press else ""
    token = f"Token: {sys.argv[0]} token --state-dir {state_dir} --role viewer --departments '*'\n"
    # For the person at the console; the log is for later.
    print(f"{simulated}{origin}\nState: {state_dir}\n{button}Page: {url}/\n{seal}{token}", flush=True)
