"""Starting: from the words of the command line to a service that runs, with one clear line where it cannot."""

import logging
import sys
from pathlib import Path
from socket import AF_INET, AF_INET6
from typing import Any

import eventlet

from appliance import config as configuration
from appliance.client import reachable_url
from appliance.config import Config
from appliance.server.quiet import Quiet
from appliance.service.machines import CannotStart, Machine, choose_config, real_machine, simulated_machine
from appliance.service.running import BACKLOG, Service


def run(config_file: Path | None, state_dir: Path, *, simulate: bool) -> int:
    """Run until a signal asks to stop; returns the exit code. Raises `CannotStart`, `ConfigError` or `AccessError`."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    config, origin = _config(config_file, simulate)
    for handler in logging.getLogger().handlers:
        handler.addFilter(Quiet(config.limits.log_lines_per_second))
    listener = _listen(config.server.host, config.server.port)
    _make_folder(state_dir)
    machine = simulated_machine(config) if simulate else real_machine(config, state_dir)
    service = Service(config, machine, state_dir)
    _announce(config, origin, state_dir, machine, service.fingerprint)
    return service.run(listener)


def _config(config_file: Path | None, simulate: bool) -> tuple[Config, str]:
    """The configuration and where it comes from, for a person."""
    if config_file is not None:
        return configuration.load(config_file), f"Configuration: {config_file}"
    if simulate:
        from appliance.simulator import CONFIG

        return configuration.parse(CONFIG.encode(), "the simulator's configuration"), "Configuration: the simulator's"
    config, text = choose_config()
    return config, f"No configuration was given. Chosen for a first look:\n\n{text}"


def _listen(host: str, port: int) -> Any:
    family = AF_INET6 if ":" in host else AF_INET
    try:
        return eventlet.listen((host, port), family, backlog=BACKLOG)
    except OSError as error:
        raise CannotStart(f"port {port} on {host} cannot be used: {error.strerror}") from None


def _make_folder(state_dir: Path) -> None:
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise CannotStart(f"{state_dir}: cannot be made: {error.strerror}; choose another with --state-dir") from None


def _announce(config: Config, origin: str, state_dir: Path, machine: Machine, fingerprint: str | None) -> None:
    url = reachable_url(config.server.host, config.server.port, tls=config.server.tls)
    simulated = "\n*** SIMULATED: nothing that this appliance reports is real. ***\n" if machine.is_simulated else ""
    seal = f"Certificate's SHA-256: {fingerprint}\n" if fingerprint else ""
    button = "The button is mocked: kill -USR1 of this process holds it, -USR2 presses it.\n" if machine.press else ""
    text = (
        f"{simulated}{origin}\nState: {state_dir}\n{button}"
        f"Page: {url}/\n{seal}Token: {sys.argv[0]} token --state-dir {state_dir} --role viewer --departments '*'\n"
    )
    print(text, flush=True)  # for the person who started it; the log is for later
