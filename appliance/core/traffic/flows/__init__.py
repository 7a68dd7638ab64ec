"""Follows connections from their first packet: who answered, which name was said, how much was carried."""
