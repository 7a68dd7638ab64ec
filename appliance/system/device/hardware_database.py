"""Names the vendors of network cards, from udev's hardware database, by systemd's own library.

Each computer with systemd has both. The library maps the file, so that only the pages of what is looked up take memory,
and not its 13 MB. A computer without them knows no vendors.
"""

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_void_p
from functools import lru_cache

LIBRARY = "libsystemd.so.0"
PROPERTY = b"ID_OUI_FROM_DATABASE"
MOST_REMEMBERED = 4096  # looking one up takes 10 us; a page of a list asks for each device again


class HardwareDatabase:
    """`ports.Vendors` from udev's hardware database, as it was when it was first asked."""

    def __init__(self) -> None:
        self._library: ctypes.CDLL | None = None
        self._database: c_void_p | None = None
        self.vendor = lru_cache(maxsize=MOST_REMEMBERED)(self._look_up)

    def _look_up(self, mac: str) -> str | None:
        """To whom this hardware address was given; `None`: nobody, or it is not known."""
        if self._database is None:
            self._library, self._database = _opened()
        if self._library is None:
            return None
        found = c_char_p()
        key = f"OUI:{mac.replace(':', '').upper()}".encode()
        failed = self._library.sd_hwdb_get(self._database, key, PROPERTY, byref(found)) < 0
        return None if failed or not found.value else found.value.decode("utf-8", "replace")


def _opened() -> tuple[ctypes.CDLL | None, c_void_p]:
    """The library, `None` where it or the database is missing, and the open database."""
    database = c_void_p()
    try:
        library = ctypes.CDLL(LIBRARY)
        library.sd_hwdb_new.argtypes = [POINTER(c_void_p)]
        library.sd_hwdb_get.argtypes = [c_void_p, c_char_p, c_char_p, POINTER(c_char_p)]
        library.sd_hwdb_new.restype = library.sd_hwdb_get.restype = c_int
        return (library, database) if library.sd_hwdb_new(byref(database)) >= 0 else (None, database)
    except (OSError, AttributeError):
        return None, database
