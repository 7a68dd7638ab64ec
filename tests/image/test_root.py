"""The root of the image: its units, its kernel modules, its first program."""

import io
import py_compile
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from image.manifest import HERE, PROJECT
from image.modules import archive, closure, dependencies, kept
from image.programs import ENABLED, compile_programs
from tests.end_to_end.unit import Unit

FOLDER = HERE / "root/etc/systemd/system"
UNITS = sorted(FOLDER.glob("*.service"))

NEEDS = dependencies(
    "kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/fs/mbcache.ko kernel/lib/crc16.ko\n"
    "kernel/fs/jbd2/jbd2.ko:\n"
    "kernel/fs/mbcache.ko:\n"
    "kernel/lib/crc16.ko:\n"
    "kernel/sound/core/snd.ko: kernel/sound/soundcore.ko\n"
    "kernel/sound/soundcore.ko:\n"
)


def test_a_module_is_kept_with_all_that_it_needs() -> None:
    assert (
        kept(["fs/ext4"], NEEDS)
        == closure(["kernel/fs/ext4/ext4.ko"], NEEDS)
        == {one for one in NEEDS if "snd" not in one and "sound" not in one}
    )
    assert kept(["fs/mbcache.ko"], NEEDS) == {"kernel/fs/mbcache.ko"}


def test_a_name_that_the_kernel_does_not_have_is_refused_with_all_others() -> None:
    with pytest.raises(SystemExit, match="fs/ext5, net/none"):
        kept(["fs/ext4", "fs/ext5", "net/none"], NEEDS)


def test_an_archive_is_one_that_cpio_unpacks(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin/busybox").write_bytes(b"program")
    (tree / "bin/busybox").chmod(0o755)
    (tree / "bin/sh").symlink_to("busybox")
    (tree / "odd").write_bytes(b"x" * 4097)
    made = archive(tree)
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["cpio", "--extract", "--quiet"], input=made, cwd=out, check=True)
    assert (out / "odd").read_bytes() == b"x" * 4097
    assert (out / "bin/sh").readlink() == Path("busybox")
    assert (out / "bin/busybox").stat().st_mode & 0o777 == 0o755
    shutil.copytree(tree, tmp_path / "again", symlinks=True)
    assert archive(tmp_path / "again") == made


def test_every_unit_of_the_image_is_started_and_nothing_else_is_named() -> None:
    ours = [*UNITS, *FOLDER.glob("*.path"), *(PROJECT / "deploy/systemd").iterdir()]
    at_boot = {path.name for path in ours if Unit(path).all("WantedBy")}
    assert at_boot == {name for name in ENABLED if name.startswith("appliance")}
    # The others are started by one of these: a path's service, or what follows a failure.
    started = {f"{path.stem}.service" for path in FOLDER.glob("*.path")} | {
        name for path in ours for name in Unit(path).words("OnFailure")
    }
    assert {path.name for path in ours} - at_boot <= started


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_program_of_the_image(path: Path) -> None:
    program = HERE / "root" / Unit(path)["ExecStart"].split()[0].lstrip("/")
    assert program.stat().st_mode & 0o100


def test_systemd_understands_the_units_and_finds_an_order_for_them(tmp_path: Path) -> None:
    folder = tmp_path / "units"
    shutil.copytree(HERE / "root/etc/systemd/system", folder)
    for path in (PROJECT / "deploy/systemd").iterdir():
        shutil.copy(path, folder)
    programs = tmp_path / "program"
    programs.write_text("#!/bin/sh\n")
    programs.chmod(0o755)
    for path in folder.glob("*.service"):  # the programs are not where they will be
        text = re.sub(
            r"(?m)^(Exec\w+=[-+]?)/(?:usr/lib/appliance|opt/appliance)/\S+", rf"\1{programs}", path.read_text()
        )
        path.write_text(text)
    names = [path.name for path in sorted(folder.glob("*.*")) if path.is_file()]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *(str(folder / name) for name in names)],
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin:/usr/sbin"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "appliance" in line or "cycle" in line]
    assert said == []


def test_a_start_reads_no_source_of_a_program_that_debian_has_compiled(tmp_path: Path) -> None:
    source = tmp_path / "usr/lib/python3.11/one.py"
    source.parent.mkdir(parents=True)
    source.write_text("ONE = 1\n")
    debian = py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    compile_programs(tmp_path, source.parent)
    [made] = (source.parent / "__pycache__").iterdir()
    assert made == Path(str(debian))
    assert struct.unpack("<I", made.read_bytes()[4:8]) == (1,)  # by a sum that nobody compares (PEP 552)
    assert b"/usr/lib/python3.11/one.py" in made.read_bytes()
    assert str(tmp_path).encode() not in made.read_bytes()


def test_the_first_program_of_the_computer_is_one_that_a_plain_shell_reads() -> None:
    subprocess.run(["dash", "-n", HERE / "boot/init"], check=True)
    assert io.StringIO((HERE / "boot/init").read_text()).readline() == "#!/bin/sh\n"
