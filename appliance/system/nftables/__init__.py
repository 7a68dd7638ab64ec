"""Wraps the kernel's packet filter: rules by libnftables, elements and counters by netlink."""
