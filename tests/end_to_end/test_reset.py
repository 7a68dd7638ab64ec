"""A factory reset of the installed service: nothing of people or secrets is left, and it pairs as a new appliance."""

import re
import socket
from pathlib import Path

from tests.end_to_end.installed import DEPARTMENT, Installed
from tests.end_to_end.test_release import own_tables
from tests.lab.network import Network

PERSON, PASSWORD, REASON = "alice-7391", "one that nobody guesses 7391", "because-7391"
MAIL_PASSWORD = "geheim-7391"
QUOTA = '[departments.quota]\ndaily = "1 GB"\n'


def holding(folder: Path) -> list[str]:
    """The files below a folder that have anything of what people have told the appliance."""
    words = [one.encode() for one in (PERSON, PASSWORD, REASON, MAIL_PASSWORD, DEPARTMENT)]
    found = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(path.name for path in found if any(word in path.read_bytes() for word in words))


def codes(appliance: Installed) -> set[str]:
    """The pairing codes that the log has shown."""
    assert appliance.program is not None
    return set(re.findall(r"and one person: (\S+)", appliance.program.output))


def tell(appliance: Installed, blocked: str) -> None:
    appliance.cli("user", "add", PERSON, "--role", "admin", "--password", PASSWORD)
    appliance.cli("block", blocked, "--reason", REASON)
    (appliance.state / "secrets").mkdir(mode=0o700, exist_ok=True)
    (appliance.state / "secrets/mail").write_text(MAIL_PASSWORD)


def test_a_running_appliance_forgets_everything_and_pairs_anew(gateway: Network, tmp_path: Path, until) -> None:
    pc = gateway.hosts[0]
    with Installed(gateway, tmp_path, QUOTA) as appliance:
        tell(appliance, pc.ipv4)
        secret = (appliance.state / "token.secret").read_bytes()
        until(lambda: len(codes(appliance)) == 1)
        assert not pc.ping(gateway.uplink.ipv4, wait_s=0.3)
        assert holding(tmp_path) != []
        refused = appliance.cli("reset", "--name", "another", check=False)
        assert refused == ""
        assert "starts as a new appliance" in appliance.cli("reset", "--name", socket.gethostname())
        assert appliance.program is not None
        appliance.program.wait_for("the appliance is reset")
        until((appliance.state / "token.secret").exists)
        appliance.program.wait_for("No configuration was given")
        until(lambda: len(codes(appliance)) == 2)  # the former one, and the new one's own
        assert holding(appliance.state) == []
        assert not (tmp_path / "appliance.toml").exists()
        assert (appliance.state / "token.secret").read_bytes() != secret
        assert pc.ping(gateway.uplink.ipv4)


def test_without_a_service_the_shell_resets_and_a_boot_puts_nothing_in_force(gateway: Network, tmp_path: Path) -> None:
    pc = gateway.hosts[0]
    appliance = Installed(gateway, tmp_path, QUOTA)
    with appliance:
        tell(appliance, pc.ipv4)
    assert own_tables(gateway) != []
    assert "are erased" in appliance.cli("reset", "--name", socket.gethostname())
    assert own_tables(gateway) == []
    assert holding(tmp_path) == []
    assert pc.ping(gateway.uplink.ipv4)
