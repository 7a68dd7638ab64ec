"""One owner: a state directory and a network namespace each belong to one appliance at a time.

Two appliances would undo each other's blocks and charge the same bytes. The kernel gives both locks up with the process
that holds them, however it ends:

    state directory      flock(2) of the folder itself, which a read-only medium allows too
    packet filter        an abstract name (unix(7)) of this network namespace, because the tables belong to one, too

A process that is still ending is waited for.
"""

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep

NAME = "\0appliance/packet-filter"
LOOK_S = 0.1
END_WITHIN_S = 5.0  # an appliance that ends saves its books, a second on a slow card; the supervisor tries again later
CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): process, user, group


class OwnedElsewhere(Exception):
    """Another appliance has it; the text says which, and what to do."""


def own_state(state_dir: Path, owned: ExitStack, end_within_s: float = END_WITHIN_S) -> None:
    """Own the state directory until `owned` is closed. Raises `OwnedElsewhere` where another appliance has it."""
    descriptor = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    owned.callback(os.close, descriptor)
    _wait(
        lambda: _lock(descriptor),
        lambda: f"another appliance uses the state in {state_dir}; stop it first, or give another --state-dir",
        end_within_s,
    )


def own_packet_filter(owned: ExitStack, end_within_s: float = END_WITHIN_S) -> None:
    """Own the tables of this network namespace until `owned` is closed. Raises `OwnedElsewhere` as above."""
    holder = owned.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC))
    _wait(lambda: _bind(holder), _other_owner, end_within_s)


def _wait(take: Callable[[], bool], objection: Callable[[], str], end_within_s: float) -> None:
    deadline_s, is_told = monotonic() + end_within_s, False
    while not take():
        if monotonic() >= deadline_s:
            raise OwnedElsewhere(objection())
        if not is_told:
            print(f"Waiting up to {end_within_s:.0f} s for the appliance that runs here to end.", flush=True)
            is_told = True
        sleep(LOOK_S)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _bind(holder: socket.socket) -> bool:
    try:
        holder.bind(NAME)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return _owner()[1] not in {None, 0, os.geteuid()}  # anybody may take a name; only root has an appliance
    holder.listen()
    return True


def _owner() -> tuple[int, int | None]:
    """The process and the user that have the name; a user of `None`: it has just been given up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as asking:
        try:
            asking.connect(NAME)
        except BlockingIOError:
            return 0, 0  # its queue is full; it exists
        except OSError:
            return 0, None
        process, user, _ = CREDENTIALS.unpack(
            asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        )
    return process, user


def _other_owner() -> str:
    process = _owner()[0]
    return f"another appliance (process {process}) meters and blocks in this network already; stop it first"
