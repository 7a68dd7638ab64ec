"""Wraps the kernel's network interfaces: links, neighbours, connections, capture, eBPF, traffic control."""
