"""Asks the kernel for the negotiated speed of a link, by ethtool's ioctl: some microseconds for each."""

import os
import socket
import struct
from array import array
from fcntl import ioctl

SIOCETHTOOL = 0x8946  # linux/sockios.h
GET_SETTINGS = 1  # ETHTOOL_GSET
# linux/ethtool.h, `struct ethtool_cmd`: what is asked, the lower and the upper half of the speed, in Mbit/s.
SETTINGS = struct.Struct("=I8xH14xH14x")
REQUEST = struct.Struct("16sP16x")  # linux/if.h, `struct ifreq`: the interface's name, and where the settings go
UNKNOWN_MBIT = 0xFFFF_FFFF  # SPEED_UNKNOWN


class LinkSpeeds:
    """Asks for speeds in the network namespace in which it was made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def speed_bps(self, name: str) -> int | None:
        """The speed of this interface, in bits per second; `None`: it has none (loopback, WLAN), or does not exist."""
        settings = array("B", SETTINGS.pack(GET_SETTINGS, 0, 0))
        address, _ = settings.buffer_info()
        try:
            ioctl(self._socket, SIOCETHTOOL, REQUEST.pack(os.fsencode(name), address))
        except OSError:
            return None
        _, lower, upper = SETTINGS.unpack(settings)
        speed_mbit = upper << 16 | lower
        return None if speed_mbit in (0, UNKNOWN_MBIT) else speed_mbit * 1_000_000

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()
