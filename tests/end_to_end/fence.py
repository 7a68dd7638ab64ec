"""Runs a program under the restrictions of its unit, as far as that works without systemd: fence.py UNIT PROGRAM...

It uses the same kernel features: a read-only file system except for the unit's directories, no memory that is both
writable and executable, no capability, address family or system call beyond the unit's. Not: devices, memory,
namespaces, filters of IP addresses, a root directory of its own.
"""

import ctypes
import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.unit import Unit

ALLOW, REFUSE, EQUAL = 0x7FFF0000, 0x00050001, 4  # seccomp.h of libseccomp: SCMP_ACT_ALLOW, _ERRNO(EPERM), SCMP_CMP_EQ
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1  # linux/prctl.h; before Linux 6.3 it fails, and there is no such restriction


class Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp`: the argument, the operator, and the operands."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def read_only(unit: Unit) -> None:
    """`ProtectSystem=strict`, in a mount namespace of its own."""
    state = Path("/var/lib", unit["StateDirectory"])
    state.mkdir(mode=0o700, parents=True, exist_ok=True)  # as systemd makes it
    named = [one for one in unit.words("ReadWritePaths") if not one.startswith("-") or Path(one[1:]).is_dir()]
    for folder in (str(state), "/noting", *(one.removeprefix("-") for one in named)):
        subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", "/"], check=True)


def without(unit: Unit) -> None:
    """`SystemCallFilter`, `RestrictAddressFamilies` and `MemoryDenyWriteExecute`."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    filter_ = ctypes.c_void_p(library.seccomp_init(REFUSE))
    named = unit.words("SystemCallFilter")
    refused = calls({one[1:] for one in named if one.startswith("~")})
    allowed = calls({one for one in named if not one.startswith("~")}) - refused
    for name in sorted(allowed - {"socket"}):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # negative: of another architecture
            assert library.seccomp_rule_add(filter_, ALLOW, number, 0) == 0, name
    number = library.seccomp_syscall_resolve_name(b"socket")
    for family in unit.words("RestrictAddressFamilies"):
        same = Comparison(0, EQUAL, getattr(socket, family), 0)
        assert library.seccomp_rule_add(filter_, ALLOW, number, 1, same) == 0, family
    ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0)
    assert library.seccomp_load(filter_) == 0


def calls(names: set[str]) -> set[str]:
    """The named system calls, with systemd's sets (`@name`) expanded."""
    found: set[str] = set()
    for name in names:
        if name.startswith("@"):
            shown = subprocess.run(
                ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True
            )
            lines = (line.strip() for line in shown.stdout.splitlines()[1:])
            found |= calls({line for line in lines if line and not line.startswith("#")})
        else:
            found.add(name)
    return found


def main() -> None:
    unit, words = Unit(Path(sys.argv[1])), sys.argv[2:]
    read_only(unit)
    without(unit)
    del os.environ["PYTHONPATH"]  # which was needed to find this program
    os.execvp(words[0], words)


if __name__ == "__main__":
    main()
