"""A VLAN's subinterface in place of the kernel's own: a program that ends with the lab.

    python vlan.py TRUNK SUBINTERFACE TAG

Not every kernel has 8021q. A TAP device gets what comes on the trunk with this tag, without it; what it sends goes out
with it. The kernel takes the tags off frames before any hook sees them, whether it has VLANs or not, so that what the
hooks of the trunk see is the same with both.
"""

import fcntl
import os
import socket
import sys
from contextlib import suppress
from select import select
from struct import Struct

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000  # linux/if_tun.h
INTERFACE_REQUEST = Struct("16sH22x")  # linux/if.h
ETH_P_ALL, ETH_P_8021Q = 0x0003, 0x8100  # linux/if_ether.h
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23  # linux/socket.h, linux/if_packet.h
AUXDATA = Struct("=IIIHHHH")  # status, lengths, offsets, tag and its kind
HAS_TAG = 0x10  # TP_STATUS_VLAN_VALID
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
BUFFER_BYTES = 1 << 25  # a burst that is not lost while Python reads it
LONGEST = 1 << 16
TAGS = Struct("!HH")
ADDRESSES = 12  # bytes of the two hardware addresses, behind which the tag goes


def main(trunk: str, subinterface: str, tag: int) -> None:
    """Carry frames until the process is ended."""
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, INTERFACE_REQUEST.pack(subinterface.encode(), IFF_TAP | IFF_NO_PI))
    line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    line.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    line.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    line.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
    line.bind((trunk, ETH_P_ALL))
    print("ready", flush=True)
    while True:
        readable, _, _ = select([tap, line], [], [])
        if tap in readable:
            frame = os.read(tap, LONGEST)
            line.send(frame[:ADDRESSES] + TAGS.pack(ETH_P_8021Q, tag) + frame[ADDRESSES:])
        if line in readable:
            frame, ancillary, _, _ = line.recvmsg(LONGEST, 128)
            [told] = [AUXDATA.unpack(data[: AUXDATA.size]) for _, _, data in ancillary]
            if told[0] & HAS_TAG and told[5] & 0xFFF == tag:
                with suppress(OSError):  # it is not up yet
                    os.write(tap, frame)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
