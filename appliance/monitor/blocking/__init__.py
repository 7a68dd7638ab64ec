"""Keeps the kernel in agreement with the blocks, and publishes which of them begin and end."""
