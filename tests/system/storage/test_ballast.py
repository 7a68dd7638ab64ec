import subprocess
from pathlib import Path

from appliance.system.storage.ballast import BALLAST_BYTES, Ballast
from tests.system.storage.programs import command


def test_it_takes_room_until_it_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "ballast"
    ballast = Ballast(path)
    assert ballast.trouble() is not None
    assert not ballast.give_up()
    ballast.lay()
    assert path.stat().st_blocks * 512 >= BALLAST_BYTES
    assert ballast.trouble() is None
    assert ballast.give_up()
    assert not path.exists()


def test_on_a_small_disk_nothing_is_taken(tmp_path: Path) -> None:
    program = ["unshare", "--mount", *command("ballast_on_a_small_disk", tmp_path)]
    run = subprocess.run(program, capture_output=True, text=True, check=False)
    assert run.stdout == "as promised\n", run.stderr
