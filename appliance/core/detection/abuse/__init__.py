"""Abuse of what one is let do: floods, tried passwords, data in names, taken addresses, servers that nobody set up."""
