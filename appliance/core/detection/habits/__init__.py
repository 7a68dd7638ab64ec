"""Learns what the servers of a department do each day."""
