"""Hardware addresses: which one a device has made up itself, so that it says nothing about who made the device.

The second lowest bit of the first byte marks an address as locally administered (IEEE 802, section 8.2). Phones set it
in the addresses that they make up for each network; but so do programs that give virtual machines theirs, and those
stay.
"""

_LOCAL = 0x02

# Prefixes that programs give to what they run, though the bit is set: QEMU and libvirt, Docker, Kubernetes, the adapter
# of VirtualBox, and the loopback of Microsoft. Source: the documentation of each.
VIRTUAL = {
    "52:54:00": "QEMU virtual machine",
    "02:42:": "Docker container",
    "0a:58:": "Kubernetes pod",
    "0a:00:27": "VirtualBox host",
    "02:00:4c": "Microsoft loopback adapter",
}


def virtual_kind(mac: str) -> str | None:
    """What a program gives addresses with this prefix to; `None`: it is none of those."""
    return next((kind for prefix, kind in VIRTUAL.items() if mac.startswith(prefix)), None)


def is_randomised(mac: str, vendor: str | None) -> bool:
    """Whether a device has made this address up. `vendor`: to whom its prefix was given, long ago."""
    return bool(int(mac[:2], 16) & _LOCAL) and vendor is None and virtual_kind(mac) is None
