import os
import stat
import subprocess
from pathlib import Path

import pytest

from appliance.system.storage.secret_file import SECRET_FILE, SecretUnavailable, load_secret
from tests.system.storage.programs import command


def test_the_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    secret = load_secret(tmp_path)
    assert len(secret) == 32
    assert load_secret(tmp_path) == secret
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_secret(tmp_path) != bytes(32)


def test_two_first_starts_at_once_agree_on_the_secret(tmp_path: Path) -> None:
    programs = [
        subprocess.Popen(command("print_secret", tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    secrets = {program.communicate("x")[0] for program in programs}
    assert secrets == {load_secret(tmp_path).hex() + "\n"}
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_secret_that_others_may_read_is_not_used(tmp_path: Path, mode: int) -> None:
    load_secret(tmp_path)
    (tmp_path / SECRET_FILE).chmod(mode)
    with pytest.raises(SecretUnavailable, match="chmod 600"):
        load_secret(tmp_path)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_file_that_is_no_secret_is_not_used(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SECRET_FILE).write_bytes(content)
    with pytest.raises(SecretUnavailable, match="delete it"):
        load_secret(tmp_path)


def test_a_secret_is_not_followed_to_another_place(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(bytes(32))
    (tmp_path / SECRET_FILE).symlink_to("elsewhere")
    with pytest.raises(SecretUnavailable, match=SECRET_FILE):
        load_secret(tmp_path)


def test_a_pipe_in_the_place_of_the_secret_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / SECRET_FILE, 0o600)
    with pytest.raises(SecretUnavailable, match="delete it"):
        load_secret(tmp_path)


@pytest.mark.parametrize("state_dir", ["missing", "/proc", "/dev/null"])
def test_a_state_directory_that_cannot_be_used_is_said_in_one_line(tmp_path: Path, state_dir: str) -> None:
    with pytest.raises(SecretUnavailable, match="state directory") as error:
        load_secret(tmp_path / state_dir)
    assert "\n" not in str(error.value)
