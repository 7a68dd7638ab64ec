"""A state directory and a network each have one owner, whose locks end with it."""

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from appliance.system.ownership import OwnedElsewhere, own_state
from tests.lab.network import Network

HOLD = """
import sys, time
from contextlib import ExitStack
from pathlib import Path
from appliance.system.ownership import own_packet_filter, own_state
owned = ExitStack()
own_state(Path(sys.argv[1]), owned) if sys.argv[1:] else own_packet_filter(owned)
print("owned", flush=True)
sys.stdin.read()
"""

TAKE = """
import os, socket, time
os.setuid(65534)
taken = socket.socket(socket.AF_UNIX)
taken.bind("\\0appliance/packet-filter")
taken.listen()
print("taken", flush=True)
time.sleep(60)
"""


def holder(*words: str) -> "subprocess.Popen[str]":
    program = subprocess.Popen(
        [sys.executable, "-c", HOLD, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "owned\n"
    return program


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_state_directory_has_one_owner_until_that_ends(tmp_path: Path, how: signal.Signals) -> None:
    with holder(str(tmp_path)) as other, ExitStack() as owned:
        with pytest.raises(OwnedElsewhere, match="another appliance uses the state in"):
            own_state(tmp_path, owned, 0)
        other.send_signal(how)
        own_state(tmp_path, owned)


def test_one_that_is_ending_is_waited_for_with_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with holder(str(tmp_path)) as other, ExitStack() as owned:
        subprocess.Popen(["sh", "-c", f"sleep 0.3; kill {other.pid}"])
        own_state(tmp_path, owned)
    assert "Waiting up to 5 s" in capsys.readouterr().out


def test_a_network_has_one_owner_and_another_network_another(gateway: Network) -> None:
    program = gateway.appliance.spawn([sys.executable, "-c", HOLD.replace("sys.stdin.read()", "time.sleep(60)")])
    program.wait_for("owned")
    beside = [sys.executable, "-c", HOLD.replace("(owned)", "(owned, 0)")]
    refused = gateway.appliance.run(beside, check=False)
    assert "another appliance (process " in refused.stderr
    assert gateway.uplink.run(beside).stdout == "owned\n"
    program.process.kill()
    program.process.wait()
    assert gateway.appliance.run(beside).stdout == "owned\n"


def test_a_name_that_an_ordinary_user_has_taken_keeps_no_appliance_out(gateway: Network) -> None:
    program = gateway.appliance.spawn([sys.executable, "-c", TAKE])
    program.wait_for("taken")
    assert gateway.appliance.run([sys.executable, "-c", HOLD.replace("(owned)", "(owned, 0)")]).stdout == "owned\n"
