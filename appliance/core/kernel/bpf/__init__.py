"""Builds the programs that run in the kernel: the capture's filter, and the filter that refuses DNS look-ups."""
