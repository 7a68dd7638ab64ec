"""Hashes passwords with Argon2id by argon2-cffi, each in a process of its own.

In the service's own process each hash would leave its 19 MiB resident (measured: 20 to 40 MB after four, because the C
library keeps freed memory). A child returns all of it, and the service never imports the library (4 MB). A hash takes
0.1 s on a desktop core; the caller runs it beside the event loop, and never many at once.
"""

import json
import subprocess
import sys

# OWASP's password storage cheat sheet: the least memory that it finds enough, m=19 MiB with t=2 and p=1. A Pi with
# 512 MB has that to spare for one login at a time, and one thread does not take more than one of its cores.
MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
LONGEST_S = 30.0  # for one hash; a Pi Zero needs one or two seconds


class PasswordsUnavailable(Exception):
    """A password cannot be hashed; the text says why."""


def hashed(password: str) -> str:
    """The hash of a new password, with its parameters and salt in it. Raises `PasswordsUnavailable`."""
    return _child({"password": password})


def matches(password: str, password_hash: str) -> bool:
    """Whether this is the password. Raises `PasswordsUnavailable`."""
    return _child({"password": password, "hash": password_hash}) == "yes"


def _child(request: dict[str, str]) -> str:
    program = [sys.executable, "-P", "-m", __name__]
    try:
        done = subprocess.run(  # noqa: S603  our own file
            program, input=json.dumps(request).encode(), capture_output=True, timeout=LONGEST_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PasswordsUnavailable(f"a password cannot be judged: {error}") from None
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise PasswordsUnavailable(f"a password cannot be judged: {''.join(last) or done.returncode}")
    return done.stdout.decode()


def _answer(request: dict[str, str]) -> str:
    """The child's work."""
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
    if "hash" not in request:
        return hasher.hash(request["password"])
    try:
        hasher.verify(request["hash"], request["password"])
    except (VerificationError, InvalidHashError):
        return "no"
    return "yes"


if __name__ == "__main__":
    sys.stdout.write(_answer(json.load(sys.stdin)))
