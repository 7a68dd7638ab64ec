"""Compiles decisions into the languages of the kernel: netlink, nftables and eBPF. Nothing here opens a socket."""
